"""The worked example of docs/ledger.md comes out as it says."""

from __future__ import annotations

import doctest
from pathlib import Path

from flip_sdk.accounting.calibrate import debits_of
from flip_sdk.accounting.composition import alone, counted, epsilon_of
from flip_sdk.accounting.events import Pure
from flip_sdk.contract.jobs import DistributedNoise, Privacy

PAGE = Path(__file__).resolve().parents[1] / "docs" / "ledger.md"


def cost(debits, times: int = 1) -> float:
    return epsilon_of(dict.fromkeys(counted(debit.event for debit in debits), times), 1e-5)


def test_the_worked_example():
    done = doctest.testfile(str(PAGE), module_relative=False)

    assert (done.failed, done.attempted > 8) == (0, True)


def test_the_figures_in_words():
    assert round(cost(debits_of(Privacy(epsilon=1.0), rounds=20), times=10), 1) == 3.6
    assert round(epsilon_of({Pure(epsilon=0.1): 100}, 1e-5), 1) == 4.9
    shared = Privacy(epsilon=1.0, trust_model=DistributedNoise())
    for trusts, figure in ((3, 1.4), (4, 1.8), (16, 4.4)):
        events = counted(debit.event for debit in debits_of(shared, 20, trusts))
        assert round(epsilon_of(alone(events), 1e-5), 1) == figure
