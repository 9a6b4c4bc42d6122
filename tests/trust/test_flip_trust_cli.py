from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from flip_sdk.contract.notices import TrustEnrolment, fingerprint
from flip_trust import consent
from flip_trust.catalogue import pending
from flip_trust.cli import app
from flip_trust.database import Database
from typer.testing import CliRunner

from tests.trust.world import PROJECT, answer_of, count_spec

UNTIL = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()


@pytest.fixture
def run(trust):
    def invoke(*arguments: str, code: int = 0, typed: str = "") -> str:
        words = [*arguments, "--home", str(trust.config.home)]
        result = CliRunner().invoke(app, words, input=typed or None, env={"COLUMNS": "200"})
        assert result.exit_code == code, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.output

    return invoke


@pytest.fixture
def opted_in(run):
    run("consent", "opt-in", PROJECT, "--epsilon", "10", "--delta", "1e-5", "--until", UNTIL, "--kinds", "count,train")


def new_home(tmp_path, hub, *arguments: str, typed: str = "", code: int = 0) -> str:
    file = tmp_path / "hub-enrolment.json"
    file.write_bytes(hub.enrolment.canonical())
    words = ["init", "--home", str(tmp_path / "new"), "--name", "aldgate", "--title", "Aldgate", "--hub", str(file)]
    result = CliRunner().invoke(app, [*words, *arguments], input=typed or None)
    assert result.exit_code == code, result.output
    return result.output


def test_init_without_questions(tmp_path, hub):
    shown = new_home(tmp_path, hub, "--hub-fingerprint", fingerprint(hub.enrolment))
    record = TrustEnrolment.parse((tmp_path / "new" / "trust-enrolment.json").read_bytes())

    assert fingerprint(record) in shown


def test_init_shows_the_hubs_fingerprint_and_asks(tmp_path, hub):
    assert fingerprint(hub.enrolment) in new_home(tmp_path, hub, typed="n\n", code=1)
    assert not (tmp_path / "new").exists()
    new_home(tmp_path, hub, typed="y\n")
    assert (tmp_path / "new" / "trust.toml").exists()


def test_init_with_another_hubs_fingerprint(tmp_path, hub):
    new_home(tmp_path, hub, "--hub-fingerprint", "0" * 64, code=1)

    assert not (tmp_path / "new").exists()


def test_fingerprint_is_all_that_it_prints(run, trust):
    record = TrustEnrolment.parse(trust.config.enrolment_file.read_bytes())

    assert run("fingerprint") == fingerprint(record) + "\n"


def test_opting_in_pausing_resuming_leaving(run, opted_in, trust):
    def state() -> str:
        return consent.standing(trust.database, PROJECT).state

    terms = consent.standing(trust.database, PROJECT).terms
    assert (terms.epsilon, terms.delta, terms.job_kinds) == (10.0, 1e-5, ("count", "train"))
    assert terms.expires_at.date().isoformat() == UNTIL
    for command, expected in (("pause", "paused"), ("resume", "opted_in"), ("leave", "left")):
        run("consent", command, PROJECT, "--steward", "sam")
        assert state() == expected
    assert trust.events("consent.left")[0]["actor"] == "steward/sam"


@pytest.mark.parametrize(
    "changes",
    [
        ("--until", "yesterday"),
        ("--until", "2020-01-01"),
        ("--kinds", "count,spy"),
        ("--kinds", ","),
        ("--epsilon", "0"),
        ("--delta", "0.5"),
    ],
)
def test_an_opt_in_that_cannot_be(run, trust, changes):
    given = {"--epsilon": "1", "--until": UNTIL} | dict([changes])
    shown = run("consent", "opt-in", PROJECT, *(word for pair in given.items() for word in pair), code=1)

    assert "Traceback" not in shown
    assert consent.every(trust.database) == []


def test_pausing_what_was_never_opted_in_to(run):
    run("consent", "pause", PROJECT, code=1)


def test_the_list_works_without_the_hub(run, opted_in):
    shown = run("consent", "list")

    assert "opted in" in shown
    assert "cannot be reached" in shown


def test_pausing_stops_a_running_agent_at_its_next_task(run, opted_in, trust, running):
    running(trust)
    run("consent", "pause", PROJECT)
    received = trust.carrier.put(trust.hub.parts(trust.hub.job(count_spec()), "count"))

    assert answer_of(trust, trust.carrier.answer(received))[0].code == "consent_paused"


