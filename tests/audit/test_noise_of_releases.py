"""The noise of what leaves, looked at directly: its size, and that no two releases share any of it.

Reuse of random numbers is what a canary's score can miss. Thresholds are at 5.5 standard errors and more: each test
fails by chance once in ten million runs.
"""

from __future__ import annotations

import ast
import importlib.util
import math
import subprocess
import sys
from pathlib import Path

import grimp
import numpy as np
import pytest
from flip_sdk.mechanisms.noise import discrete_laplace
from flip_trust.engine import EnginePool, sandbox_available
from scipy.stats import chisquare

from tests.audit.canaries import DP_SGD, crowd

FEW = 20
BOTH = ("full_batch", "dp_sgd")


def noise_of(bench, releases, round_=1):
    """``[releases, canaries]``: released numbers of canaries that took no part, in units of the promised noise."""
    session = bench.session(crowd(np.arange(bench.count) < FEW))
    drawn = np.array([bench.release(session, round_) for _ in range(releases)])
    return drawn[:, FEW:] / bench.noise


def unrelated(one, other):
    """Neither the same numbers in the same places nor numbers that go together."""
    return (one == other).mean() < 0.02 and abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 5.5 / math.sqrt(
        one.size
    )


@pytest.mark.parametrize("mechanism", BOTH)
def test_it_has_its_size_within_two_percent(bench, mechanism):
    drawn = noise_of(bench(mechanism), 40)
    assert drawn.std() == pytest.approx(1.0, rel=0.02)
    assert abs(drawn.mean()) < 5.5 / math.sqrt(drawn.size)


@pytest.mark.parametrize("mechanism", BOTH)
def test_no_two_steps_share_it(bench, mechanism):
    drawn = noise_of(bench(mechanism), 20)
    assert unrelated(drawn[::2], drawn[1::2])
    between = np.corrcoef(drawn)[~np.eye(len(drawn), dtype=bool)]
    assert np.abs(between).max() < 6.5 / math.sqrt(drawn.shape[1])


@pytest.mark.parametrize("mechanism", BOTH)
def test_nor_do_two_numbers_of_one_release(bench, mechanism):
    drawn = noise_of(bench(mechanism), 20)
    assert abs(np.corrcoef(drawn[:, :-1].ravel(), drawn[:, 1:].ravel())[0, 1]) < 5.5 / math.sqrt(drawn[:, 1:].size)


@pytest.mark.parametrize("mechanism", BOTH)
def test_nor_do_two_trusts_that_get_the_same_orders(bench, mechanism):
    assert unrelated(noise_of(bench(mechanism), 20), noise_of(bench(mechanism, number=1), 20))


def test_nor_do_workers_one_after_the_other(bench, tmp_path):
    """Real ones: DP-SGD draws its noise inside the worker."""
    one = bench("dp_sgd")
    people = crowd(np.arange(one.count) < FEW)
    weights = one.accepted[1].verified.weights
    drawn = []
    sandbox = "bubblewrap" if sandbox_available() else "none"
    with EnginePool(tmp_path / "slots", sandbox, spare=2, settle=0.0) as pool:
        for _ in range(2):
            session = pool.open(people, one.bounds, one.exported.graph)
            raw = session.dp_sgd(weights, None, "mse", DP_SGD, 1.0, expected_persons=1000.0)
            drawn.append(raw.tensors["layer.weight"].ravel()[FEW:])
            session.close()
    assert unrelated(*drawn)


