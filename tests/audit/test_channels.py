"""What else of a release could carry data out, beside its numbers: its size, its words, what is computed, and when.

Time itself is not measured: what is asserted is that the same operations on the same shapes are carried out whatever
the values are, that no tiny number slows a processor down, and that nothing ends early. What time does tell is how many
people there are, roughly: see ``docs/audit.md``.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pytest
import torch
from flip_sdk.mechanisms.fed import Fed
from flip_sdk.mechanisms.gradients import clipped_sum
from flip_sdk.mechanisms.model import rebuild
from flip_sdk.models.importing import read_weights
from flip_trust.agent import run_task
from flip_trust.disclosure.protect import protect
from torch.utils._python_dispatch import TorchDispatchMode

from tests.audit.canaries import crowd
from tests.flip_sdk.models.zoo import FEATURES, GOOD
from tests.trust.engine.cases import model

HOSTILE = (np.nan, np.inf, 3e38, 1e-45, 0.0)


@pytest.mark.parametrize("mechanism", ["full_batch", "dp_sgd"])
def test_a_release_has_one_size_and_one_form_whatever_the_data_are(bench, mechanism):
    one = bench(mechanism)
    forms = set()
    for count in (0, 1, 500, 1000):
        session = one.session(crowd(np.arange(one.count) < count))
        raw = run_task._engine(one.accepted[1], None, session)
        made = protect(one.accepted[1], raw, one.trust.config, datetime(2026, 1, 1, tzinfo=UTC))
        same = made.update.model_dump(exclude={"tensors"})
        forms.add((len(made.tensors), len(made.update.canonical()), repr(same)))
    assert len(forms) == 1


class Watched(TorchDispatchMode):
    """Notes down every operation and the shapes it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        # only how many persons count as zero, because their gradients are not finite, is in a shape
        counted = "nonzero" in str(function) or "index_fill" in str(function)
        shapes = () if counted else tuple(tuple(one.shape) for one in args if isinstance(one, torch.Tensor))
        self.seen.append((str(function), shapes))
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", sorted(GOOD))
def test_the_same_operations_are_carried_out_whatever_the_values_are(name):
    exported, loss = model(name)
    engine = rebuild(exported.graph, FEATURES)
    weights = read_weights(engine.record, exported.weights)
    people = np.random.default_rng(0).normal(size=(40, FEATURES))
    seen = []
    for poison in (1.0, *HOSTILE):
        changed = people.copy()
        changed[::7] = poison
        with Watched() as watched:
            clipped_sum(engine, weights, Fed(changed, np.zeros(40, dtype=np.int64)), loss, 0.5)
        seen.append(_but_views(watched.seen))
    assert all(one == seen[0] for one in seen)


def _but_views(operations):
    # selecting the persons that count as zero makes a view, which costs nothing
    return [one for one in operations if "select" not in one[0] and "alias" not in one[0]]


def test_tiny_numbers_do_not_slow_a_worker_down():
    code = (
        "from flip_trust.engine.worker import _warm_up; _warm_up()\n"
        "import numpy as np, torch\n"
        "tiny = np.full(64, 3e-308)\n"
        "assert not (tiny / 16).any(), 'numpy'\n"
        "assert not (torch.full((64,), 2e-38) / 16).any(), 'torch'\n"
        "print('flushed')\n"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"flushed\n"
