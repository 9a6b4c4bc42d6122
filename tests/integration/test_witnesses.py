"""A real hub and a real Trust witness each other's logs; a hub in an attacker's hands cannot hide what it asked."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flip_hub import audit
from flip_hub.database import AuditHead, AuditRow, DailyRoot, Database, Entry, RootSeen, Routine, also, upgrade
from flip_hub.database.chain import CHAIN, as_entry
from flip_hub.governance import trusts, witness
from flip_hub.home import make_home
from flip_hub.keys import hub_record, signing_key
from flip_hub.trust_api import create_app
from flip_sdk.contract.log_check import check, orders_not_in
from flip_sdk.contract.log_entries import GENESIS, hash_of, to_row
from flip_sdk.contract.log_files import evidence_of
from flip_sdk.contract.logs import PublishedRoots, RootTold
from flip_sdk.contract.notices import SignedNotice, fingerprint
from flip_sdk.contract.signatures import SigningKey, verify
from flip_trust import witness as trust_witness
from flip_trust.agent.announcer import Announcer
from flip_trust.agent.hub_client import HubRefusedError
from flip_trust.audit import Entry as TrustEntry
from flip_trust.audit import entries_of
from flip_trust.cli import app
from flip_trust.config import TrustConfig
from flip_trust.database import Database as TrustDatabase
from flip_trust.keys import enrolment, load_identity
from flip_trust.setup import make_home as make_trust
from pydantic import TypeAdapter
from sqlalchemy import delete, select
from starlette.testclient import TestClient
from typer.testing import CliRunner

from tests.hub.tampering import let_anything

_TOLD = TypeAdapter(list[RootTold])


class Wire:
    """The Trust's client, over the hub's own routes."""

    def __init__(self, app: TestClient) -> None:
        self._app = app

    def post_notice(self, jws: str) -> None:
        answer = self._app.post("/notices", content=jws.encode())
        if answer.status_code != 204:
            raise HubRefusedError(answer.text)

    def ask_roots(self, jws: str) -> list[RootTold]:
        answer = self._app.post("/roots", content=jws.encode())
        assert answer.status_code == 200, answer.text
        return _TOLD.validate_json(answer.content)


class World:
    """Both sides, and a clock that can be turned."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.config = make_home(folder / "hub", {"title": "A hub"}, by="operator")
        self.hub = Database.of(self.config)
        upgrade(self.hub)
        record = hub_record(self.config)
        self.trust_config = TrustConfig(folder / "trust", "aldgate", "Aldgate Hospital", sandbox="none")
        make_trust(self.trust_config, record, fingerprint(record))
        self.trust = TrustDatabase.open(self.trust_config.database)
        mine = enrolment(self.trust_config)
        trusts.enrol(self.hub, mine, fingerprint(mine), by="operator")
        self.moment = datetime.now(UTC)
        for place in ("flip_hub.governance.witness.now", "flip_hub.governance.notices.now"):
            monkeypatch.setattr(place, lambda: self.moment)
        wire = Wire(TestClient(create_app(self.config, self.hub)))
        key = load_identity(self.trust_config)
        self.announcer = Announcer(self.trust_config, self.trust, wire, key, lambda: self.moment, lambda: None)

    def day(self) -> None:
        """A day goes by: something happens at the hub, both sign their roots, and see each other's."""
        self.moment += timedelta(days=1)
        self.ask(f"j{secrets.token_hex(4)}", received=False)
        witness.keep_up(self.config, self.hub)
        self.announcer.witness()

    def ask(self, job: str, *, received: bool = True) -> None:
        """The hub signs a job off, and the Trust receives an order of it."""
        with self.hub.write(Entry("ada", "job.submitted", f"job/{job}", {"spec": f"sha256:{job}"})) as session:
            also(session, Entry("governance", "job.signed_off", f"job/{job}"))
        if received:
            with self.trust.transaction() as transaction:
                transaction.write(
                    TrustEntry("agent", "task.offered", f"task/{job}-1", {"job": job, "spec": f"sha256:{job}"})
                )

    def hide(self, job: str) -> None:
        """The attacker deletes a row, reckons every hash anew, and forgets the blocks and the head."""
        with self.hub.write(Routine("an attacker with the database")) as session:
            let_anything(session)
            kept = [as_entry(row) for row in session.scalars(select(AuditRow).order_by(AuditRow.sequence))]
            session.execute(delete(AuditRow))
            previous = GENESIS
            left = [one for one in kept if one["subject"] != f"job/{job}"]
            for number, one in enumerate(left, start=1):
                content = one | {"sequence": number, "previous": previous}
                previous = hash_of(content)
                session.add(AuditRow(**to_row(content | {"hash": previous})))
            head = session.get_one(AuditHead, CHAIN)
            head.sequence, head.hash = len(left), previous

    def rewrite(self, job: str, spec: str) -> None:
        """The attacker says that something harmless was asked, and reckons every hash anew."""
        with self.hub.write(Routine("an attacker with the database")) as session:
            let_anything(session)
            previous = GENESIS
            for row in session.scalars(select(AuditRow).order_by(AuditRow.sequence)):
                content = as_entry(row) | {"previous": previous}
                if (row.event, row.subject) == ("job.submitted", f"job/{job}"):
                    content["details"] = {"spec": spec}
                row.details, row.previous = to_row(content)["details"], previous
                row.hash = previous = hash_of(content)
            session.get_one(AuditHead, CHAIN).hash = previous

    def events(self, name: str) -> list[dict]:
        return [one for one in entries_of(self.trust) if one["event"] == name]

    def export(self) -> list[dict]:
        with self.hub.read() as session:
            return list(audit.export(session))

    def roots(self) -> bytes:
        with self.hub.read() as session:
            return witness.published(self.config, session).canonical()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def test_each_keeps_and_countersigns_the_others_roots(world: World) -> None:
    for _ in range(3):
        world.day()
    published = PublishedRoots.parse(world.roots())
    mine = [one for one in published.roots if one.root.log == "hub"]
    theirs = [one for one in published.roots if one.root.log == "trust/aldgate"]
    assert [len(one.seen) for one in mine] == [1, 1, 1]
    assert len(theirs) == 3
    evidence = evidence_of(world.roots(), "hub")
    verdict = check(world.export(), evidence.roots)
    assert (verdict.whole, len(verdict.confirmed), evidence.troubles) == (True, 3, [])
    trusts_log = check(entries_of(world.trust), evidence_of(world.roots(), "trust/aldgate").roots)
    assert (trusts_log.whole, len(trusts_log.confirmed)) == (True, 3)
    assert trust_witness.alarm(world.trust) is None


