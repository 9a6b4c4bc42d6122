from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flip_sdk.contract.tasks import RefusalCode
from flip_trust import consent
from flip_trust.consent import Terms
from flip_trust.errors import ConsentError, RefusedError
from flip_trust.job_rules import JobRules

from tests.trust.world import PROJECT, count_spec, evaluate_spec, train_spec

NOW = datetime.now(UTC)
TERMS = Terms(("count", "train"), 5.0, 1e-5, NOW + timedelta(days=1))


SPECS = {"count": count_spec, "train": train_spec, "evaluate": evaluate_spec}


def required(trust, kind="count", now=NOW):
    return JobRules().require(trust.database, trust.hub.job(SPECS[kind]()), now, begun=False)


def test_an_opt_in_holds_for_its_kinds_until_its_end(trust):
    consent.opt_in(trust.database, PROJECT, TERMS, "sam")

    assert required(trust).terms == TERMS
    for kind, now, code in (
        ("evaluate", NOW, RefusalCode.JOB_KIND_NOT_ALLOWED),
        ("count", TERMS.expires_at, RefusalCode.CONSENT_EXPIRED),
    ):
        with pytest.raises(RefusedError) as caught:
            required(trust, kind, now)
        assert caught.value.refusal == code


def test_pause_resume_leave_and_back(trust):
    consent.opt_in(trust.database, PROJECT, TERMS, "sam")
    consent.pause(trust.database, PROJECT, "sam")
    with pytest.raises(RefusedError):
        required(trust)
    assert consent.resume(trust.database, PROJECT, "sam").terms == TERMS
    assert required(trust)
    consent.leave(trust.database, PROJECT, "sam")
    with pytest.raises(RefusedError):
        required(trust)
    consent.opt_in(trust.database, PROJECT, TERMS, "sam")
    assert required(trust)


def test_decisions_that_cannot_be(trust):
    for change in (consent.pause, consent.resume, consent.leave):
        with pytest.raises(ConsentError):
            change(trust.database, PROJECT, "sam")
    with pytest.raises(ConsentError):
        consent.opt_in(trust.database, PROJECT, Terms((), 1.0, 1e-5, NOW + timedelta(days=1)), "sam")
    with pytest.raises(ConsentError):
        consent.opt_in(trust.database, PROJECT, Terms(("count",), 1.0, 1e-5, NOW - timedelta(days=1)), "sam")
    assert consent.every(trust.database) == []


def test_every_decision_is_audited_with_who_and_what(trust):
    consent.opt_in(trust.database, PROJECT, TERMS, "sam")
    consent.pause(trust.database, PROJECT, "kim")

    (opted,), (paused,) = trust.events("consent.opted_in"), trust.events("consent.paused")
    assert (opted["actor"], paused["actor"]) == ("steward/sam", "steward/kim")
    assert opted["details"]["epsilon"] == 5.0


def test_a_decision_stays_to_be_announced_until_the_hub_took_note_of_it(trust):
    first = consent.opt_in(trust.database, PROJECT, TERMS, "sam")
    second = consent.pause(trust.database, PROJECT, "sam")
    consent.announced(trust.database, first)
    assert [decision.state for decision in consent.unannounced(trust.database)] == ["paused"]

    consent.announced(trust.database, second)
    assert consent.unannounced(trust.database) == []


def test_a_new_opt_in_changes_the_terms(trust):
    consent.opt_in(trust.database, PROJECT, TERMS, "sam")
    consent.opt_in(trust.database, PROJECT, Terms(("count",), 2.0, 1e-6, TERMS.expires_at), "sam")

    assert required(trust).terms.epsilon == 2.0
    assert len(consent.every(trust.database)) == 1
