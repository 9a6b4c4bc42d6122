"""How long does it take to decide whether a ledger of 10,000 events covers one more job?

Ours is the Trust's own: out of its database, grouped by event, both figures against their caps, soundly under adaptive
choice. The peer is what a ledger does that keeps no sums: compose every event anew with dp-accounting's Rényi
accountant. Both from the same rows, in the same run; ours once cold (nothing reckoned before) and then warm.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from dp_accounting.rdp import RdpAccountant
from flip_sdk.accounting import composition, gaussian, renyi
from flip_sdk.accounting.calibrate import Debit
from flip_sdk.accounting.caps import Cap
from flip_sdk.accounting.events import AnyEvent, Gaussian, PoissonGaussian, Pure, SharedGaussian
from flip_sdk.accounting.report import as_dp_event
from flip_trust.database import Database
from flip_trust.ledger import store, sums

from benchmarks.rows import Row

EVENTS, SAMPLED = 10_000, 100
DELTA = 1e-5
ROUNDS = 15
MOST_MILLISECONDS = 50.0
MOST_RATIO = 0.1
_NEXT = (Debit("train", Gaussian(noise_multiplier=12.5, steps=20)), Debit("count", Pure(epsilon=0.25)))


def run() -> Iterator[Row]:
    """Two rows: a decision warm, and the first one after a start."""
    events = list(ledger())
    with tempfile.TemporaryDirectory(prefix="flip-ledger-") as folder:
        database = Database.open(Path(folder) / "trust.db", create=True)
        with database.transaction() as transaction:
            for number, event in enumerate(events):
                store.debit(transaction, "p", f"job-{number}", [Debit("any", event)], "benchmark")
        cap = Cap(1000.0, DELTA, 4000.0)
        _forget()
        cold = _seconds(lambda: store.covers(database, _NEXT, cap, "p"))
        warm = median(_seconds(lambda: store.covers(database, _NEXT, cap, "p")) for _ in range(ROUNDS))
        naive = _seconds(lambda: _anew([*events, *(debit.event for debit in _NEXT)]))
        database.close()
    different = len(set(events))
    for name, ours in (("a decision", warm), ("the first decision", cold)):
        yield Row(
            f"ledger/milliseconds for {name} over {EVENTS} events, {different} different",
            1000 * ours,
            1000 * naive,
            "ms",
            ours / naive,
            f"<= {MOST_RATIO:g} of composing anew" + (f", < {MOST_MILLISECONDS:g} ms" if ours is warm else ""),
            ours / naive <= MOST_RATIO and (ours is not warm or 1000 * ours < MOST_MILLISECONDS),
        )


def ledger() -> Iterator[AnyEvent]:
    """Ten thousand debits of jobs of every kind, thousands of them different."""
    for i in range(EVENTS - SAMPLED):
        match i % 4:
            case 0:
                yield Pure(epsilon=0.01 + (i % 400) / 1e5)
            case 1:
                yield SharedGaussian(noise_multiplier=40 + i / 1000, honest=3, steps=20)
            case _:
                yield Gaussian(noise_multiplier=80 + (i % 5000) / 1000, steps=20)
    for i in range(SAMPLED):
        yield PoissonGaussian(noise_multiplier=8 + i / 100, sampling_rate=0.05, steps=100)


def _anew(events: list[AnyEvent]) -> float:
    accountant = RdpAccountant([*(1 + x / 10 for x in range(1, 100)), *(int(order) for order in renyi.WHOLE_ORDERS)])
    for event in events:
        accountant.compose(as_dp_event(event))
    return float(accountant.get_epsilon(DELTA))


def _forget() -> None:
    sums._kept.clear()
    for kept in (composition.stored_event, composition.epsilon_of_sum, renyi.of_sampled, gaussian.epsilon_at):
        kept.cache_clear()


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