def test_a_hub_that_hides_an_old_job_is_convicted_by_the_root_that_the_trust_countersigned(world: World) -> None:
    world.ask("secret")
    world.day()
    before = world.roots()
    world.hide("secret")
    assert check(world.export()).whole
    kinds = {one.kind for one in check(world.export(), evidence_of(before, "hub").roots).findings}
    assert kinds & {"rewritten", "truncated"}

    world.day()
    why, _ = trust_witness.alarm(world.trust) or ("", "")
    assert "cannot prove" in why
    assert len(world.events("hub.log_inconsistent")) == 1
    assert len(world.events("hub.root_countersigned")) == 1
    world.announcer.witness()
    assert len(world.events("hub.log_inconsistent")) == 1


def test_new_roots_with_the_stolen_key_do_not_help_it(world: World) -> None:
    """It signs its whole history anew: the Trust's own signature still names the root that it saw."""
    world.ask("secret")
    world.day()
    world.hide("secret")
    with world.hub.write(Routine("an attacker with the keys")) as session:
        row = session.get_one(DailyRoot, ("hub", world.moment.date()))
        grown = witness.tree(session)
        forged = witness.root_of(row).model_copy(update={"size": grown.size, "root": grown.root()})
        row.size, row.root, row.signed = forged.size, forged.root, signing_key(world.config, "governance").sign(forged)
    findings = check(world.export(), evidence_of(world.roots(), "hub").roots).findings
    assert {one.kind for one in findings} & {"rewritten", "truncated"}
    world.day()
    assert trust_witness.alarm(world.trust)
    assert len(world.events("hub.root_countersigned")) == 1


