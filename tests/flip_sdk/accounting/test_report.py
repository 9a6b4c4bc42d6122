from __future__ import annotations

import subprocess
import sys

import pytest
from flip_sdk.accounting.report import report
from flip_sdk.contract.jobs import DPSGD, DistributedNoise, Privacy

from tests.trust.world import count_spec, train_spec


@pytest.mark.parametrize("epsilon", [1.0, 8.0])
def test_a_sampled_job_costs_less_than_is_debited(epsilon):
    spec = train_spec(privacy=Privacy(epsilon=epsilon, mechanism=DPSGD(sampling_rate=0.05, local_steps=5)), rounds=20)
    told = report(spec)

    assert told.debited == pytest.approx(epsilon, rel=5e-3)
    assert 0.6 * epsilon < told.tight < 0.95 * told.debited
    assert told.alone == told.tight


def test_a_full_batch_job_is_told_at_the_whole_of_delta():
    told = report(train_spec(privacy=Privacy(epsilon=3.0)))

    assert told.debited == pytest.approx(3.0, rel=1e-6)
    assert 2.8 < told.tight < 3.0


def test_shared_noise_has_two_figures():
    told = report(train_spec(privacy=Privacy(epsilon=3.0, trust_model=DistributedNoise())), trusts=4)

    assert told.tight < 3.0 < told.alone
    assert "if every other Trust worked with the hub" in str(told)


def test_in_words():
    assert str(report(count_spec(epsilon=0.5))) == "ε 0.5 debited, 0.5 at the least (δ 1e-05, unit: person)"


def test_a_count_is_a_count():
    told = report(count_spec(epsilon=0.5))

    assert told.tight == told.debited == pytest.approx(0.5, abs=1e-3)


def test_what_only_reports_is_loaded_when_it_is_asked_for():
    """Commands start without the libraries that only an accountant needs."""
    program = (
        "import sys, flip_trust.cli, flip_hub.governance.rules, flip_sdk.project, flip_sdk.accounting.report;"
        "print([name for name in ('scipy', 'dp_accounting') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
