"""The allow-list says the same as torch does about every operator on it."""

from __future__ import annotations

import pytest
import torch
from flip_sdk.contract.operators import OPERATORS
from flip_sdk.models.operators import TABLE, overload

_TYPES = {
    "tensor": {"Tensor"},
    "tensor?": {"Optional[Tensor]"},
    "tensor|number": {"Tensor"},
    "tensors": {"List[Tensor]"},
    "int": {"int"},
    "int?": {"Optional[int]"},
    "ints": {"List[int]"},
    "ints?": {"Optional[List[int]]"},
    "number": {"number", "float"},
    "number?": {"Optional[number]", "Optional[float]"},
    "bool": {"bool", "Optional[bool]"},
    "dtype": {"int", "Optional[int]"},
    "dtype?": {"Optional[int]"},
    "memory_format?": {"int", "Optional[int]"},
    "word": {"str"},
    "null": {"Optional[Tensor]"},
}


@pytest.mark.parametrize("name", OPERATORS)
def test_a_row_agrees_with_torchs_own_schema(name):
    row, schema = OPERATORS[name], overload(name)._schema
    positional = [argument for argument in schema.arguments if not argument.kwarg_only]
    named = {argument.name: str(argument.type) for argument in schema.arguments if argument.kwarg_only}
    assert len(positional) == len(row.positions)
    assert row.required <= sum(not argument.has_default_value() for argument in positional)
    for argument, kind in zip(positional, row.positions, strict=True):
        assert str(argument.type) in _TYPES[kind], argument.name
    for key, kind in row.named.items():
        assert named[key] in _TYPES[kind], key
    assert row.many == (len(schema.returns) != 1 or "List" in str(schema.returns[0].type))
    assert not schema.is_mutable


def test_every_row_can_be_run():
    assert set(OPERATORS) < set(TABLE)
    assert set(TABLE) - set(OPERATORS) == {"getitem"}


@pytest.mark.parametrize("index", [-(2**40), -1, 0, 4, 5, 2**40])
def test_an_index_out_of_range_is_clamped_and_tells_nothing(index):
    weight, position = torch.arange(10.0).reshape(5, 2), torch.tensor([index])
    expected = weight[min(4, max(0, index))]
    assert torch.equal(TABLE["aten.embedding.default"](weight, position)[0], expected)
    assert torch.equal(TABLE["aten.index_select.default"](weight, 0, position)[0], expected)


def test_attention_agrees_with_torchs_own():
    query, key, value = torch.randn(3, 1, 2, 5, 4).unbind(0)
    attend = TABLE["aten.scaled_dot_product_attention.default"]
    own = torch.nn.functional.scaled_dot_product_attention
    mask = torch.rand(5, 5) > 0.3
    mask[:, 0] = True
    assert torch.allclose(attend(query, key, value), own(query, key, value), atol=1e-6)
    assert torch.allclose(attend(query, key, value, None, 0.0, True), own(query, key, value, is_causal=True), atol=1e-6)
    assert torch.allclose(attend(query, key, value, mask), own(query, key, value, mask), atol=1e-6)
    assert torch.allclose(attend(query, key, value, scale=0.1), own(query, key, value, scale=0.1), atol=1e-6)
