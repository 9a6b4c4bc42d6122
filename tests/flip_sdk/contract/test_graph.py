"""A graph from outside is read by pure Python, and every rule it breaks is told."""

from __future__ import annotations

import json
import struct
import subprocess
import sys

import pytest
from flip_sdk.contract.graph import (
    Limits,
    check_graph,
    check_output,
    check_weights,
    parse_graph,
    safetensors_specs,
)
from flip_sdk.contract.operators import OPERATORS
from flip_sdk.errors import ModelError, ModelTooLargeError


def value(number):
    return {"value": number}


def spec(*shape, dtype="float32"):
    return {"shape": list(shape), "dtype": dtype}


def linear_graph(**changes):
    graph = {
        "schema_version": 1,
        "input": spec(1, 3),
        "weights": [
            {"key": "w", "trained": True, **spec(1, 3)},
            {"key": "b", "trained": True, **spec(1)},
        ],
        "nodes": [node("aten.linear.default", [value(0), value(1), value(2)], spec(1, 1))],
        "output": 3,
    }
    return graph | changes


def node(op, args, *results, **named):
    return {"op": op, "args": args, "named": named, "results": list(results)}


def parsed(graph, **limits):
    return parse_graph(json.dumps(graph).encode(), Limits(**limits))


def test_a_linear_layer_is_read():
    record = parsed(linear_graph())
    assert record.features == 3
    assert set(record.parameters) == {"w", "b"}
    assert check_output(record, 3, "binary_cross_entropy") == []
    assert check_graph(record) == []