def test_nor_does_a_process_that_was_forked():
    code = (
        "import os, numpy as np\n"
        "from flip_sdk.mechanisms.noise import gaussian, discrete_gaussian, discrete_laplace, uniform\n"
        "def draw():\n"
        "    zeros = np.zeros(12, dtype=np.int64)\n"
        "    whole = (discrete_laplace(zeros, 1e6), discrete_gaussian((12,), 1e6))\n"
        "    return [tuple(one.tolist()) for one in (gaussian((12,), 1.0), uniform(12), *whole)]\n"
        "draw()\n"
        "for _ in range(2):\n"
        "    if os.fork() == 0:\n"
        "        print(draw(), flush=True); os._exit(0)\n"
        "    os.wait()\n"
        "print(draw())\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.splitlines()
    drawn = [ast.literal_eval(line) for line in said]
    assert len(drawn) == 3
    for kind in zip(*drawn, strict=True):
        assert len(set(kind)) == 3


@pytest.mark.parametrize("scale", [0.5, 2.0, 10.0])
def test_discrete_laplace_noise_has_its_distribution(scale):
    drawn = discrete_laplace(np.zeros(15_000, dtype=np.int64), scale)
    edge = int(6 * scale)
    q = math.exp(-1 / scale)
    counts = np.bincount(np.clip(drawn, -edge, edge) + edge, minlength=2 * edge + 1)
    expected = (1 - q) / (1 + q) * q ** np.abs(np.arange(-edge, edge + 1))
    expected[[0, -1]] = q**edge / (1 + q)
    assert chisquare(counts, expected * drawn.size).pvalue > 1e-7


# fmt: off
_SEEDED = {
    "random", "default_rng", "RandomState", "Generator", "SeedSequence", "manual_seed", "initial_seed", "seed", "rvs",
    "rand", "randn", "randint", "rand_like", "randn_like", "randint_like", "randperm", "torch.normal", "multinomial",
    "torch.bernoulli", "bernoulli_", "normal_", "uniform_", "random_", "exponential_", "geometric_", "log_normal_",
}
# fmt: on
_WHOLE = ("flip_trust", "flip_sdk.mechanisms", "flip_sdk.secure_sum")


def at_a_trust():
    """Modules that a Trust's programs can load, and all that releases are made with, loaded there or not."""
    graph = grimp.build_graph("flip_trust", "flip_sdk", cache_dir=None)
    # the SDK's front door is the researcher's: what a Trust needs of the SDK it imports from where it is
    for imported in graph.find_modules_directly_imported_by("flip_sdk"):
        graph.remove_import(importer="flip_sdk", imported=imported)
    whole = {module for module in graph.modules if module.startswith(_WHOLE)}
    return whole | graph.find_upstream_modules("flip_trust", as_package=True)


def names_in(module):
    for node in ast.walk(ast.parse(Path(importlib.util.find_spec(module).origin).read_text())):
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=name):
                yield from (f"{owner}.{name}", name)
            case ast.Attribute(attr=name) | ast.Name(id=name):
                yield name
            case ast.alias(name=name):
                yield from name.split(".")
            case ast.ImportFrom(module=str(name)):
                yield from name.split(".")


def test_nothing_but_the_operating_systems_generator_is_ever_used():
    """By name: ``random``, numpy's and torch's generators are nowhere in what runs at a Trust.

    A simulation makes up its people from a seed: it is in nothing's reach there, or it would be found here.
    """
    modules = at_a_trust()
    assert {"flip_sdk.mechanisms.noise", "flip_sdk.secure_sum.masking", "flip_trust.engine.worker"} <= modules
    used = {(module, name) for module in modules for name in names_in(module) if name in _SEEDED}
    # dropout's masks are no release: torch's generator is seeded with the system's random numbers, once, at the start
    assert used == {("flip_trust.engine.worker", "manual_seed")}


def sampled_afresh(bench):
    """Whether the scores of those who take part are spread as coins thrown anew at each step spread them."""
    included = np.arange(bench.count) % 2 == 0
    scores = bench.scores(crowd(included))
    rate, multiplier = DP_SGD.sampling_rate, bench.event.noise_multiplier
    expected = math.sqrt(1 + rate * (1 - rate) / multiplier**2)
    found = scores[included].std() / scores[~included].std()
    return abs(math.log(found / expected)) < 5.5 * math.sqrt(2 / bench.count)


def test_who_takes_part_in_a_step_is_decided_anew(bench):
    assert sampled_afresh(bench("dp_sgd"))


def test_dp_sgd_as_audited_is_what_the_job_asked_for(bench):
    mechanism = bench("dp_sgd").accepted[1].verified.job.spec.privacy.mechanism
    assert mechanism == DP_SGD
