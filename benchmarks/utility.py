"""How much accuracy does privacy cost? Breast cancer, 4 and 16 Trusts, ε = 1, 3, 8, δ = 1e-5, presets as they are.

The protocol is written down in docs/privacy.md. A split is a project: 70 % of the 569 persons train, the others test,
as the Trusts divide them, and every training person goes to one of the Trusts by chance. Nothing is chosen by looking
at test persons: ``benchmarks.presets`` chooses the presets' numbers again on other data sets. Every figure is the mean
over the splits, and the peer of each is logistic regression on all training persons in one place without privacy. The
noise is the ledger's; floors are left out, so that small Trusts alone have a figure at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from flip_sdk.contract.features import Feature, Label
from flip_sdk.contract.jobs import (
    DPSGD,
    DistributedNoise,
    FullBatch,
    LocalNoise,
    ModelRef,
    Privacy,
    Scaling,
    TrainSpec,
    TrustModel,
)
from flip_sdk.contract.records import digest
from flip_sdk.mechanisms.aggregate import standard
from flip_sdk.presets import PRESETS
from flip_trust.cohort.split import part_of
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from benchmarks import fast
from benchmarks.fast import Array, Stack
from benchmarks.rows import Row
from demo.measurements import MALIGNANT, MEASUREMENTS

SPLITS = 300
EPSILONS = (1.0, 3.0, 8.0)
TRUSTS = (4, 16)
DELTA = 1e-5
GIVEN_BARS = dict(zip(EPSILONS, (96.0, 97.2, 97.5), strict=True))
MEASURED_BARS = dict(zip(EPSILONS, (95.2, 96.6, 96.8), strict=True))
BOUNDS = np.array([[m.low, m.high] for m in MEASUREMENTS])


@dataclass(frozen=True)
class Splits:
    """The same persons, divided again and again.

    Attributes:
        train: one cohort for every split.
        test: one for every split.
        order: ``[splits, persons]``: random numbers, out of which follows who goes to which Trust.
    """

    train: Stack
    test: Stack
    order: np.ndarray

    def at(self, trusts: int) -> list[Stack]:
        """Each Trust's training persons, for every split."""
        both = zip(self.train.each(), self.order, strict=True)
        cohorts = [(x, y, np.argsort(order[: len(y)]) % trusts) for (x, y), order in both]
        return [fast.stacked([(x[at == k], y[at == k]) for x, y, at in cohorts]) for k in range(trusts)]


def run(splits: int = SPLITS) -> Iterator[Row]:
    """Shared noise with a given and with a measured scaling, and what it is to be compared with."""
    data = divided(splits)
    reference = _pooled(data)
    yield _majority(data, reference)
    for trusts in TRUSTS:
        for epsilon in EPSILONS:
            yield from _rows(data, trusts, epsilon, reference)


def divided(splits: int) -> Splits:
    """The data set, divided so often."""
    data = load_breast_cancer()
    labels = (data.target == list(data.target_names).index("malignant")).astype(np.float64)
    train, test = [], []
    for number in range(splits):
        part = np.array([part_of(f"utility-{number}", person) == "train" for person in range(len(labels))])
        train.append((data.data[part], labels[part]))
        test.append((data.data[~part], labels[~part]))
    stack = fast.stacked(train)
    return Splits(stack, fast.stacked(test), np.random.default_rng(0).random(stack.there.shape))


def spec_of(epsilon: float, scaling: str, model: TrustModel, mechanism: FullBatch | DPSGD | None = None) -> TrainSpec:
    """The job as a researcher would ask for it with the preset; only the scaling, ε and the trust model differ."""
    nothing, preset = digest(b""), PRESETS["full_batch"]
    privacy = Privacy(
        epsilon=epsilon,
        delta=DELTA,
        mechanism=mechanism or preset.mechanism,
        scaling=scaling,
        scaling_share=preset.share(scaling, model),
        trust_model=model,
    )
    return TrainSpec(
        project_id="utility",
        features=tuple(Feature(concept_id=m.concept_id, low=m.low, high=m.high) for m in MEASUREMENTS),
        label=Label(condition_concept_ids=(MALIGNANT,)),
        model=ModelRef(graph=nothing, weights=nothing),
        privacy=privacy,
        rounds=20 if mechanism else preset.rounds,
    )


def ours(data: Splits, trusts: int, spec: TrainSpec, random: np.random.Generator) -> np.ndarray:
    """Accuracy and AUC on each split's test persons, in percent, ``[2, splits]``."""
    scaling = _scaling(data.train, spec, trusts, random)
    rows = fast.fed(data.train, BOUNDS, scaling)
    noise = random.standard_normal((spec.rounds, len(rows), rows.shape[2]))
    weights = fast.full_batch(data.train, rows, fast.counted(data.train, spec, trusts, random), spec, trusts, noise)
    return _figures(data.test, fast.fed(data.test, BOUNDS, scaling), weights)


