"""Noise shares in a project: who may, what a job has to keep, what each Trust is handed, and what people read."""

from __future__ import annotations

from typing import Any

import pytest
from flip_hub.audit import export
from flip_hub.database import Consent, JobEventRow, Project
from flip_hub.governance import notices, trusts
from flip_hub.governance.consents import budgets
from flip_hub.governance.sharing import trust_model_words
from flip_hub.testing import SigningTrust
from flip_sdk.contract.jobs import DistributedNoise, Privacy, TrainSpec
from flip_sdk.contract.notices import PeerKey, fingerprint
from flip_sdk.errors import SpecError
from sqlalchemy import select

from tests.hub.governance.test_intake import _submit, _train

BOTH = ("local", "distributed")
FOUR = ("aldgate", "brookfield", "carrick", "dunmore")
TWO = DistributedNoise(min_honest=2)


@pytest.fixture
def four(hub):
    """A hub of four Trusts that all opted in, to local noise alone."""
    for name in FOUR[2:]:
        hub.trusts[name] = SigningTrust(name)
        enrolment = hub.trusts[name].enrolment
        trusts.enrol(hub.office.database, enrolment, fingerprint(enrolment), by="olga")
    hub.ready(trusts=FOUR)
    return hub


def accept(hub, *names: str, models: tuple[str, ...] = BOTH) -> None:
    for name in names:
        hub.notice(hub.trusts[name].consent("cytology", trust_models=models))


def shared(hub, model: DistributedNoise | None = None, **changes: Any):
    return _train(hub, privacy=Privacy(trust_model=model or DistributedNoise()), **changes)


def broken(hub, wanted) -> set[tuple[str, str]]:
    with pytest.raises(SpecError) as caught:
        _submit(hub, wanted)
    return {(violation.rule, violation.where) for violation in caught.value.violations}


def test_the_models_of_an_opt_in_are_mirrored(four) -> None:
    accept(four, "aldgate")
    with four.office.database.read() as session:
        assert session.get_one(Consent, ("aldgate", "cytology")).trust_models == list(BOTH)
        assert session.get_one(Consent, ("carrick", "cytology")).trust_models == ["local"]


def test_a_job_with_noise_shares_goes_to_those_who_accepted_it(four) -> None:
    accept(four, "aldgate", "brookfield", "dunmore")
    view = _submit(four, shared(four))
    assert view.trusts == ("aldgate", "brookfield", "dunmore")
    with four.office.database.read() as session:
        words = [row.words for row in session.scalars(select(JobEventRow)) if row.event == "job.signed_off"]
        entry = [e for e in export(session) if e["event"] == "job.signed_off"][-1]
    assert "3 Trusts share the noise; the guarantee needs 2 of them to be honest" in words[0]
    assert entry["details"]["trust_model"] == "distributed"
    assert entry["details"]["min_honest"] == 2


@pytest.mark.parametrize("willing", [("aldgate",), ("aldgate", "carrick")])
def test_noise_is_not_shared_among_fewer_than_three(four, willing) -> None:
    accept(four, *willing)
    assert broken(four, shared(four)) == {("too_few_trusts_for_sharing", "privacy.trust_model")}


def test_where_nobody_accepts_it_each_is_named(four) -> None:
    assert broken(four, shared(four)) == {("trust_model_not_accepted", "privacy.trust_model")}


def test_a_named_trust_that_did_not_accept_it_is_told(four) -> None:
    accept(four, "aldgate", "brookfield", "carrick")
    found = broken(four, shared(four, trusts=FOUR))
    assert found == {("trust_model_not_accepted", "privacy.trust_model")}


def test_no_more_can_be_honest_than_take_part(four) -> None:
    accept(four, "aldgate", "brookfield", "carrick")
    assert broken(four, shared(four, DistributedNoise(min_honest=4))) == {
        ("too_many_honest", "privacy.trust_model.min_honest")
    }
    assert _submit(four, shared(four, DistributedNoise(min_honest=3))).trusts == FOUR[:3]


def test_a_trust_that_accepts_shared_noise_alone_gets_no_local_job(four) -> None:
    accept(four, "carrick", models=("distributed",))
    assert "carrick" not in _submit(four, _train(four)).trusts


def test_a_trust_is_handed_the_keys_of_its_projects_other_trusts(four) -> None:
    aldgate = four.trusts["aldgate"]
    answer = notices.answer_projects(four.office.config, four.office.database, aldgate.request())
    others = (four.trusts[name] for name in FOUR[1:])
    assert answer[0].peers == tuple(PeerKey(trust=o.name, identity_key=o.key.public.x) for o in others)


def test_a_withdrawn_trusts_key_is_handed_to_nobody(four) -> None:
    trusts.withdraw(four.office.database, "carrick", by="olga")
    answer = notices.answer_projects(four.office.config, four.office.database, four.trusts["aldgate"].request())
    assert [peer.trust for peer in answer[0].peers] == ["brookfield", "dunmore"]


def test_people_read_on_whom_the_guarantee_depends(four) -> None:
    accept(four, *FOUR)
    view = _submit(four, shared(four, TWO))
    page = four.browser("ada").get(f"/services/flip/jobs/{view.job_id}").text
    assert "4 Trusts share the noise; the guarantee needs 2 of them to be honest" in page
    project = four.browser("ada").get("/services/flip/projects/cytology").text
    assert "local, distributed" in project
    spec = _train(four).spec
    assert isinstance(spec, TrainSpec)
    assert trust_model_words(spec, FOUR).startswith("Local: each Trust adds its full noise")


def test_the_budget_says_what_each_trust_accepts(four) -> None:
    accept(four, "dunmore")
    with four.office.database.read() as session:
        found = budgets(four.office.config, session, session.get_one(Project, "cytology"))
    assert {b.trust: b.trust_models for b in found} == {
        "aldgate": ("local",), "brookfield": ("local",), "carrick": ("local",), "dunmore": BOTH
    }  # fmt: skip
