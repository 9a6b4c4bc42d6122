"""Nobody's gradient depends on anybody else: not on their data, not on how many they are, not in its last bit."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest
import torch
from flip_sdk.mechanisms.blocks import BLOCK, REPRODUCIBLE
from flip_sdk.mechanisms.computation import Computation
from flip_sdk.mechanisms.snapshot import Snapshot
from flip_sdk.models import export_model
from flip_trust.engine.sandbox import worker_command
from safetensors.numpy import save
from torch import nn
from torch.func import grad, vmap

from tests.audit.operators import NAMES, USES, WIDTH, answer
from tests.flip_sdk.models.zoo import FEATURES, GOOD
from tests.trust.engine.cases import BOUNDS, graph, model, node, value

HOSTILE = (np.nan, np.inf, -np.inf, 3e38, -3e38, 0.0, -0.0, 1e-45, 1e19, -1.0)
CLIP = 0.5


def person_by_person(name, people, weight):
    """Each person's gradient and answer, as the engine computes them: all at once."""
    torch.manual_seed(7)
    gradients = vmap(grad(partial(answer, name)), in_dims=(None, 0), randomness="different")(weight, people)
    torch.manual_seed(7)
    answers = vmap(partial(answer, name, weight), randomness="different")(people)
    return torch.cat([gradients.flatten(1), answers.unsqueeze(1)], dim=1)


def same_bits(one, other):
    return np.array_equal(one.numpy().view(np.uint32), other.numpy().view(np.uint32))


@pytest.fixture(scope="module")
def crowd():
    torch.manual_seed(1)
    return torch.randn(BLOCK, WIDTH), torch.randn(WIDTH, WIDTH)


def test_every_allowed_operator_is_tried():
    assert {f"aten.{name}" for name in USES} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_what_one_person_has_changes_nothing_for_another_and_raises_nothing(name, crowd):
    people, weight = crowd
    before = person_by_person(name, people, weight)
    # each hostile number is another person's; the healthy stand between them
    sick = 1 + 3 * torch.arange(len(HOSTILE))
    others = torch.ones(BLOCK, dtype=torch.bool).index_fill(0, sick, value=False)
    changed = people.clone()
    changed[sick, ::2] = torch.tensor(HOSTILE).unsqueeze(1)
    assert same_bits(person_by_person(name, changed, weight)[others], before[others])


@pytest.mark.parametrize("name", [name for name in NAMES if "dropout" not in name])
def test_nor_does_where_among_the_others_they_stand(name, crowd):
    people, weight = crowd
    many = torch.cat([people, 0.3 * people.flip(0), -people])
    before = person_by_person(name, many, weight)
    assert same_bits(person_by_person(name, many[:BLOCK], weight), before[:BLOCK])
    moved = torch.roll(torch.arange(len(many)), 7)
    assert same_bits(person_by_person(name, many[moved], weight), before[moved])


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.float64])
def test_no_number_of_another_kind_raises_anything(dtype, crowd):
    people, weight = ((3 * tensor).to(dtype) for tensor in crowd)
    tried = 0
    for name in NAMES:
        answers = vmap(partial(answer, name, weight), randomness="different")
        try:
            answers(people)
        except (RuntimeError, NotImplementedError):
            continue  # the operator does not take this kind, whatever the numbers are
        tried += 1
        for poison in (0, 1, -1, 2**40, 2**63 - 1, -(2**63)):
            changed = people.clone()
            changed[5, ::2] = poison
            answers(changed)
    assert tried > 90


def chaotic():
    """The sine of 10⁷ times a linear layer: the last bits of a product decide everything."""
    nodes = [
        node("aten.linear.default", [value(0), value(1)], (1, 8)),
        node("aten.mul.Tensor", [value(3), 1e7], (1, 8)),
        node("aten.sin.default", [value(4)], (1, 8)),
        node("aten.linear.default", [value(5), value(2)], (1, 1)),
    ]
    random = np.random.default_rng(2)
    shapes = {"w": (8, FEATURES), "v": (1, 8)}
    weights = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return json.dumps(graph(nodes, 6, weights=list(shapes.items()))).encode(), save(weights), "mse"


def cancelling():
    """A linear model whose logit is nothing but the rounding of two huge numbers that cancel."""
    huge = np.zeros((1, FEATURES), dtype=np.float32)
    huge[0, :2] = 3e38, -3e38
    layer = node("aten.linear.default", [value(0), value(1)], (1, 1))
    return json.dumps(graph([layer], 2)).encode(), save({"w": huge}), "binary_cross_entropy"


def switching():
    """A chain whose first layer leaves nothing but rounding, by which units are on or off."""
    random = np.random.default_rng(3)
    first = 1e6 * random.normal(size=(24, FEATURES)).astype(np.float32)
    first[:, 1] = -first[:, 0] - first[:, 2:].sum(axis=1) * 1e-3
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(FEATURES, 24, bias=False), nn.ReLU(), nn.Linear(24, 8), nn.Tanh(), nn.Linear(8, 1))
    net[0].weight.data = torch.from_numpy(first)
    net[2].weight.data *= 1e4
    exported = export_model(net, FEATURES, "binary_cross_entropy")
    return exported.graph, exported.weights, "binary_cross_entropy"


def crowd_of(count):
    random = np.random.default_rng(count)
    features = random.uniform(-3, 3, size=(count, FEATURES))
    features[:, 1] = features[:, 0]
    return Snapshot(features, random.integers(0, 2, count))


def without(people, person):
    keep = np.arange(len(people.labels)) != person
    return Snapshot(people.features[keep], people.labels[keep])


def sums(people, content):
    exported, weights, loss = content
    found = Computation(people, BOUNDS, exported).gradient(weights, None, loss, CLIP)
    return np.concatenate([found[name].ravel() for name in sorted(found)])


@pytest.mark.parametrize("attack", [chaotic, cancelling, switching])
@pytest.mark.parametrize("count", [2, 33, 65, 300])
def test_a_model_that_blows_up_rounding_moves_the_sum_by_one_person_only(attack, count):
    people, content = crowd_of(count), attack()
    everybody = sums(people, content)
    for person in {0, 1, count // 2, count - 1}:
        moved = np.linalg.norm(everybody - sums(without(people, person), content))
        assert moved <= CLIP * (1 + 1e-9)


@pytest.mark.parametrize("name", sorted(set(GOOD) - {"mlp", "cnn", "attention"}))
def test_the_same_of_ordinary_models(name):
    exported, loss = model(name)
    people = crowd_of(77)
    everybody = sums(people, (exported.graph, exported.weights, loss))
    moved = np.linalg.norm(everybody - sums(without(people, 3), (exported.graph, exported.weights, loss)))
    assert moved <= CLIP * (1 + 1e-9)


@pytest.mark.parametrize("count", [33, 1500])
def test_one_person_is_in_one_cell_of_the_scores_and_moves_nobody_else(count):
    exported, weights, _ = chaotic()
    people = crowd_of(count)
    cells = Computation(people, BOUNDS, exported).scores(weights, None, 50)["histogram"]
    fewer = Computation(without(people, 0), BOUNDS, exported).scores(weights, None, 50)["histogram"]
    assert np.abs(cells - fewer).sum() == 1


def test_workers_start_with_reproducible_kernels(tmp_path):
    _, environment = worker_command("none", tmp_path, 1)
    assert REPRODUCIBLE.items() <= environment.items()
