"""The bar: a model over four Trusts at ε = 3, δ = 1e-5 is good on people it never saw, by the product's own parts."""

from __future__ import annotations

from flip_sdk.accounting.calibrate import calibrate
from flip_sdk.accounting.composition import counted, epsilon_of
from flip_sdk.contract.features import Feature, Label
from flip_sdk.contract.jobs import ModelRef, Privacy, TrainSpec
from flip_sdk.contract.records import digest

from benchmarks.accuracy import DELTA, EPSILON, run


def test_ten_splits_hold_the_bar():
    rows = {row.name: row for row in run()}
    assert rows["accuracy/auc"].ours >= 0.98
    assert rows["accuracy/accuracy"].ours >= 0.94
    assert all(row.holds for row in rows.values())


def test_the_whole_job_costs_no_more_than_it_asks():
    spec = TrainSpec(
        project_id="p",
        features=(Feature(concept_id=1, low=0, high=1),),
        label=Label(condition_concept_ids=(1,)),
        model=ModelRef(graph=digest(b""), weights=digest(b"")),
        privacy=Privacy(epsilon=EPSILON, delta=DELTA),
    )
    spent = epsilon_of(counted(debit.event for debit in calibrate(spec)), DELTA)
    assert 0.99 * EPSILON < spent <= EPSILON
