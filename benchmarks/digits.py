"""Pictures, several of each person: scikit-learn's digits, 4 Trusts, a linear model and a CNN, presets as they are.

Protocol. A split is a project, and is drawn by its number alone. A person is 1 to 4 consecutive pictures of one digit,
which were mostly drawn by one hand; at most 3 of them are used. Seven persons in ten train, the others test, so that
nobody is in both; every training person goes to one of the Trusts by chance. What is told is the digit, of ten: a
person's answer is by the mean of the logits over their pictures, accuracy is over persons, AUC is the mean over digits
against all others. Persons are the unit: the mean of a person's gradients is clipped once.

- *shared*: the preset ``full_batch`` with ``trust_model="distributed"`` (h = 3 of 4), noisy scaling included in ε, all
  else as it stands; through ``flip_sdk.simulate.training``: engine, floors, ledger's noise, the secure sum's integers.
- *alone*: the same preset and ε at one Trust with its own noise, at each of the four. The best of the four, by their
  figures on the test persons themselves, is what *shared* has to beat: a choice that no Trust could make.
- *no_privacy*: the same model by Adam on all training persons in one place; *majority*: the most frequent digit.
- *advice*: ``flip_sdk.advise`` is told the pictures' shape and the Trusts' rounded sizes, nothing of the digits. It has
  to name the model that turns out to be the better one.

Models begin at torch's own random weights, another draw for each split. Nothing is chosen by looking at test persons,
and no preset and no made-up world was changed on account of this table; ``benchmarks.presets`` chooses the preset's
numbers again on data without any digit. ``tests/benchmarks`` runs it with one split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from flip_sdk.advising.trying import Tried, attempt, without_privacy
from flip_sdk.contract.features import Feature, Label
from flip_sdk.contract.jobs import DistributedNoise, LocalNoise, ModelRef, Privacy, TrainSpec, TrustModel
from flip_sdk.contract.records import digest
from flip_sdk.mechanisms.snapshot import Snapshot
from flip_sdk.models import export_model
from flip_sdk.presets import PRESETS
from sklearn.datasets import load_digits
from torch import nn

import flip_sdk as flip
from benchmarks.rows import Row

SPLITS = 6
EPSILONS = (1.0, 3.0, 8.0)
DELTA, TRUSTS, TRAINED, MOST = 1e-5, 4, 0.7, 3
SIDE, DIGITS, DARKEST = 8, 10, 16.0
WIDTH = SIDE * SIDE
LOSS = "cross_entropy"
BOUNDS = np.array([(0.0, DARKEST)] * WIDTH)


def linear() -> nn.Module:
    return nn.Linear(WIDTH, DIGITS)


def cnn() -> nn.Module:
    first = nn.Conv2d(1, 8, 3, stride=2, padding=1)
    second = nn.Conv2d(8, 16, 3, stride=2, padding=1)
    head = nn.Linear(16 * (SIDE // 4) ** 2, DIGITS)
    return nn.Sequential(nn.Unflatten(1, (1, SIDE, SIDE)), first, nn.ReLU(), second, nn.ReLU(), nn.Flatten(), head)


MODELS: dict[str, Callable[[], nn.Module]] = {"linear": linear, "cnn": cnn}


@dataclass(frozen=True)
class Split:
    """One division of the pictures.

    Attributes:
        trusts: training persons, by Trust.
        test: the other persons.
        number: which one it is.
    """

    trusts: dict[str, Snapshot]
    test: Snapshot
    number: int


@dataclass(frozen=True)
class Cell:
    """One model at one ε, over the splits.

    Attributes:
        shared: figures of the Trusts together.
        alone: ``[splits][trusts]`` figures of each Trust by itself.
    """

    shared: list[Tried]
    alone: list[list[Tried]]

    @property
    def ours(self) -> float:
        """Accuracy in percent."""
        return 100 * float(np.mean([one.accuracy for one in self.shared]))

    @property
    def best_alone(self) -> float:
        """Accuracy in percent of the Trust that was best by itself in each split."""
        return 100 * float(np.mean([max(one.accuracy for one in ones) for ones in self.alone]))

    @property
    def mean_alone(self) -> float:
        """Accuracy in percent, mean over the Trusts."""
        return 100 * float(np.mean([one.accuracy for ones in self.alone for one in ones]))


def run(splits: int = SPLITS, epsilons: tuple[float, ...] = EPSILONS, tries: int = 1) -> Iterator[Row]:
    """Every cell, what it is to be compared with, and the advice."""
    data = [divided(number) for number in range(splits)]
    yield _majority(data)
    free = {}
    for name in MODELS:
        free[name] = float(np.mean([100 * _free(name, split).accuracy for split in data]))
        yield Row(f"digits/{name}/no_privacy", round(free[name], 2), None, _unit(splits), None, "to compare with", True)
    for epsilon in epsilons:
        cells = {name: Cell(*_tried(name, epsilon, data)) for name in MODELS}
        for name, cell in cells.items():
            yield from _rows(f"digits/{name}/eps{epsilon:g}", cell, free[name])
        yield _advised(epsilon, cells, data[0], tries)


def divided(number: int) -> Split:
    """The persons of one split, at the Trusts and for testing."""
    random, data = np.random.default_rng(number), load_digits()
    persons = _persons(data.target, random)
    order = random.permutation(len(persons))
    cut = round(TRAINED * len(order))
    train, test = order[:cut], order[cut:]

    def snapshot(chosen: np.ndarray) -> Snapshot:
        # which of a person's pictures are used is by chance, as at a Trust
        kept = [random.permutation(persons[i])[:MOST] for i in chosen]
        rows, owners = np.concatenate(kept), np.repeat(np.arange(len(kept)), [len(one) for one in kept])
        return Snapshot(data.data[rows].astype(np.float64), data.target[rows].astype(np.int64), owners)

    return Split({f"trust{k}": snapshot(train[k::TRUSTS]) for k in range(TRUSTS)}, snapshot(test), number)


def spec_of(epsilon: float, model: TrustModel) -> TrainSpec:
    """The job as a researcher would ask for it with the preset; only ε and the trust model differ."""
    nothing, preset = digest(b""), PRESETS["full_batch"]
    privacy = Privacy(
        epsilon=epsilon,
        delta=DELTA,
        mechanism=preset.mechanism,
        scaling_share=preset.share("dp_statistics", model),
        trust_model=model,
    )
    return TrainSpec(
        project_id="digits",
        features=tuple(Feature(concept_id=i + 1, low=low, high=high) for i, (low, high) in enumerate(BOUNDS)),
        label=Label(condition_concept_ids=(1,)),
        model=ModelRef(graph=nothing, weights=nothing),
        loss=LOSS,
        privacy=privacy,
        rounds=preset.rounds,
        max_records_per_person=MOST,
    )


def module(name: str, split: Split) -> nn.Module:
    """A model at its random beginning in a split."""
    torch.manual_seed(split.number)
    return MODELS[name]()


def advice(epsilon: float, sizes: list[int], tries: int) -> flip.Advice:
    """What a researcher is told who knows what pictures there are, and of how many persons."""
    torch.manual_seed(0)
    return flip.advise(
        {name: make() for name, make in MODELS.items()},
        shape=(1, SIDE, SIDE),
        bounds=(0.0, DARKEST),
        trusts=sizes,
        privacy=flip.Privacy(epsilon=epsilon, delta=DELTA),
        trust_models=("distributed",),
        loss=LOSS,
        max_records_per_person=MOST,
        tries=tries,
        quiet=True,
    )


def _persons(labels: np.ndarray, random: np.random.Generator) -> list[np.ndarray]:
    """Each person's pictures, in the order in which they were drawn."""
    found = []
    for digit in range(DIGITS):
        pictures = np.flatnonzero(labels == digit)
        cuts = np.cumsum(random.integers(1, 5, size=len(pictures)))
        found += np.split(pictures, cuts[cuts < len(pictures)])
    return found


