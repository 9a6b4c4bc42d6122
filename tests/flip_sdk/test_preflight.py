from __future__ import annotations

from typing import Any

import pytest
from flip_sdk.accounting.events import Pure
from flip_sdk.contract.api import TrustBudget
from flip_sdk.contract.jobs import CountSpec
from flip_sdk.contract.notices import LedgerEntry, LedgerMirror
from flip_sdk.preflight import notes, violations


def budget(trust: str, **changes: Any) -> TrustBudget:
    fields: dict[str, Any] = {
        "trust": trust,
        "title": trust.title(),
        "consent": "opted_in",
        "online": True,
        "seen_at": None,
        "epsilon": 10.0,
        "delta": 1e-5,
        "spent": 0.0,
        "expires_at": None,
        "trust_models": ("local", "distributed"),
        "job_kinds": ("count", "train", "evaluate"),
        **changes,
    }
    return TrustBudget(**fields)


def after(spent: float, epsilon: float = 10.0) -> dict[str, LedgerMirror]:
    """A ledger of counts."""
    entries = (LedgerEntry(event=Pure(epsilon=spent), times=1),)
    return {"ledger": LedgerMirror(epsilon=epsilon, epsilon_alone=4 * epsilon, delta=1e-5, entries=entries)}


def count(epsilon: float = 0.5, trusts: tuple[str, ...] = ()) -> CountSpec:
    return CountSpec(project_id="p", epsilon=epsilon, trusts=trusts)


def rules(spec: CountSpec, *budgets: TrustBudget) -> list[str]:
    return [violation.rule for violation in violations(spec, budgets)]


def test_nothing_to_say() -> None:
    assert rules(count(), budget("a")) == []
    assert notes(count(), [budget("a")]) == []


def test_an_unknown_trust_suggests_the_nearest() -> None:
    found = violations(count(trusts=("aldgat",)), [budget("aldgate")])
    assert [v.rule for v in found] == ["unknown_trust"]
    assert "aldgate" in found[0].mend


@pytest.mark.parametrize("consent", ["none", "paused", "left"])
def test_nobody_opted_in(consent: str) -> None:
    assert rules(count(), budget("a", consent=consent, epsilon=None)) == ["not_opted_in"]
    assert rules(count(), budget("a", consent=consent), budget("b")) == []


def test_a_kind_nobody_allows() -> None:
    assert rules(count(), budget("a", job_kinds=("train",))) == ["not_opted_in"]


def test_more_than_any_budget() -> None:
    found = violations(count(epsilon=11), [budget("a"), budget("b", epsilon=2.0)])
    assert [v.rule for v in found] == ["budget_exceeded"]
    assert found[0].mend
    assert rules(count(), budget("a", **after(10.0))) == ["budget_exceeded"]


def test_a_job_that_composition_may_still_allow_is_sent() -> None:
    small = after(0.1)["ledger"].entries[0].model_copy(update={"times": 150})
    ledger = LedgerMirror(epsilon=10, epsilon_alone=40, delta=1e-5, entries=(small,))
    assert rules(count(epsilon=0.1), budget("a", ledger=ledger)) == []


def test_one_trust_that_cannot_is_a_note() -> None:
    budgets = [budget("a"), budget("b", **after(10.0))]
    assert rules(count(), *budgets) == []
    assert len(notes(count(), budgets)) == 1
    assert "b" in notes(count(), budgets)[0]


def test_offline_trusts_are_a_note() -> None:
    assert "b" in notes(count(), [budget("a"), budget("b", online=False)])[0]
    assert len(notes(count(), [budget("a", online=False)])) == 1