def test_a_forged_witness_convinces_nobody(world: World) -> None:
    """The attacker writes the Trust's word for a rewritten history, with the hub's key or one of their own making."""
    world.ask("secret")
    world.day()
    day = world.moment.date()
    key = load_identity(world.trust_config).public
    with world.hub.write(Routine("an attacker with the keys")) as session:
        seen = session.get_one(RootSeen, (day, "aldgate"))
        told = verify(seen.signed, key, SignedNotice)
    for thief in (signing_key(world.config, "governance"), SigningKey.generate()):
        notice = told.notice.model_copy(update={"root": "sha256:" + 64 * "0"})
        with world.hub.write(Routine("an attacker with the keys")) as session:
            seen = session.get_one(RootSeen, (day, "aldgate"))
            seen.signed = thief.sign(told.model_copy(update={"notice": notice}))
        evidence = evidence_of(world.roots(), "hub", {"trust/aldgate": key})
        assert str(day) not in evidence.witnesses
        assert {root.root for root in evidence.roots} == {told.notice.root}


def test_a_job_that_was_hidden_before_any_root_is_in_the_trusts_own_log(world: World) -> None:
    world.day()
    world.ask("secret")
    world.hide("secret")
    world.day()
    assert trust_witness.alarm(world.trust) is None
    assert check(world.export(), evidence_of(world.roots(), "hub").roots).whole
    (hidden,) = orders_not_in(world.export(), entries_of(world.trust))
    assert hidden["details"]["job"] == "secret"
    # and the Trust cannot be made to deny it: the hub itself published the root of the Trust's log
    trusts_log = check(entries_of(world.trust), evidence_of(world.roots(), "trust/aldgate").roots)
    assert len(trusts_log.confirmed) == 2


def test_a_job_that_was_rewritten_into_a_harmless_one_is_in_the_trusts_own_log(world: World, tmp_path: Path) -> None:
    """Before any root: the hub's log verifies, alone and with every root. What the Trust was asked says otherwise."""
    world.day()
    world.ask("secret")
    world.rewrite("secret", "sha256:harmless")
    world.day()
    assert check(world.export(), evidence_of(world.roots(), "hub").roots).whole
    (hidden,) = orders_not_in(world.export(), entries_of(world.trust))
    assert (hidden["details"]["job"], hidden["details"]["spec"]) == ("secret", "sha256:secret")

    file = tmp_path / "hub.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in world.export()))
    answer = CliRunner().invoke(app, ["audit", "compare", str(file), "--home", str(world.trust_config.home)])
    assert answer.exit_code == 1
    assert "sha256:secret" in answer.output


def test_a_hub_that_publishes_no_more_roots_is_noticed(world: World) -> None:
    world.day()
    world.moment += timedelta(days=4)
    world.announcer.witness()
    why, _ = trust_witness.alarm(world.trust) or ("", "")
    assert "no root" in why


def test_an_alarm_is_dealt_with_by_a_named_person_and_stays_in_the_list(world: World) -> None:
    world.day()
    world.moment += timedelta(days=4)
    world.announcer.witness()

    def said(*words: str, code: int = 0) -> str:
        answer = CliRunner().invoke(app, ["audit", *words, "--home", str(world.trust_config.home)])
        assert answer.exit_code == code, answer.output
        return answer.output

    assert "Nobody dealt with it" in said("alarms", code=1)
    deal = ("deal-with", "1", "--steward", "sam", "--reason")
    said(*deal, " ", code=1)
    said("deal-with", "2", "--steward", "sam", "--reason", "x", code=1)
    said(*deal, "The hub was moved to another machine.")
    assert trust_witness.alarm(world.trust) is None
    assert "steward/sam" in said("alarms")
    said(*deal, "Once more.", code=1)
    assert len(world.events("hub.log_inconsistent")) == 1
    # another one is an alarm again
    world.day()
    world.moment += timedelta(days=4)
    world.announcer.witness()
    assert trust_witness.alarm(world.trust) is not None
    assert "Nobody dealt with it" in said("alarms", code=1)


def test_a_trust_whose_log_was_rewritten_is_refused_by_the_hub(world: World) -> None:
    world.day()
    world.trust._connection.executescript(
        "DROP TRIGGER audit_fixed; UPDATE audit SET hash = replace(hash, 'a', 'b') WHERE sequence = 1;"
    )
    world.day()
    theirs = [one for one in PublishedRoots.parse(world.roots()).roots if one.root.log == "trust/aldgate"]
    assert len(theirs) == 1