def test_ledger_and_status(run, opted_in, trust, running):
    running(trust)
    job = trust.hub.job(count_spec())
    trust.carrier.answer(trust.carrier.put(trust.hub.parts(job, "count")))

    assert job.job_id in run("ledger")
    assert "Everybody." in run("ledger", "queries", job.spec.project_id)
    assert "Nothing was asked" in run("ledger", "queries", "nobodys")
    assert PROJECT in run("status")
    figures = json.loads(run("ledger", "--json"))
    assert figures["events"][0]["event"] == {"mechanism": "pure", "epsilon": 0.5, "unit": "person"}
    assert figures["budgets"][0]["spent"] == pytest.approx(0.5, abs=1e-3)
    assert figures["total"]["spent"] == pytest.approx(0.5, abs=1e-3)


def test_publishing_what_it_holds_says_how_much_is_told(run, trust):
    said = run("catalogue", "publish", "--holdings", "8", "--steward", "sam")
    assert "numbers for" in said
    assert "of 100" in said
    assert [line["purpose"] for line in trust.ledger()] == ["catalogue", "holdings"]


def test_publishing_a_catalogue_without_the_hub_keeps_it(run, trust):
    assert "Kept" in run("catalogue", "publish", "--epsilon", "0.5")
    assert (trust.config.home / "catalogue.pending.json").exists()
    assert len(trust.ledger()) == 1


def test_publishing_a_twin_is_asked_for_and_said(run, trust):
    told = run("catalogue", "publish", "--twin", "0.5", "--steward", "sam")

    assert "and a synthetic twin" in told
    assert [line["purpose"] for line in trust.ledger()] == ["catalogue", "twin-cells", "twin-products"]
    assert pending(trust.config, datetime.now(UTC)).twin.epsilon == 0.5
    assert pending(trust.config, datetime.now(UTC)).twin.images == ()


def test_a_twin_with_images_is_asked_for_and_said(run, trust):
    told = run("catalogue", "publish", "--twin", "0.5", "--twin-images", "--steward", "sam")

    assert "and a synthetic twin with its images' geometry" in told
    assert pending(trust.config, datetime.now(UTC)).twin.images


def test_audit_verify_and_export(run, opted_in, trust, tmp_path):
    file = tmp_path / "export.jsonl"
    run("audit", "export", "--to", str(file))
    assert "2 entries" in run("audit", "verify")
    assert "whole" in run("audit", "verify", "--file", str(file))
    assert run("audit", "export").splitlines()[0] == file.read_text().splitlines()[0]

    file.write_text(file.read_text().replace(PROJECT, "another-one"))
    assert "entry" in run("audit", "verify", "--file", str(file), code=1)


def test_a_broken_log_is_reported(run, trust):
    import sqlite3

    connection = sqlite3.connect(trust.config.database)
    connection.execute("DROP TRIGGER audit_fixed")
    connection.execute("UPDATE audit SET actor = 'eve'")
    connection.commit()

    assert "entry 1" in run("audit", "verify", code=1)


def test_no_home(tmp_path):
    result = CliRunner().invoke(app, ["status", "--home", str(tmp_path)])

    assert result.exit_code == 1
    assert "flip-trust init" in result.output


def test_a_full_disk_is_said_in_words(run, trust, monkeypatch):
    pages = Database.open(trust.config.database).read("PRAGMA page_count")[0]["page_count"]
    opened = Database.open

    def small(path, **options):
        database = opened(path, **options)
        database.read(f"PRAGMA max_page_count = {pages}")
        return database

    monkeypatch.setattr(Database, "open", small)
    from flip_trust.audit import Entry
    from flip_trust.errors import LedgerUnavailableError

    database = small(trust.config.database)

    def fill() -> None:
        while True:
            with database.transaction() as transaction:
                transaction.write(Entry("test", "filled", "disk", {"with": "x" * 200}))

    with pytest.raises(LedgerUnavailableError):
        fill()
    shown = run("consent", "opt-in", PROJECT, "--epsilon", "10", "--until", UNTIL, code=1)

    assert "disk" in shown
    assert consent.every(trust.database) == []
