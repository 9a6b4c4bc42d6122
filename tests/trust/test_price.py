"""``flip_sdk.pricing`` tells what the Trust's own admission debits: over random ledgers and jobs, at the real ledger.

The Trust's side is the real store on a real database file, opened anew where a program would have stopped.
"""

from __future__ import annotations

import contextlib
import math
import tempfile
from pathlib import Path

import pytest
from flip_sdk.accounting.calibrate import calibrate
from flip_sdk.accounting.caps import Cap
from flip_sdk.accounting.composition import alone, epsilon_of
from flip_sdk.contract.api import TrustBudget
from flip_sdk.contract.jobs import DPSGD, DistributedNoise, Privacy
from flip_sdk.contract.notices import LedgerMirror, TotalLine
from flip_sdk.pricing import prices
from flip_trust.agent.announcer import budget_lines, total_line
from flip_trust.database import Database
from flip_trust.errors import LedgerUnavailableError
from flip_trust.ledger import store
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.trust.test_admission import admitted
from tests.trust.world import PROJECT, count_spec, evaluate_spec, train_spec

TRUSTS = 4
NAME = "aldgate"
epsilons = st.floats(0.05, 6).map(lambda value: round(value, 2))
privacies = st.builds(
    Privacy,
    epsilon=epsilons,
    delta=st.sampled_from([1e-6, 1e-5]),
    mechanism=st.sampled_from([Privacy().mechanism, DPSGD(sampling_rate=0.2, local_steps=3), DPSGD(sampling_rate=1)]),
    scaling_share=st.sampled_from([0.0, 0.2, 0.5]),
)
jobs = st.one_of(
    epsilons.map(lambda epsilon: count_spec(epsilon=epsilon)),
    epsilons.map(lambda epsilon: evaluate_spec(epsilon=epsilon)),
    st.builds(lambda privacy, rounds: train_spec(privacy=privacy, rounds=rounds), privacies, st.integers(2, 40)),
    epsilons.map(
        lambda epsilon: train_spec(privacy=Privacy(epsilon=epsilon, trust_model=DistributedNoise(min_honest=3)))
    ),
)
caps = st.builds(
    lambda epsilon, factor: Cap(epsilon, 1e-5, factor * epsilon), st.floats(0.5, 30), st.sampled_from([1.0, 2.0, 4.0])
)


def budget(ledger: LedgerMirror) -> TrustBudget:
    """What the hub hands on."""
    return TrustBudget(
        trust=NAME,
        title=NAME,
        consent="opted_in",
        online=True,
        seen_at=None,
        epsilon=ledger.epsilon,
        delta=ledger.delta,
        spent=ledger.spent,
        expires_at=None,
        ledger=ledger,
    )


class Ledger(RuleBasedStateMachine):
    """A Trust whose ledger takes job after job, and stops at any moment."""

    @initialize(project=caps, total=caps)
    def begin(self, project: Cap, total: Cap) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.database = Database.open(Path(self.folder.name) / "trust.db", create=True)
        self.project, self.total, self.number = project, total, 0

    def teardown(self) -> None:
        self.database.close()
        self.folder.cleanup()

    @rule(spec=jobs, crash=st.booleans(), other=st.booleans())
    def ask(self, spec, crash: bool, other: bool) -> None:
        """A job arrives, of this project or of another one; the program may stop before it is written."""
        self.number += 1
        cap = Cap(1e9, 1e-5, 1e9) if other else self.project
        name = "other" if other else "p"
        told = self.told(name, cap)
        price = prices(spec, [told] * TRUSTS)[0]
        admitted = self.admit(spec, name, cap, crash=crash)
        assert price.exact
        assert price.admitted == (admitted is not None)
        if admitted:
            after = store.mirror(self.database, cap, name)
            assert price.project.stated.after == after.spent
            assert price.project.alone.after == after.spent_alone
            assert price.total.stated.after == store.spent(self.database, self.total.delta)

    def admit(self, spec, name: str, cap: Cap, *, crash: bool) -> bool | None:
        """As admission does; None where a budget does not cover it."""
        debits = calibrate(spec, TRUSTS)
        with self.database.transaction() as transaction:
            if not (store.covers(transaction, debits, cap, name) and store.covers(transaction, debits, self.total)):
                return None
        if crash:
            self.stop_while_writing(debits, name)
            return False
        with self.database.transaction() as transaction:
            store.debit(transaction, name, f"job-{self.number}", debits, "test")
        return True

    def stop_while_writing(self, debits, name: str) -> None:
        """The program ends inside its transaction: nothing of it is there afterwards."""
        before = store.lines(self.database)
        with contextlib.suppress(KeyboardInterrupt), self.database.transaction() as transaction:
            store.debit(transaction, name, f"job-{self.number}", debits, "test")
            raise KeyboardInterrupt
        self.database.close()
        self.database = Database.open(Path(self.folder.name) / "trust.db")
        assert store.lines(self.database) == before

    def told(self, name: str, cap: Cap) -> TrustBudget:
        """What the hub has been told, over the wire and back."""
        ledger = LedgerMirror.parse(store.mirror(self.database, cap, name).canonical())
        total = TotalLine(**dict(store.mirror(self.database, self.total)), max_epsilon_per_job=100.0)
        return budget(ledger).model_copy(update={"total": TotalLine.parse(total.canonical())})

    @invariant()
    def never_over_a_cap(self) -> None:
        """Whatever was asked, in whatever order, what is in the ledger is within both caps of both ledgers."""
        if not hasattr(self, "database"):
            return
        for name, cap in (("p", self.project), (None, self.total)):
            events = store.events_of(self.database, name)
            assert epsilon_of(events, cap.delta) <= cap.epsilon
            assert epsilon_of(alone(events), cap.delta) <= cap.epsilon_alone
            assert not math.isnan(epsilon_of(events, cap.delta))


TestLedger = Ledger.TestCase
TestLedger.settings = settings(
    max_examples=15, stateful_step_count=12, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.parametrize("spec", [count_spec(), evaluate_spec(), train_spec()], ids=lambda spec: spec.kind)
def test_admission_debits_the_price(trust, spec):
    """The same from end to end: what the Trust announces, what the researcher is told, what admission then writes."""
    trust.opt_in()
    earlier = trust.hub.job(count_spec(epsilon=0.7))
    admitted(trust, trust.hub.parts(earlier, "count"))
    (line,) = budget_lines(trust.database)
    told = budget(LedgerMirror(**{name: getattr(line, name) for name in LedgerMirror.model_fields}))
    (price,) = prices(spec, [told.model_copy(update={"total": total_line(trust.database, trust.config)})])
    parts = {"count": lambda job: trust.hub.parts(job, "count"), "evaluate": trust.hub.evaluate}
    admitted(trust, parts.get(spec.kind, trust.hub.prepare)(trust.hub.job(spec)))

    assert price.admitted
    assert price.project.stated.after == store.spent(trust.database, 1e-5, PROJECT)
    assert price.total.stated.after == store.spent(trust.database, 1e-5)


def test_a_full_disk_debits_nothing(trust):
    trust.database.close()
    with pytest.raises(LedgerUnavailableError), trust.database.transaction() as transaction:
        store.debit(transaction, "p", "job", calibrate(count_spec()), "test")
