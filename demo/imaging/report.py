"""The second demo's last table: how good the kept network is, beside what it has to be compared with.

The demo made its people up, and so may do what no one else can: score the kept weights on the true held-out persons of
all three Trusts together, whose images it makes again as the Trusts made them. What is compared with it is the very
network that was sent, so that the difference is what the Trusts' training adds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from flip_sdk.contract.images import SeriesImages
from flip_sdk.models import import_model
from flip_sdk.previewing import preview_series
from flip_sdk.simulate.phantoms import chest, scan
from flip_trust.cohort.split import part_of
from rich.table import Table
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import nn

from demo.imaging.hospitals import HOSPITALS, Hospital
from demo.imaging.persons import SEED, Person, persons_of

_AT_ONCE = 64


@dataclass(frozen=True)
class People:
    """Some persons, by what the network sees in them.

    Attributes:
        seen: ``[persons, features]``: what the frozen layers make of their images, the mean over each person's.
        ill: ``[persons]``: whether there is a mass.
    """

    seen: np.ndarray
    ill: np.ndarray


@dataclass(frozen=True)
class Figures:
    """How well one model tells the held-out persons apart."""

    model: str
    accuracy: float
    auc: float


@dataclass(frozen=True)
class Network:
    """A network whose only trained layer is its last one, linear: as the graph and weights that travelled."""

    graph: bytes
    weights: bytes

    @property
    def head(self) -> tuple[np.ndarray, float]:
        """Weights and intercept of the last layer."""
        weight, bias = _head(import_model(self.graph, self.weights))
        return weight.detach().numpy().reshape(-1).astype(float), float(bias.detach())

    def seen(self, images: np.ndarray) -> np.ndarray:
        """What comes before the last layer: ``[images, features]``.

        Args:
            images: ``[images, channels, rows, columns]`` in [-1, 1].
        """
        module = import_model(self.graph, self.weights)
        weight, bias = _head(module)
        rows = torch.from_numpy(images.reshape(len(images), -1).astype(np.float32))
        columns = []
        with torch.no_grad():
            bias.zero_()
            for one in torch.eye(weight.shape[-1]):
                # the last layer made to pass on one number and no other
                weight.copy_(one[None])
                columns.append(torch.cat([module(part) for part in rows.split(_AT_ONCE)]).reshape(-1))
        return torch.stack(columns, dim=1).numpy().astype(float)


def compare(project: str, asked: SeriesImages, sent: Network, kept: Network) -> tuple[list[Figures], int]:
    """The federated network's figures on the held-out persons, with those of what it has to be compared with.

    Args:
        project: by whose name persons are divided into parts.
        asked: the job's images.
        sent: the network as it came to the Trusts.
        kept: as it was trained there.

    Returns:
        The figures, and how many persons are held out.
    """
    train: dict[str, People] = {}
    held_out: list[People] = []
    for place in HOSPITALS:
        people = persons_of(place)
        everybody = looked_at(sent, asked, place, people)
        trains = np.array([part_of(project, person.person_id) == "train" for person in people])
        train[place.name] = People(everybody.seen[trains], everybody.ill[trains])
        held_out.append(People(everybody.seen[~trains], everybody.ill[~trains]))
    tested = _together(held_out)
    return _rows(train, tested, sent, kept), len(tested.ill)


def looked_at(network: Network, asked: SeriesImages, place: Hospital, people: Iterable[Person]) -> People:
    """What a network sees in the images of a hospital's people."""
    seen, ill = [], []
    for person in people:
        body = chest(np.random.default_rng([SEED, *person.seed]), lesion=person.ill)
        steps = (place.scanner.thickness, place.scanner.step, place.scanner.step)
        volumes = [
            scan(body, place.scanner, np.random.default_rng([SEED, *person.seed, which]))
            for which in range(len(person.visits))
        ]
        seen.append(np.concatenate([preview_series(asked, volume, steps) for volume in volumes]))
        ill.append(person.ill)
    ends = np.cumsum([len(each) for each in seen])[:-1]
    features = np.split(network.seen(np.concatenate(seen)), ends)
    return People(np.array([each.mean(axis=0) for each in features]), np.array(ill))


def accuracy_table(figures: Iterable[Figures], persons: int, epsilon: float) -> Table:
    """The figures as a table."""
    title = f"A mass in a lung or not, on {persons} held-out persons of all Trusts"
    table = Table(title=title, title_justify="left", caption_justify="left")
    table.caption = (
        f"The federated network is private: ε = {epsilon:g} for each person. Every row has the same frozen layers, "
        "which learned from made-up drawings; rows differ in who trained the last one. The best single Trust is named "
        "with hindsight, by AUC on these very persons; on so few, differences of a few hundredths may be chance."
    )
    table.add_column("model")
    table.add_column("accuracy", justify="right")
    table.add_column("AUC", justify="right")
    for row in figures:
        table.add_row(row.model, f"{row.accuracy:.3f}", f"{row.auc:.3f}")
    return table


def _rows(train: Mapping[str, People], tested: People, sent: Network, kept: Network) -> list[Figures]:
    alone = [
        _figures(f"best single Trust, without privacy ({name})", _not_private(one), tested)
        for name, one in train.items()
    ]
    share = float(_together(train.values()).ill.mean())
    nobody = np.zeros(tested.seen.shape[1]), share - 0.5
    return [
        _figures("federated over three Trusts, private", kept.head, tested),
        _figures("all persons in one place, without privacy", _not_private(_together(train.values())), tested),
        max(alone, key=lambda one: (one.auc, one.accuracy)),
        _figures("as it was sent, nothing trained at a Trust", sent.head, tested),
        _figures("majority class", nobody, tested),
    ]


def _figures(model: str, head: tuple[np.ndarray, float], tested: People) -> Figures:
    scores = tested.seen @ head[0] + head[1]
    return Figures(model, float(((scores > 0) == tested.ill).mean()), float(roc_auc_score(tested.ill, scores)))


def _not_private(people: People) -> tuple[np.ndarray, float]:
    fitted = LogisticRegression(max_iter=1000).fit(people.seen, people.ill)
    return fitted.coef_[0], float(fitted.intercept_[0])


def _head(module: nn.Module) -> tuple[nn.Parameter, nn.Parameter]:
    """The two tensors that are trained: a matrix of one row, and one number."""
    trained = sorted(module.parameters(), key=lambda tensor: tensor.dim(), reverse=True)
    weight, bias = (tensor for tensor in trained if tensor.requires_grad)
    return weight, bias


def _together(parts: Iterable[People]) -> People:
    chosen = list(parts)
    return People(np.concatenate([one.seen for one in chosen]), np.concatenate([one.ill for one in chosen]))
