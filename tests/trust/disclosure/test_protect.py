from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import numpy as np
import pytest
from flip_sdk.contract.jobs import DPSGD, Privacy
from flip_sdk.contract.prepare import longest, weight_of_count
from flip_sdk.contract.records import digest
from flip_sdk.mechanisms.floors import CHANCE, gaussian_threshold, laplace_threshold
from flip_sdk.mechanisms.noise import discrete_laplace, gaussian
from flip_trust.admission import admit
from flip_trust.agent.serve import grounds_of
from flip_trust.cohort.omop import Omop
from flip_trust.disclosure.protect import ProtectedUpdate, noisy_persons, protect, repeat
from flip_trust.engine.records import RawUpdate
from flip_trust.errors import DisclosureError, RefusedError
from flip_trust.verify import verify_task
from safetensors.numpy import load

from tests.trust.world import GRAPH, NAME, count_spec, evaluate_spec, train_spec

NOW = datetime.now(UTC)


def accepted(trust, spec, step):
    trust.opt_in(epsilon=500.0)
    trust = trust.with_config(max_epsilon_per_job=500.0, total_epsilon=5000.0)
    job = trust.hub.job(spec)

    def through(parts):
        verified = verify_task(parts, hub=trust.hub.pinned, trust=NAME, now=datetime.now(UTC), seen=lambda _: False)
        grounds = grounds_of(trust.config, Omop(trust.config.omop), sandboxed=True)
        return admit(verified, database=trust.database, config=trust.config, grounds=grounds, now=NOW)

    if step == "count":
        return through(trust.hub.parts(job, "count"))
    if step == "evaluate":
        return through(trust.hub.evaluate(job))
    prepared = through(trust.hub.prepare(job))
    if step == "prepare":
        return prepared
    with trust.database.transaction() as transaction:
        from flip_trust.audit import Entry

        transaction.write(
            Entry("test", "prepared", f"job/{job.job_id}"),
            ("UPDATE job SET persons = 280 WHERE job_id = ?", (job.job_id,)),
            ("INSERT INTO release VALUES (?, 'prepare', 0, 'x', NULL, X'00', NULL, '', 0)", (job.job_id,)),
        )
    return through(trust.hub.train(job, graph=GRAPH))


def tensors(protected: ProtectedUpdate) -> dict[str, np.ndarray]:
    assert protected.tensors is not None
    assert protected.update.tensors == digest(protected.tensors)
    return load(protected.tensors)


def counted(persons: int) -> RawUpdate:
    return RawUpdate({"persons": np.array([persons])}, 1.0, noised=False)


def gradients(**changes) -> RawUpdate:
    exact = {"weight": np.zeros((1, 2)), "bias": np.zeros(1)}
    return RawUpdate(exact | changes.pop("tensors", {}), **({"sensitivity": 0.5, "noised": False} | changes))


def statistics(persons: int, weight: float) -> RawUpdate:
    exact = {"persons": np.array([weight * persons]), "sum": np.zeros(2), "sum_of_squares": np.ones(2)}
    return RawUpdate(exact, float(np.hypot(weight, longest(2))), noised=False)


def test_counts_are_noised_and_rounded(trust):
    task = accepted(trust, count_spec(), "count")
    seen = {int(tensors(protect(task, counted(403), trust.config, NOW))["persons"][0]) for _ in range(60)}

    assert len(seen) > 1
    assert all(value % 5 == 0 for value in seen)
    assert all(abs(value - 403) < 60 for value in seen)


@pytest.mark.parametrize("persons", [0, 3])
def test_a_count_under_the_floor_is_suppressed_and_looks_the_same(trust, persons):
    task = accepted(trust, count_spec(), "count")
    protected = protect(task, counted(persons), trust.config, NOW)

    assert protected.update.suppressed
    assert protected.tensors is None
    assert protected.update.tensors is None


def test_the_noise_of_a_count_has_its_size(trust):
    task = accepted(trust, count_spec(epsilon=0.5), "count")
    fine = trust.with_config(rounding=1).config
    drawn = [tensors(protect(task, counted(10_000), fine, NOW))["persons"][0] - 10_000 for _ in range(400)]

    assert np.std(drawn) == pytest.approx(np.sqrt(2) * 2, rel=0.3)


def test_gradients_get_the_noise_of_the_ledger(trust):
    task = accepted(trust, train_spec(), "train")
    scale = 0.5 * task.event.noise_multiplier
    drawn = [tensors(protect(task, gradients(), trust.config, NOW)) for _ in range(400)]
    values = np.array([[*d["weight"].ravel(), *d["bias"]] for d in drawn])

    assert values.std() == pytest.approx(scale, rel=0.1)
    assert abs(np.corrcoef(values[:-1, 0], values[1:, 0])[0, 1]) < 0.2
    assert len(np.unique(values)) > 0.99 * values.size


def test_statistics_are_one_release(trust):
    task = accepted(trust, train_spec(), "prepare")
    weight = weight_of_count(task.verified.job.spec)
    drawn = [protect(task, statistics(5000, weight), trust.config, NOW) for _ in range(300)]
    persons = np.array([protected.persons for protected in drawn])
    sums = np.array([tensors(protected)["sum"] for protected in drawn])
    scale = task.event.noise_multiplier * np.hypot(weight, longest(2))

    assert persons.mean() == pytest.approx(5000, abs=5 * scale / weight / np.sqrt(300))
    assert persons.std() == pytest.approx(scale / weight, rel=0.2)
    assert sums.std() == pytest.approx(scale, rel=0.2)