def _tried(name: str, epsilon: float, data: list[Split]) -> tuple[list[Tried], list[list[Tried]]]:
    together, apart = spec_of(epsilon, DistributedNoise()), spec_of(epsilon, LocalNoise())
    shared, alone = [], []
    for split in data:
        exported = export_model(module(name, split), WIDTH, LOSS)
        shared.append(attempt(together, exported, split.trusts, split.test))
        alone.append([attempt(apart, exported, {k: one}, split.test) for k, one in split.trusts.items()])
    return shared, alone


def _free(name: str, split: Split) -> Tried:
    return without_privacy(module(name, split), LOSS, split.trusts, split.test, BOUNDS)


def _rows(name: str, cell: Cell, free: float) -> Iterator[Row]:
    auc = float(np.mean([one.auc for one in cell.shared]))
    error = 100 * float(np.std([one.accuracy for one in cell.shared]) / np.sqrt(len(cell.shared)))
    unit = f"{_unit(len(cell.shared))} ± {error:.1f}; AUC {auc:.3f}; peer: the best Trust alone in each split"
    ours, best = cell.ours, cell.best_alone
    yield Row(f"{name}/shared", round(ours, 2), round(best, 2), unit, ours / best, "> peer", ours > best)
    mean, unit = cell.mean_alone, f"{_unit(len(cell.shared))} and Trusts; peer: pooled, no privacy"
    yield Row(f"{name}/alone", round(mean, 2), round(free, 2), unit, mean / free, "to compare with", True)


def _majority(data: list[Split]) -> Row:
    shares = [100 * np.bincount(s.test.label_of_person).max() / s.test.count for s in data]
    mean = round(float(np.mean(shares)), 2)
    return Row("digits/majority", mean, None, _unit(len(data)), None, "to compare with", True)


def _advised(epsilon: float, cells: dict[str, Cell], split: Split, tries: int) -> Row:
    # what Trusts publish: persons in all, rounded to 5; seven in ten of them train
    sizes = [5 * round(one.count / TRAINED / 5) for one in split.trusts.values()]
    found = advice(epsilon, sizes, tries)
    ours, other = cells[found.model].ours, max(cell.ours for name, cell in cells.items() if name != found.model)
    unit = f"% accuracy of the advised model ({found.model}); peer: of the other; expected {100 * found.accuracy:.1f}"
    return Row(
        f"digits/advice/eps{epsilon:g}", round(ours, 2), round(other, 2), unit, ours / other, "> peer", ours > other
    )


def _unit(splits: int) -> str:
    return f"% accuracy, mean of {splits} split{'s' if splits > 1 else ''}"
