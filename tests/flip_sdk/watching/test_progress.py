from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from flip_sdk.accounting.price import Figures, Price
from flip_sdk.contract.api import JobEvent, JobEvents, JobView, RefusalView
from flip_sdk.contract.states import JobState
from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.pricing import TrustPrice
from flip_sdk.watching.progress import Progress

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def view(**changes: Any) -> JobView:
    fields: dict[str, Any] = {
        "job_id": "j1",
        "project_id": "p",
        "kind": "train",
        "state": JobState.EXECUTING,
        "rounds": 4,
        "trusts": ("a", "b"),
        "submitted_by": "ada",
        "submitted_at": NOW,
        **changes,
    }
    return JobView(**fields)


def event(sequence: int, **changes: Any) -> JobEvent:
    return JobEvent(sequence=sequence, at=NOW, event=changes.pop("event", "round"), **changes)


def page(job: JobView, *events: JobEvent) -> JobEvents:
    return JobEvents(job=job, events=events)


def test_rounds_make_the_curve_and_the_share() -> None:
    progress = Progress(view())
    events = [event(i, round=i, numbers={"loss": 1 / i, "seconds": 0.2, "trusts": 2}) for i in (1, 2)]
    progress.take(page(view(round=2), *events))
    assert progress.curve == [(1, 1.0), (2, 0.5)]
    assert progress.curve_name == "loss"
    assert progress.share == 0.5
    assert not progress.ended


def test_another_number_serves_where_there_is_no_loss() -> None:
    progress = Progress(view())
    progress.take(page(view(), event(1, numbers={"trusts": 2, "persons": 300}), event(2, numbers={"step_norm": 0.3})))
    assert progress.curve_name == "step_norm"
    assert len(progress.curve) == 1


def test_a_job_that_waits_for_a_person_says_so_and_until_when() -> None:
    progress = Progress(view(state=JobState.VALIDATED, rounds=1, reason="A reviewer decides until 8 December."))
    assert progress.headline == "train: waiting for a reviewer's decision. A reviewer decides until 8 December."
    assert not progress.ended


def test_an_event_seen_twice_counts_once() -> None:
    progress = Progress(view())
    again = page(view(), event(1, round=1, numbers={"loss": 1.0}))
    progress.take(again)
    progress.take(again)
    assert len(progress.curve) == 1
    assert progress.fresh == ()


def test_what_each_trust_last_did() -> None:
    progress = Progress(view())
    assert set(progress.trusts) == {"a", "b"}
    progress.take(page(view(), event(1, event="update", trust="a", words="a answered.")))
    assert progress.trusts["a"] == "answered."


def test_a_trusts_numbers_are_not_in_the_curve() -> None:
    progress = Progress(view())
    progress.take(page(view(), event(1, trust="a", numbers={"loss": 1.0})))
    assert progress.curve == []


def test_a_refusal_is_what_remains_of_a_trust() -> None:
    refusal = RefusalView(trust="b", code=RefusalCode.BUDGET_EXCEEDED, words="No budget.")
    progress = Progress(view())
    progress.take(page(view(refusals=(refusal,)), event(1, trust="b", words="b was asked.")))
    assert "No budget." in progress.trusts["b"]


@pytest.mark.parametrize("state", list(JobState))
def test_every_state_has_a_headline(state: JobState) -> None:
    progress = Progress(view(state=state))
    assert progress.headline
    assert progress.failed == (state in {JobState.FAILED, JobState.CANCELLED, JobState.REJECTED})
    assert (progress.share == 1.0) == (state == JobState.COMPLETED)


def test_the_cost_says_what_is_spent_then() -> None:
    figures = Figures(job=3.0, before=0.5, after=3.4, cap=10.0)
    price = Price(figures, Figures(5.0, 0.5, 5.4, 40.0), shared=True, admitted=True)
    progress = Progress(view(), epsilon=3.0, prices=[TrustPrice("aldgate", price)])
    assert "ε 3, 5 if every other Trust worked with the hub" in progress.cost
    assert "aldgate 3.4 of 10 (5.4 of 40 alone)" in progress.cost
    assert Progress(view()).cost == ""
