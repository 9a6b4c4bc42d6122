"""A Trust that demands that a person signed jobs off: which it takes, and what that cannot change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flip_sdk.contract.applications import DataAsked
from flip_sdk.contract.notices import ProjectForTrust
from flip_sdk.contract.tasks import RefusalCode
from flip_trust import heard

from tests.trust.test_admission import admitted, refusal
from tests.trust.world import NAME, PROJECT, count_spec, train_spec

PERSON = {"signed_off": "person", "signed_off_by": ("rufus",)}


def told(trust, **changes) -> None:
    """The hub tells the Trust of the project."""
    now = datetime.now(UTC)
    fields = {
        "project_id": PROJECT,
        "title": "Cytology",
        "lay_summary": "Cells.",
        "public_benefit": "Health.",
        "researchers": ("Ada",),
        "reviewers": ("Rufus", "Mina"),
        "job_kinds": ("count", "train"),
        "epsilon": 5.0,
        "delta": 1e-5,
        "expires_at": now + timedelta(days=30),
    }
    heard.keep(trust.database, [ProjectForTrust(**(fields | changes))], now)


def count(trust, job: dict):
    return trust.hub.parts(trust.hub.job(count_spec(), **job), "count")


def test_by_default_nothing_is_demanded(trust):
    trust.opt_in()
    assert admitted(trust, count(trust, {}))


def test_always_takes_what_a_person_signed_off_and_refuses_the_automatic(trust):
    trust.opt_in()
    told(trust)
    strict = trust.with_config(human_sign_off="always")
    assert refusal(strict, count(trust, {})) == RefusalCode.NEEDS_A_PERSON
    assert admitted(strict, count(trust, PERSON))


@pytest.mark.parametrize(
    "application",
    [{"job_kinds": ("train",)}, {"epsilon": 0.4}, None],
    ids=["another kind", "more epsilon", "nothing was told"],
)
def test_outside_of_the_envelope_a_person_is_demanded(trust, application):
    trust.opt_in()
    if application is not None:
        told(trust, **application)
    strict = trust.with_config(human_sign_off="outside_envelope")
    assert refusal(strict, count(trust, {})) == RefusalCode.NEEDS_A_PERSON
    assert admitted(strict, count(trust, PERSON))


def test_data_that_was_not_asked_of_this_trust_is_outside(trust):
    trust.opt_in()
    told(trust, data=(DataAsked(trust=NAME, what="Radius", why="To train", domains=("measurements",)),))
    strict = trust.with_config(human_sign_off="outside_envelope")
    assert admitted(strict, count(trust, {}))
    assert refusal(strict, trust.hub.prepare(trust.hub.job(train_spec()))) == RefusalCode.NEEDS_A_PERSON


def test_a_person_widens_nothing_that_was_opted_in_to(trust):
    trust.opt_in(job_kinds=("train",), epsilon=1.0)
    assert refusal(trust, count(trust, PERSON)) == RefusalCode.JOB_KIND_NOT_ALLOWED
    over = trust.hub.prepare(trust.hub.job(train_spec(), **PERSON))
    assert refusal(trust, over) == RefusalCode.BUDGET_EXCEEDED
