from __future__ import annotations

import pytest
from flip_sdk.contract import prepare
from flip_sdk.contract.jobs import DPSGD, FullBatch, Privacy
from flip_sdk.errors import EncodingError
from flip_sdk.secure_sum.layout import layout_of

from tests.trust.world import train_spec

PARAMETERS = {"weight": (1, 2), "bias": (1,)}


def test_preparation_sums_counts_and_where_asked_statistics():
    both = layout_of(train_spec(), "prepare", {})
    alone = layout_of(train_spec(privacy=Privacy(scaling="public_bounds")), "prepare", {})

    assert both.shapes == {"persons": (1,), "sum": (2,), "sum_of_squares": (2,)}
    assert both.sensitivity == prepare.sensitivity(train_spec())
    assert (alone.shapes, alone.sensitivity) == ({"persons": (1,)}, 1.0)


def test_training_sums_gradients():
    layout = layout_of(train_spec(privacy=Privacy(mechanism=FullBatch(max_grad_norm=0.3))), "train", PARAMETERS)

    assert (layout.shapes, layout.sensitivity) == (PARAMETERS, 0.3)
    assert layout.encoding.step * layout.encoding.integer_sensitivity == pytest.approx(0.3, rel=2e-3)


def test_a_mechanism_without_a_sum():
    with pytest.raises(EncodingError):
        layout_of(train_spec(privacy=Privacy(mechanism=DPSGD())), "train", PARAMETERS)