def test_without_statistics_only_the_count_leaves(trust):
    spec = train_spec(privacy=Privacy(scaling="public_bounds"))
    task = accepted(trust, spec, "prepare")
    assert weight_of_count(spec) == 1
    raw = RawUpdate(statistics(5000, 1.0).tensors, 1.0, noised=False)

    assert set(tensors(protect(task, raw, trust.config, NOW))) == {"persons"}


@pytest.mark.parametrize("persons", [0, 9])
def test_a_training_cohort_under_the_floor_is_refused(trust, persons):
    task = accepted(trust, train_spec(), "prepare")

    # one of them may pass, with a chance of 1 in 1,000 each
    passed = 0
    for _ in range(20):
        with suppress(RefusedError):
            protect(task, statistics(persons, weight_of_count(task.verified.job.spec)), trust.config, NOW)
            passed += 1
    assert passed <= 1


def test_histograms_are_noised_cell_by_cell(trust):
    task = accepted(trust, evaluate_spec(), "evaluate")
    exact = np.zeros((2, 10), dtype=np.int64)
    exact[0, 0] = 500
    drawn = [
        tensors(protect(task, RawUpdate({"histogram": exact}, 1.0, noised=False), trust.config, NOW))["histogram"]
        for _ in range(100)
    ]
    noise = np.array(drawn) - exact

    assert noise.std() == pytest.approx(np.sqrt(2 * np.exp(-2)) / (1 - np.exp(-2)), rel=0.2)
    assert not np.array_equal(noise[:, 0, 0], noise[:, 0, 1])


def test_a_small_evaluation_is_refused(trust):
    task = accepted(trust, evaluate_spec(), "evaluate")

    with pytest.raises(RefusedError):
        protect(task, RawUpdate({"histogram": np.zeros((2, 10), dtype=np.int64)}, 1.0, noised=False), trust.config, NOW)


def test_dp_sgd_comes_with_its_noise(trust):
    task = accepted(trust, train_spec(privacy=Privacy(mechanism=DPSGD())), "train")

    with pytest.raises(DisclosureError):
        protect(task, gradients(sensitivity=1.0), trust.config, NOW)
    kept = tensors(protect(task, gradients(tensors={"bias": np.array([0.25])}, noised=True), trust.config, NOW))
    assert kept["bias"].tolist() == [0.25]


@pytest.mark.parametrize(
    "raw",
    [
        gradients(tensors={"bias": np.array([np.nan])}),
        gradients(tensors={"bias": np.array([np.inf])}),
        gradients(tensors={"bias": np.zeros(2)}),
        gradients(tensors={"weight": np.zeros((2, 1))}),
        gradients(tensors={"stowaway": np.zeros(1)}),
        gradients(sensitivity=0.2),
        gradients(sensitivity=0.05),
        gradients(noised=True),
        RawUpdate({"weight": np.zeros((1, 2))}, 0.1, noised=False),
    ],
)
def test_what_is_not_the_models_gradient_stays(trust, raw):
    task = accepted(trust, train_spec(), "train")

    with pytest.raises(DisclosureError):
        protect(task, raw, trust.config, NOW)


def test_statistics_of_another_sensitivity_stay(trust):
    task = accepted(trust, train_spec(), "prepare")

    with pytest.raises(DisclosureError):
        protect(task, statistics(500, 3.0), trust.config, NOW)


def test_a_repeated_release_is_the_same_under_a_new_id(trust):
    first = accepted(trust, count_spec(), "count")
    protected = protect(first, counted(400), trust.config, NOW)
    again = accepted(trust, count_spec(), "count")
    repeated = repeat(again, protected.update.canonical(), protected.tensors, NOW)

    assert repeated.tensors == protected.tensors
    assert repeated.update.task_id == again.verified.task.task_id
    with pytest.raises(DisclosureError):
        repeat(again, protected.update.canonical(), b"other", NOW)
    with pytest.raises(DisclosureError):
        repeat(again, b"{}", protected.tensors, NOW)


def test_nothing_else_can_make_a_protected_update(trust):
    protected = protect(accepted(trust, count_spec(), "count"), counted(400), trust.config, NOW)

    with pytest.raises(TypeError):
        ProtectedUpdate(protected.update, protected.tensors, None, object())


@pytest.mark.parametrize("epsilon", [0.1, 0.5, 2.0, 8.0])
def test_a_count_just_under_the_floor_rarely_passes(epsilon):
    noisy = discrete_laplace(np.full(20_000, 9), 1 / epsilon)

    assert (noisy >= laplace_threshold(10, epsilon)).mean() <= 2 * CHANCE


@pytest.mark.parametrize("epsilon", [0.5, 2.0])
def test_a_sum_of_cells_just_under_the_floor_rarely_passes(epsilon):
    noisy = discrete_laplace(np.zeros((5_000, 20), dtype=np.int64), 1 / epsilon).sum(axis=1) + 9

    assert (noisy >= laplace_threshold(10, epsilon, cells=20)).mean() <= 2 * CHANCE


def test_a_gaussian_count_just_under_the_floor_rarely_passes():
    noisy = 9 + gaussian((50_000,), 7.0)

    assert (noisy >= gaussian_threshold(10, 7.0)).mean() <= 2 * CHANCE


def test_a_large_count_passes(trust):
    assert noisy_persons(5000, 1.0, trust.config) is not None
