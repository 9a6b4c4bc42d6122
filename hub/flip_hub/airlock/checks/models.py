"""Models: a graph and weights in FLIP's own form, where they were trained, and how much of a person they may tell."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from flip_sdk.contract.airlock import Finding
from flip_sdk.contract.graph import check_weights, parse_graph, safetensors_specs
from flip_sdk.errors import ModelError

from flip_hub.airlock.checks.past import KnownModel
from flip_hub.airlock.checks.rules import Check, FileRead, Rule, Subject, listed, many

BROKEN = Rule(
    "model.broken",
    "block",
    "It is not a model in FLIP's own form: {why}",
    "Save it again by result.save_for_release(…).",
)
HIDDEN = Rule(
    "model.hidden_data",
    "block",
    "The weights' file holds more than weights: {why}.",
    "Save it again by result.save_for_release(…).",
)
UNLIKE = Rule(
    "model.unlike_its_graph", "flag", "Graph and weights of this request do not fit: {why}", "Send both of one model."
)
TRAINED_HERE = Rule(
    "model.trained_under_privacy",
    "note",
    "Job {job} of this project trained these weights at {trusts} for ε = {epsilon:g}. {words}",
)
LARGE_EPSILON = Rule(
    "model.large_epsilon",
    "flag",
    "Job {job} of this project trained these weights for ε = {epsilon:g}, more than {most:g}. {words}",
    "Train for a smaller ε, or say in the context who gets the model and under which agreement.",
)
GRAPH_ONLY = Rule(
    "model.graph",
    "note",
    "The graph is a list of {nodes} operations with {parameters:,} parameters, and holds none of their values.",
)
UNKNOWN = Rule(
    "model.unknown_origin",
    "flag",
    "No job of this project trained these weights ({parameters:,} parameters), so nothing bounds what they tell of the "
    "persons whom they were trained on.",
    "If they were trained on public or made-up data, say so in the context, and name a file of predictions as "
    "underlying.",
)
GRAPH_NUMBERS = Rule(
    "model.graph_numbers",
    "flag",
    "The graph holds {count:,} numbers among its operations, which may be data.",
    "Keep numbers in the weights.",
)
MOST_GRAPH_NUMBERS = 2_000
_KEY = re.compile(r"[A-Za-z0-9_.]{1,200}")


def _model(subject: Subject) -> Iterator[Finding]:
    yield from _graph(subject) if subject.file.form == "json" else _weights(subject)


def _graph(subject: Subject) -> Iterator[Finding]:
    try:
        graph = parse_graph(subject.file.content)
    except ModelError as error:
        yield BROKEN.found(why=error.message[:500])
        return
    parameters = sum(weight.elements for weight in graph.parameters.values())
    yield GRAPH_ONLY.found(nodes=len(graph.nodes), parameters=parameters, numbers={"parameters": parameters})
    numbers = len(re.findall(r"\d+\.\d+", subject.file.text or ""))
    if numbers > MOST_GRAPH_NUMBERS:
        yield GRAPH_NUMBERS.found(numbers={"numbers": numbers}, count=numbers)
    for other in _others(subject, "safetensors"):
        if why := check_weights(graph, other.content):
            yield UNLIKE.found(why=" ".join(why)[:500])


def _others(subject: Subject, form: str) -> list[FileRead]:
    return [file for file in subject.others.values() if file.form == form and file.kind == "model"]


def _weights(subject: Subject) -> Iterator[Finding]:
    from safetensors import SafetensorError, deserialize

    content = subject.file.content
    try:
        specs = safetensors_specs(content)
        tensors: list[tuple[str, Any]] = deserialize(content)  # type: ignore[no-untyped-call]
    except (ModelError, SafetensorError, ValueError) as error:
        yield BROKEN.found(why=str(error)[:300])
        return
    if why := _hidden(content, [name for name, _ in tensors]):
        yield HIDDEN.found(why=why)
    parameters = sum(spec.elements for spec in specs.values())
    known = next((m for m in subject.past.models if m.weights == subject.statement.content), None)
    if known is None:
        yield UNKNOWN.found(parameters=parameters, numbers={"parameters": parameters})
        return
    most = subject.limits.model_epsilon
    rule = TRAINED_HERE if known.epsilon <= most else LARGE_EPSILON
    yield rule.found(
        numbers={"epsilon": known.epsilon, "delta": known.delta, "parameters": parameters},
        job=known.job,
        trusts=listed(known.trusts) or "the Trusts",
        epsilon=known.epsilon,
        most=most,
        words=bound_in_words(known),
    )


def _hidden(content: bytes, names: Sequence[str]) -> str:
    """What is in a safetensors file beside tensors; empty where nothing is. Its reader refuses holes between them."""
    header = content[8 : 8 + int.from_bytes(content[:8], "little")]
    if b"__metadata__" in header:
        return "metadata in its header"
    if odd := [name for name in names if not _KEY.fullmatch(name)]:
        return f"odd names of tensors ({many(len(odd), 'tensor')})"
    return "" if header == header.rstrip() or len(header) - len(header.rstrip()) < 8 else "spaces after its header"


def most_right(epsilon: float, delta: float) -> float:
    """How often whoever guesses whether a person took part is right at most, when half of them did.

    The bound of (ε, δ)-differential privacy as a test of two hypotheses (Kairouz, Oh and Viswanath, 2015): the sum of
    true positives and true negatives is at most 2·(e^ε + δ)/(1 + e^ε), so half of it is.
    """
    return min(1.0, (1 + delta * math.exp(-epsilon)) / (1 + math.exp(-epsilon)))


def bound_in_words(model: KnownModel) -> str:
    """What ε means for a person."""
    right = most_right(model.epsilon, model.delta)
    return (
        f"Whoever guesses whether somebody was among the persons is right in at most {100 * right:.1f} of 100 cases, "
        "whatever else they know; tossing a coin is right in 50."
    )


CHECKS = (
    Check(
        "models",
        frozenset({"model"}),
        _model,
        "Graphs of allowed operations and safetensors without anything beside the weights; which job trained them, and "
        "what its ε bounds.",
    ),
)