def alone(data: Splits, trusts: int, spec: TrainSpec, random: np.random.Generator) -> np.ndarray:
    """The same at each Trust by itself, for the same ε; the mean over the Trusts."""
    found = [ours(Splits(stack, data.test, data.order), 1, spec, random) for stack in data.at(trusts)]
    return np.mean(found, axis=0)


def textbook(data: Splits, trusts: int, spec: TrainSpec, random: np.random.Generator) -> np.ndarray:
    """Batches of 16, clip 1, 20 epochs, on standardised features; then the mean of the Trusts' weights each epoch."""
    persons = float(data.train.persons.mean()) / trusts
    local = DPSGD(
        max_grad_norm=1.0, learning_rate=0.5, sampling_rate=min(1.0, 16 / persons), local_steps=round(persons / 16) or 1
    )
    asked = spec.model_copy(update={"privacy": spec.privacy.model_copy(update={"mechanism": local}), "rounds": 20})
    scaling = [s.model_copy(update={"max_norm": None}) for s in _scaling(data.train, spec, trusts, random)]
    stacks = data.at(trusts)
    weights = fast.federated(stacks, [fast.fed(stack, BOUNDS, scaling) for stack in stacks], asked, random)
    return _figures(data.test, fast.fed(data.test, BOUNDS, scaling), weights)


def given(stack: Stack) -> list[Scaling]:
    """Means and spreads as if they had been published."""
    clamped = [np.clip(x, BOUNDS[:, 0], BOUNDS[:, 1]) for x, _ in stack.each()]
    return [standard(x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)) for x in clamped]


def _rows(data: Splits, trusts: int, epsilon: float, reference: np.ndarray) -> Iterator[Row]:
    shared, local, random = DistributedNoise(), LocalNoise(), np.random.default_rng([trusts, int(epsilon)])
    cases: tuple[tuple[str, Callable[..., np.ndarray], str, TrustModel, float | None], ...] = (
        ("shared/given_scaling", ours, "given", shared, GIVEN_BARS[epsilon]),
        ("shared/measured_scaling", ours, "dp_statistics", shared, MEASURED_BARS[epsilon]),
        ("local/measured_scaling", ours, "dp_statistics", local, None),
        ("alone/given_scaling", alone, "given", local, None),
        ("textbook/given_scaling", textbook, "given", local, None),
    )
    for name, way, scaling, model, bar in cases:
        found = way(data, trusts, spec_of(epsilon, scaling, model), random)
        yield _row(f"utility/{name}/trusts{trusts}/eps{epsilon:g}", found, reference, bar)


def _scaling(train: Stack, spec: TrainSpec, trusts: int, random: np.random.Generator) -> list[Scaling]:
    if spec.privacy.scaling == "given":
        return given(train)
    return fast.scalings(train, BOUNDS, spec, trusts, random)


def _pooled(data: Splits) -> np.ndarray:
    found = []
    for scaling, (x, y), (z, truth) in zip(given(data.train), data.train.each(), data.test.each(), strict=True):
        shift, scale = np.array(scaling.shift), np.array(scaling.scale)
        model = LogisticRegression(max_iter=5000).fit((x - shift) / scale, y)
        logits = model.decision_function((z - shift) / scale)
        found.append([((logits > 0) == (truth > 0.5)).mean(), roc_auc_score(truth, logits)])
    return 100 * np.array(found).T


def _figures(stack: Stack, rows: Array, weights: Array) -> np.ndarray:
    """``[2, cohorts]``: accuracy and AUC in percent."""
    scored = zip(fast.scores(rows, weights), stack.labels, stack.there > 0, strict=True)
    each = [(score[there], labels[there] > 0.5) for score, labels, there in scored]
    return 100 * np.array([[((s > 0) == y).mean(), roc_auc_score(y, s)] for s, y in each]).T


def _majority(data: Splits, reference: np.ndarray) -> Row:
    shares = [max(truth.mean(), 1 - truth.mean()) for _, truth in data.test.each()]
    return _row("utility/majority", 100 * np.array([shares, np.full(len(shares), 0.5)]), reference, None)


def _row(name: str, found: np.ndarray, reference: np.ndarray, bar: float | None) -> Row:
    splits = found.shape[1]
    (mean, auc), peer, error = found.mean(axis=1), float(reference[0].mean()), found[0].std() / np.sqrt(splits)
    return Row(
        name=name,
        ours=round(float(mean), 2),
        peer=round(peer, 2),
        unit=(
            f"% accuracy, mean of {splits} splits ± {error:.2f}, AUC {auc:.2f} %; "
            f"peer: pooled, no privacy, AUC {reference[1].mean():.2f} %"
        ),
        ratio=float(mean) / peer,
        bar=f"≥ {bar}" if bar else "to compare with",
        holds=bar is None or bool(mean >= bar),
    )
