from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from flip_sdk.accounting.calibrate import Debit
from flip_sdk.accounting.events import Pure
from flip_sdk.contract.notices import CatalogueNotice, ConsentNotice, ProjectForTrust, StatusNotice
from flip_sdk.contract.twins import GRIDS
from flip_trust import catalogue, consent, heard
from flip_trust.agent import pulse
from flip_trust.agent.announcer import Announcer
from flip_trust.agent.hub_client import HubUnreachableError
from flip_trust.agent.testing import FakeClient
from flip_trust.errors import ConsentError
from flip_trust.keys import load_identity
from flip_trust.ledger import store

from tests.trust.world import PROJECT, RADIUS, notice_of, wait_until


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


def announcer(trust, client, housekeeping=lambda: None, ran=None) -> Announcer:
    key = load_identity(trust.config)
    return Announcer(trust.config, trust.database, client, key, lambda: datetime.now(UTC), housekeeping, ran)


def notices(trust, client, kind):
    found = [notice_of(trust, jws) for jws in client.posted]
    return [notice for notice in found if isinstance(notice, kind)]


def test_signs_of_life_carry_the_ledgers_figures(trust, client):
    trust.opt_in()
    with trust.database.transaction() as transaction:
        store.debit(transaction, PROJECT, "j", (Debit("count", Pure(epsilon=0.5)),), "admission")
    announcer(trust, client).speak()

    (status,) = notices(trust, client, StatusNotice)
    (line,) = status.budgets
    assert (line.project_id, line.epsilon, line.releases) == (PROJECT, 10.0, 0)
    assert line.spent == pytest.approx(0.5, abs=1e-3)


def test_consents_that_the_hub_missed_are_told_later_and_once(trust, client):
    trust.opt_in()
    client.away = True
    with pytest.raises(HubUnreachableError):
        announcer(trust, client).speak()
    client.away = False
    for _ in range(2):
        announcer(trust, client).speak()

    (told,) = notices(trust, client, ConsentNotice)
    assert (told.project_id, told.state, told.epsilon) == (PROJECT, "opted_in", 10.0)
    assert consent.unannounced(trust.database) == []


def test_a_notice_that_the_hub_refuses_does_not_silence_the_trust(trust, client):
    trust.opt_in()
    client.refuses = {"consent"}
    announcer(trust, client).speak()
    assert len(notices(trust, client, StatusNotice)) == 1

    client.refuses = set()
    announcer(trust, client).speak()
    assert len(notices(trust, client, ConsentNotice)) == 1


def test_what_the_hub_says_of_projects_is_kept_and_an_absent_hub_takes_nothing_back(trust):
    wanted = project("one"), project("two")
    speaking = announcer(trust, FakeClient(wanted))
    speaking.ask()
    speaking.ask()
    away = FakeClient()
    away.away = True
    with pytest.raises(HubUnreachableError):
        announcer(trust, away).ask()

    assert {one.record for one in heard.every(trust.database)} == set(wanted)
    assert len(trust.events("projects.told")) == 1


def test_it_leaves_signs_of_life_that_say_whether_the_hub_is_there(trust):
    client = FakeClient((project("one"),))
    speaking = announcer(trust, client)
    speaking.start()
    wait_until(lambda: (last := pulse.read(trust.config.home)) is not None and last.asked_at != "")
    client.away = True
    wait_until(lambda: (last := pulse.read(trust.config.home)) is not None and last.trouble == "away")
    speaking.close()

    last = pulse.read(trust.config.home)
    assert last is not None
    assert last.reached_at < last.alive_at
    assert last.lives(datetime.now(UTC))


def project(name) -> ProjectForTrust:
    fields = {"title": "t", "lay_summary": "", "public_benefit": "", "researchers": (), "reviewers": ()}
    terms = {"job_kinds": ("train",), "epsilon": 3.0, "delta": 1e-5, "expires_at": "2030-01-01T00:00:00Z"}
    return ProjectForTrust(project_id=name, **fields, **terms)