@pytest.mark.parametrize(
    "graph",
    [
        {"input": spec(1, 3)},
        linear_graph(surprise=1),
        linear_graph(output="3"),
        linear_graph(output=True),
        linear_graph(nodes=[{"op": "aten.relu.default", "args": [{"value": 0, "more": 1}], "results": [spec(1, 3)]}]),
        linear_graph(nodes=[node("aten.relu.default", [[[0]]], spec(1, 3))]),
        linear_graph(weights=[{"key": "../../etc/passwd", "trained": True, **spec(1, 3)}]),
        linear_graph(weights=[{"key": "w", "trained": True, **spec(1, -3)}]),
        linear_graph(input=spec(1, 3, dtype="complex64")),
    ],
)
def test_what_does_not_fit_the_schema_is_no_graph(graph):
    with pytest.raises(ModelError):
        parsed(graph)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\x80\x04.", b"{" * 5000, b"[" * 100_000, b'{"a": NaN}'])
def test_what_is_not_json_is_no_graph(content):
    with pytest.raises(ModelError):
        parse_graph(content)


@pytest.mark.parametrize(
    "bad",
    [
        node("aten.from_file.default", ["/etc/passwd"], spec(1, 1)),
        node("aten.relu_.default", [value(0)], spec(1, 3)),
        node("prim.load", [value(0)], spec(1, 3)),
        node("os.system", ["true"], spec(1, 3)),
        node("aten.relu.default", [value(0), value(0)], spec(1, 3)),
        node("aten.relu.default", [], spec(1, 3)),
        node("aten.relu.default", [3.0], spec(1, 3)),
        node("aten.relu.default", [value(3)], spec(1, 3)),
        node("aten.relu.default", [value(4)], spec(1, 3)),
        node("aten.relu.default", [value(0)], spec(1, 3), out=value(0)),
        node("aten.relu.default", [value(0)], spec(1, 3), spec(1, 3)),
        node("aten.cat.default", [[value(0), 1]], spec(1, 3)),
        node("aten.view.default", [value(0), [1, "3"]], spec(1, 3)),
        node("aten.view.default", [value(0), [1, True]], spec(1, 3)),
        node("aten.view.default", [value(0), [1, 2**60]], spec(1, 3)),
        node("aten.gelu.default", [value(0)], spec(1, 3), approximate="__import__"),
        node("aten.to.dtype", [value(0), "object"], spec(1, 3)),
        node("aten.full.default", [[1], 1.0], spec(1), dtype="float16"),
        node("getitem", [value(0), 0], spec(1, 3)),
        node("getitem", [value(3), 0], spec(1, 3)),
    ],
)
def test_a_node_that_breaks_a_rule_is_told(bad):
    with pytest.raises(ModelError) as caught:
        parsed(linear_graph(nodes=[bad], output=3))
    assert not isinstance(caught.value, ModelTooLargeError)


def test_every_broken_rule_is_told_at_once():
    nodes = [node("aten.bad.default", [value(0)], spec(1, 3)), node("aten.relu.default", [], spec(1, 3))]
    with pytest.raises(ModelError) as caught:
        parsed(linear_graph(nodes=nodes))
    assert "Node 0" in caught.value.message
    assert "Node 1" in caught.value.message


def test_results_of_an_operator_with_several_are_taken_one_by_one():
    split = node("aten.split.Tensor", [value(0), 1, 1], spec(1, 1), spec(1, 1), spec(1, 1))
    taken = node("getitem", [value(3), 2], spec(1, 1))
    sums = node("aten.mul.Tensor", [value(4), value(2)], spec(1, 1))
    assert parsed(linear_graph(nodes=[split, taken, sums], output=5)).output == 5
    for wrong in (
        node("getitem", [value(3), 3], spec(1, 1)),
        node("getitem", [value(3), -1], spec(1, 1)),
        node("getitem", [value(3), 0], spec(9, 9)),
        node("aten.relu.default", [value(3)], spec(1, 1)),
    ):
        with pytest.raises(ModelError):
            parsed(linear_graph(nodes=[split, wrong], output=4))


@pytest.mark.parametrize(
    ("graph", "limits"),
    [
        (linear_graph(nodes=[node("aten.relu.default", [value(0)], spec(1, 3))] * 6), {"nodes": 5}),
        (linear_graph(), {"tensors": 1}),
        (linear_graph(), {"parameters": 3}),
        (
            linear_graph(nodes=[node("aten.expand.default", [value(0), [9, 9, 3]], spec(9, 9, 3))]),
            {"elements": 99},
        ),
        (linear_graph(nodes=[node("aten.view.default", [value(0), [1] * 9], spec(*[1] * 9))]), {"dimensions": 8}),
        (linear_graph(), {"person_bytes": 50}),
        (linear_graph(), {"graph_bytes": 50}),
    ],
)
def test_each_limit_holds(graph, limits):
    with pytest.raises(ModelTooLargeError):
        parsed(graph, **limits)


def test_sizes_that_overflow_are_too_large_and_not_an_error():
    huge = [node("aten.expand.default", [value(0), [1, 3]], spec(*[2**40] * 8))]
    with pytest.raises(ModelTooLargeError):
        parsed(linear_graph(nodes=huge))


@pytest.mark.parametrize(
    ("changes", "loss"),
    [
        ({"input": spec(1, 4)}, "mse"),
        ({}, "cross_entropy"),
        ({"nodes": [node("aten.relu.default", [value(0)], spec(1, 3))]}, "binary_cross_entropy"),
        ({"nodes": [node("aten.relu.default", [value(0)], spec(3, 1))]}, "cross_entropy"),
        ({"nodes": [node("aten.gt.Scalar", [value(0), 0], spec(1, 1, dtype="bool"))]}, "mse"),
    ],
)
def test_the_model_has_to_fit_features_and_loss(changes, loss):
    assert check_output(parsed(linear_graph(**changes)), 3, loss)


def blob(header):
    content = json.dumps(header).encode()
    return struct.pack("<Q", len(content)) + content


def test_weights_are_compared_by_their_header():
    record = parsed(linear_graph())
    entry = {"dtype": "F32", "data_offsets": [0, 0]}
    good = blob({"w": {**entry, "shape": [1, 3]}, "b": {**entry, "shape": [1]}})
    assert check_weights(record, good) == []
    assert check_weights(record, blob({"w": {**entry, "shape": [1, 3]}}))
    assert check_weights(record, blob({"w": {**entry, "shape": [3, 1]}, "b": {**entry, "shape": [1]}}))
    assert check_weights(
        record, blob({"w": {**entry, "shape": [1, 3]}, "b": {**entry, "shape": [1]}, "c": {**entry, "shape": []}})
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 8,
        struct.pack("<Q", 2**63) + b"{}",
        blob([]),
        blob({"w": []}),
        blob({"w": {"dtype": "F8"}}),
    ],
)
def test_what_is_not_safetensors_is_refused(content):
    with pytest.raises(ModelError):
        safetensors_specs(content)


def test_too_many_bytes_of_weights_are_refused_unread():
    with pytest.raises(ModelTooLargeError):
        safetensors_specs(b"\x00" * 100, Limits(weights_bytes=99))


def test_no_operator_on_the_list_mutates_reads_files_or_draws_numbers():
    words = ("_.", "file", "out", "rand", "bernoulli", "item", "numpy", "resize", "set_", "data_ptr", "storage", "load")
    drops = {"aten.dropout.default", "aten.feature_dropout.default", "aten.native_dropout.default"}
    suspects = {name for name in OPERATORS if any(word in name for word in words)}
    assert suspects == drops


def test_the_contract_is_read_without_torch():
    code = "import sys, flip_sdk.contract.graph, flip_sdk.models; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
