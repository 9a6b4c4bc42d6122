from __future__ import annotations

import math

import numpy as np
import pytest
from flip_hub.airlock.checks import KnownModel, Past
from flip_hub.airlock.checks.models import most_right
from flip_sdk.contract.graph import GraphRecord, Node, Ref, TensorSpec, Weight
from flip_sdk.contract.records import digest
from safetensors.numpy import save

from tests.hub.airlock.checks.conftest import Checking, found, notes, rules

GRAPH = GraphRecord(
    input=TensorSpec(shape=(1, 4), dtype="float32"),
    weights=(
        Weight(key="weight", shape=(1, 4), dtype="float32", trained=True),
        Weight(key="bias", shape=(1,), dtype="float32", trained=True),
    ),
    nodes=(
        Node(
            op="aten.linear.default",
            args=(Ref(value=0), Ref(value=1), Ref(value=2)),
            results=(TensorSpec(shape=(1, 1), dtype="float32"),),
        ),
    ),
    output=3,
)


@pytest.fixture
def model() -> tuple[bytes, bytes]:
    weights = {"weight": np.ones((1, 4), np.float32), "bias": np.zeros(1, np.float32)}
    return GRAPH.canonical(), save(weights)


def trained(past: Past, model: tuple[bytes, bytes], epsilon: float) -> Past:
    known = KnownModel(
        job="job-7", graph=digest(model[0]), weights=digest(model[1]), epsilon=epsilon, delta=1e-6, trusts=("a", "b")
    )
    return past.model_copy(update={"models": (known,)})


def test_a_model_that_a_job_trained_passes_and_says_what_epsilon_means(check: Checking, past: Past, model) -> None:
    examined = check({"graph.json": model[0], "w.safetensors": model[1]}, past=trained(past, model, 1.0))

    assert [(file.kind, file.verdict) for file in examined.values()] == [("model", "pass")] * 2
    said = found(examined["w.safetensors"], "model.trained_under_privacy")
    assert (said.numbers["epsilon"], "73.1 of 100" in said.message) == (1.0, True)
    assert "model.graph" in notes(examined["graph.json"])


def test_a_large_epsilon_and_an_unknown_origin_are_flagged(check: Checking, past: Past, model) -> None:
    weights = {"w.safetensors": model[1]}

    assert rules(check(weights, past=trained(past, model, 20.0))["w.safetensors"]) == {"model.large_epsilon"}
    assert rules(check(weights, past=past)["w.safetensors"]) == {"model.unknown_origin"}


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (save({"a": np.zeros(3, np.float32)}, metadata={"note": "943 476 5919"}), "model.hidden_data"),
        (save({"patient 943 476 5919": np.zeros(3, np.float32)}), "model.hidden_data"),
        (save({"a": np.zeros(3, np.float32)}) + b"rows of persons", "model.broken"),
        (save({"a": np.zeros(3, np.float16)}), "model.broken"),
        (save({"a": np.zeros(3, np.float32)})[:-4], "model.broken"),
    ],
)
def test_weights_hold_weights_and_nothing_else(check: Checking, content: bytes, rule: str) -> None:
    assert rule in rules(check({"w.safetensors": content})["w.safetensors"])


def test_a_graph_is_of_the_allowed_operations_and_fits_its_weights(check: Checking, model) -> None:
    outside = model[0].replace(b"aten.linear", b"aten.system")
    other = save({"a": np.zeros(3, np.float32)})

    assert rules(check({"g.json": outside})["g.json"]) == {"model.broken"}
    assert "model.unlike_its_graph" in rules(check({"g.json": model[0], "w.safetensors": other})["g.json"])


def test_the_bound_is_a_coin_at_no_epsilon_and_certainty_at_a_large_one() -> None:
    assert most_right(0.0, 0.0) == 0.5
    assert most_right(1.0, 0.0) == pytest.approx(math.e / (1 + math.e))
    assert most_right(50.0, 1e-6) == pytest.approx(1.0)
    assert most_right(0.0, 0.009) <= 1.0


def answers(remembered: float, member_column: str = "member") -> str:
    random = np.random.default_rng(5)
    rows = []
    for inside in (1, 0):
        for sure in random.beta(2, 2, 300) * (1 - remembered) + (remembered if inside else 0.0):
            rows.append(f"{inside},{min(sure, 1.0):.4f}")
    return f"{member_column},p\n" + "\n".join(rows) + "\n"


@pytest.mark.slow
@pytest.mark.parametrize(("remembered", "rule"), [(0.8, "model.members_are_known"), (0.0, "model.attack_withstood")])
def test_sacroml_tells_a_model_that_remembers_from_one_that_does_not(
    check: Checking, model, remembered: float, rule: str
) -> None:
    files = {"w.safetensors": model[1], "answers.csv": answers(remembered)}
    stated = {"w.safetensors": {"underlying": "answers.csv"}, "answers.csv": {"leaves": False}}
    examined = check(files, stated)["w.safetensors"]

    assert found(examined, rule).numbers["members"] == 300


def test_predictions_that_cannot_be_attacked_say_why(check: Checking, model) -> None:
    files = {"w.safetensors": model[1], "answers.csv": answers(0.0, "who")}
    stated = {"w.safetensors": {"underlying": "answers.csv"}, "answers.csv": {"leaves": False}}

    assert "model.attack_not_run" in rules(check(files, stated)["w.safetensors"])
