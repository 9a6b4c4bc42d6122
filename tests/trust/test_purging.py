"""A closed project is purged at a Trust: by a signed order, once, never so that an answer is computed anew."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

import pytest
from flip_sdk.contract.closing import PurgeOrder
from flip_sdk.contract.notices import PurgeNotice
from flip_sdk.contract.signatures import SigningKey
from flip_sdk.errors import SignatureError
from flip_trust import consent, purging
from flip_trust.agent.announcer import Announcer
from flip_trust.agent.hub_client import HubUnreachableError
from flip_trust.agent.testing import FakeClient
from flip_trust.keys import load_identity

from tests.trust.world import NAME, PROJECT, Hub, notice_of

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
JOB, OTHER = "job-1", "job-2"


def _kept(trust, job_id: str, project: str, state: str = "ended") -> None:
    """What a job leaves behind: a frozen cohort, an answer, a number that was told."""
    folder = trust.config.jobs / job_id
    folder.mkdir(parents=True)
    (folder / "cohort.npy").write_bytes(b"rows")
    at = NOW.isoformat()
    with trust.database.transaction() as transaction:
        transaction.write(
            purging.Entry("tests", "job.made", f"job/{job_id}"),
            ("INSERT INTO job VALUES (?, ?, 'count', '{}', ?, NULL, ?, ?)", (job_id, project, state, at, at)),
            ("INSERT INTO release VALUES (?, 'count', 0, 'i', NULL, ?, NULL, ?, 0)", (job_id, b"answer", at)),
            ("INSERT INTO told_count VALUES (?, 'sha256:0', 40, 1.0, 10, ?)", (project, at)),
            ("INSERT INTO seen_job VALUES (?, ?, '{}', 41, ?)", (job_id, project, at)),
        )


def _order(hub: Hub, trust: str = NAME, key: SigningKey | None = None, at: datetime = NOW) -> str:
    record = PurgeOrder(trust=trust, project_id=PROJECT, order_id="order-1", issued_at=at)
    return (key or hub.governance).sign(record)


def _announcer(trust, client: FakeClient) -> Announcer:
    return Announcer(trust.config, trust.database, client, load_identity(trust.config), lambda: NOW, lambda: None)


def _answers(trust, client: FakeClient) -> list[PurgeNotice]:
    found = [notice_of(trust, jws) for jws in client.posted]
    return [notice for notice in found if isinstance(notice, PurgeNotice)]


def test_what_was_kept_for_the_project_alone_is_deleted_and_told(trust, hub) -> None:
    trust.opt_in()
    _kept(trust, JOB, PROJECT)
    _kept(trust, OTHER, "another-project")
    client = FakeClient()
    client.orders = [_order(hub)]
    _announcer(trust, client).purge()
    (answer,) = _answers(trust, client)
    counts = {item.what: item.count for item in answer.items}
    assert (counts["files of frozen cohorts"], counts["answers kept to be sent again"]) == (1, 1)
    assert (counts["numbers of persons told"], counts["exact sizes of cohorts"]) == (1, 1)
    sizes = trust.database.read("SELECT job_id, persons FROM seen_job ORDER BY job_id")
    assert [tuple(row.values()) for row in sizes] == [(JOB, None), (OTHER, 41)]
    assert not (trust.config.jobs / JOB).exists()
    assert (trust.config.jobs / OTHER / "cohort.npy").exists()
    rows = trust.database.read("SELECT job_id, refusal, record FROM release ORDER BY job_id")
    assert [tuple(row.values()) for row in rows] == [(JOB, "not_opted_in", None), (OTHER, None, b"answer")]
    assert [row["project_id"] for row in trust.database.read("SELECT * FROM told_count")] == ["another-project"]
    standing = consent.standing(trust.database, PROJECT)
    assert standing is not None
    assert (standing.state, standing.announced) == ("left", False)
    events = [row["event"] for row in trust.database.read("SELECT event FROM audit ORDER BY sequence")]
    assert events[-2:] == ["consent.left", "project.purged"]


def test_an_answer_that_was_lost_is_given_again_as_it_was(trust, hub) -> None:
    _kept(trust, JOB, PROJECT)
    client = FakeClient()
    client.orders = [_order(hub)]
    for _ in range(2):
        _announcer(trust, client).purge()
    first, second = _answers(trust, client)
    assert (first.items, first.purged_at) == (second.items, second.purged_at)
    assert first.notice_id != second.notice_id
    client.away = True
    with pytest.raises(HubUnreachableError):
        _announcer(trust, client).purge()


def test_nothing_is_purged_while_a_job_runs(trust, hub) -> None:
    trust.opt_in()
    _kept(trust, JOB, PROJECT, state="running")
    client = FakeClient()
    client.orders = [_order(hub)]
    _announcer(trust, client).purge()
    assert _answers(trust, client) == []
    assert (trust.config.jobs / JOB).exists()
    standing = consent.standing(trust.database, PROJECT)
    assert standing is not None
    assert standing.state == "left"


def test_only_the_hubs_fresh_order_for_this_trust_is_obeyed(trust, hub) -> None:
    _kept(trust, JOB, PROJECT)
    wrong = (
        _order(hub, key=hub.dispatcher),
        _order(hub, key=SigningKey.generate()),
        _order(hub, trust="brookfield"),
        _order(hub, at=NOW - timedelta(days=1)),
        secrets.token_hex(8),
    )
    for jws in wrong:
        client = FakeClient()
        client.orders = [jws]
        with pytest.raises(SignatureError):
            _announcer(trust, client).purge()
    assert (trust.config.jobs / JOB).exists()
