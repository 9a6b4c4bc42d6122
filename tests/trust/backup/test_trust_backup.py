"""A Trust out of an old backup has forgotten debits: it answers nobody until they are in its ledger again."""

from __future__ import annotations

import pytest
from flip_sdk.accounting.calibrate import Debit
from flip_sdk.accounting.events import Pure
from flip_sdk.archives import ArchiveError, BrokenArchiveError, PassphraseError
from flip_sdk.contract.tasks import Refusal, RefusalCode
from flip_trust import audit, consent
from flip_trust.backup import back_up, reconcile, restore
from flip_trust.backup.reconcile import WHOLE
from flip_trust.cli import app
from flip_trust.config import TrustConfig
from flip_trust.database import Database
from flip_trust.errors import ConsentError, SetupError
from flip_trust.keys import load_identity
from flip_trust.ledger import store
from typer.testing import CliRunner

from tests.trust.world import PROJECT, Hub, Trust, answer_of, count_spec

PHRASE = "correct horse battery staple"


def told(what: str, done: int, of: int) -> None:
    assert 0 <= done <= of


def count(trust: Trust, hub: Hub, job_id: str):
    parts = hub.parts(hub.job(count_spec(epsilon=0.5), job_id=job_id), "count")
    return answer_of(trust, trust.carrier.answer(trust.carrier.put(parts)))[0]


@pytest.fixture
def old(trust: Trust, hub: Hub, running, tmp_path) -> Trust:
    """A Trust from before two debits that only its lost self knew."""
    trust.opt_in()
    running(trust)
    count(trust, hub, "job-1")
    digest, debits = back_up(
        trust.config, trust.database, tmp_path / "trust.backup", by="op", told=told, passphrase=PHRASE
    )
    assert debits == 1
    for job in ("job-2", "job-3"):
        count(trust, hub, job)
    restore(tmp_path / "trust.backup", tmp_path / "new", by="op", told=told, passphrase=PHRASE, digest=digest)
    (tmp_path / "new" / "omop").rmdir()
    (tmp_path / "new" / "omop").symlink_to(trust.config.omop)
    config = TrustConfig.load(tmp_path / "new", {})
    restored = Trust(config, hub, Database.open(config.database))
    running(restored)
    return restored


def test_it_is_the_trust_that_it_was_and_says_so(old: Trust, trust: Trust) -> None:
    assert load_identity(old.config).public == load_identity(trust.config).public
    assert len(old.ledger()) == 1
    assert [e["actor"] for e in old.events("trust.restored")] == ["op"]
    audit.verify_database(old.database)


def test_until_it_is_reconciled_it_answers_nothing_and_debits_nothing(old: Trust, hub: Hub) -> None:
    assert consent.standing(old.database, PROJECT).state == "paused"
    consent.resume(old.database, PROJECT, "sam")

    answer = count(old, hub, "job-2")

    assert isinstance(answer, Refusal)
    assert answer.code is RefusalCode.CONSENT_PAUSED
    with pytest.raises(SetupError), old.database.transaction() as transaction:
        store.debit(transaction, None, "catalogue", [Debit("catalogue", Pure(epsilon=0.1))], "steward")
    assert len(old.ledger()) == 1


def test_what_is_known_to_have_been_spent_is_debited_first(old: Trust, trust: Trust, hub: Hub) -> None:
    known = {name or WHOLE: store.spent(trust.database, 1e-5, name) for name in (PROJECT, None)}
    with pytest.raises(ConsentError):
        reconcile(old.database, old.config, "sam", {PROJECT: 1.0})

    done = reconcile(old.database, old.config, "sam", known)

    assert set(done) == {PROJECT}  # what the project spent, the whole data set did
    for name in (PROJECT, None):
        assert store.spent(old.database, 1e-5, name) == pytest.approx(known[name or WHOLE], rel=0.06)
        assert store.spent(old.database, 1e-5, name) >= known[name or WHOLE]
    consent.resume(old.database, PROJECT, "sam")
    assert not isinstance(count(old, hub, "job-4"), Refusal)
    with pytest.raises(ConsentError):
        reconcile(old.database, old.config, "sam", None)


def test_without_figures_everything_is_written_off(old: Trust, hub: Hub) -> None:
    reconcile(old.database, old.config, "sam", None)
    consent.resume(old.database, PROJECT, "sam")

    answer = count(old, hub, "job-4")

    assert isinstance(answer, Refusal)
    assert answer.code is RefusalCode.BUDGET_EXCEEDED
    assert store.spent(old.database, 1e-5) >= old.config.total_epsilon


def test_nothing_is_put_in_place_of_a_broken_backup_or_over_a_home(trust: Trust, tmp_path) -> None:
    path, home = tmp_path / "trust.backup", tmp_path / "new"
    back_up(trust.config, trust.database, path, by="op", told=told, passphrase=PHRASE)
    whole = path.read_bytes()
    with pytest.raises(PassphraseError):
        restore(path, home, by="op", told=told, passphrase="another passphrase")
    with pytest.raises(SetupError):
        restore(path, trust.config.home, by="op", told=told, passphrase=PHRASE)
    half = len(whole) // 2
    for content in (whole[:-1], whole[:half], whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :]):
        path.write_bytes(content)
        with pytest.raises(ArchiveError):
            restore(path, home, by="op", told=told, passphrase=PHRASE)
    path.write_bytes(whole)
    with pytest.raises(BrokenArchiveError):
        restore(path, home, by="op", told=told, passphrase=PHRASE, digest="sha256:" + "0" * 64)
    assert list(home.iterdir()) == []


def test_the_commands(trust: Trust, tmp_path, monkeypatch) -> None:
    trust.opt_in()
    monkeypatch.setenv("FLIP_BACKUP_PASSPHRASE", PHRASE)
    path, home = str(tmp_path / "b"), str(tmp_path / "new")
    run = CliRunner().invoke
    assert run(app, ["backup", path, "--home", str(trust.config.home)]).exit_code == 0
    assert run(app, ["restore", path, "--home", home]).exit_code == 0
    assert run(app, ["ledger", "reconcile", "--home", home]).exit_code == 1
    assert run(app, ["ledger", "reconcile", "--spent", "nothing", "--home", home]).exit_code == 1
    given = ["ledger", "reconcile", "--spent", f"{PROJECT}=2", "--total", "2", "--home", home]
    assert run(app, given).exit_code == 0
    assert run(app, ["consent", "resume", PROJECT, "--home", home]).exit_code == 0