def test_it_speaks_again_and_again_and_survives_an_absent_hub(trust, client):
    kept = []
    speaking = announcer(trust, client, lambda: kept.append(1))
    client.away = True
    speaking.start()
    wait_until(lambda: len(kept) > 1)
    client.away = False
    wait_until(lambda: len(client.posted) > 1)
    speaking.close()

    said = len(notices(trust, client, StatusNotice))
    assert len({notice.notice_id for notice in notices(trust, client, StatusNotice)}) == said


def test_a_catalogue_is_debited_noised_and_told(trust, client):
    notice = catalogue.compile_notice(trust.config, trust.database, 0.5, "sam", datetime.now(UTC))
    announcer(trust, client).speak()
    announcer(trust, client).speak()

    (told,) = notices(trust, client, CatalogueNotice)
    assert told.persons == notice.persons
    assert told.persons % 5 == 0
    assert abs(told.persons - 400) < 60
    assert store.spent(trust.database, 1e-5) == pytest.approx(0.5, abs=1e-3)
    assert trust.ledger()[0]["project_id"] is None


def test_a_twin_is_debited_with_its_catalogue_and_told(trust, client):
    declared = f"[[measurement]]\nconcept_id = {RADIUS}\nlow = 0\nhigh = 30\n"
    (trust.config.omop / "catalogue.toml").write_text(declared, encoding="utf-8")
    notice = catalogue.compile_notice(trust.config, trust.database, 0.5, "sam", datetime.now(UTC), 1.0)
    announcer(trust, client).speak()

    (told,) = notices(trust, client, CatalogueNotice)
    assert told.twin == notice.twin
    assert [line["purpose"] for line in trust.ledger()] == ["catalogue", "twin-cells", "twin-products"]
    assert sum(told.twin.columns[0].cells) == pytest.approx(400, abs=150)
    assert {column.kind for column in told.twin.columns} == {"age", "measurement", "condition"}


def test_a_twin_tells_of_images_for_the_same_debit(trust):
    """A Trust that has none tells of nobody's: whether it has any is not told by what is published."""
    at = datetime.now(UTC)
    notice = catalogue.compile_notice(trust.config, trust.database, 0.5, "sam", at, 1.0, twin_images=True)

    assert [part.told for part in notice.twin.images] == list(GRIDS)
    assert [line["purpose"] for line in trust.ledger()] == ["catalogue", "twin-cells", "twin-products"]
    assert max(notice.twin.images[0].cells) == notice.twin.images[0].cells[-1]


def test_a_data_set_under_the_floor_gets_no_twin(trust):
    strict = trust.with_config(floor=10_000)

    notice = catalogue.compile_notice(strict.config, strict.database, 0.5, "sam", datetime.now(UTC), 1.0)

    assert notice.persons is None
    assert notice.twin is None
    assert len(strict.ledger()) == 3


def test_a_catalogue_beyond_the_budget_is_not_made(trust):
    poor = trust.with_config(total_epsilon=0.1)

    with pytest.raises(ConsentError):
        catalogue.compile_notice(poor.config, poor.database, 0.5, "sam", datetime.now(UTC))
    assert trust.ledger() == []


def test_what_a_task_spent_is_told_at_once_and_a_task_that_spent_nothing_waits(trust, client):
    trust.opt_in()
    ran = threading.Event()
    speaking = announcer(trust.with_config(status_interval=600.0), client, ran=ran)
    speaking.start()
    wait_until(lambda: len(notices(trust, client, StatusNotice)) == 1)
    ran.set()
    wait_until(lambda: not ran.is_set())
    with trust.database.transaction() as transaction:
        store.debit(transaction, PROJECT, "j", (Debit("count", Pure(epsilon=0.5)),), "admission")
    ran.set()
    wait_until(lambda: len(notices(trust, client, StatusNotice)) == 2)
    speaking.close()

    _, told = notices(trust, client, StatusNotice)
    assert told.budgets[0].spent == pytest.approx(0.5, abs=1e-3)
