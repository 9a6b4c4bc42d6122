"""People and models that the engine's tests share."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from flip_sdk.mechanisms.snapshot import Snapshot
from flip_sdk.models import ExportedModel, export_model

from tests.flip_sdk.models.zoo import FEATURES, GOOD

BOUNDS = np.tile([-3.0, 3.0], (FEATURES, 1))


def people(count: int = 40, seed: int = 0, classes: int = 2) -> Snapshot:
    random = np.random.default_rng(seed)
    features = random.normal(size=(count, FEATURES))
    labels = random.integers(0, classes, count)
    features[0, 0] = np.nan
    return Snapshot(features, labels.astype(np.int64))


@cache
def model(name: str) -> tuple[ExportedModel, str]:
    return export_model(own_module(name), FEATURES, GOOD[name][1]), GOOD[name][1]


def own_module(name: str) -> torch.nn.Module:
    """The module that ``model`` exports."""
    torch.manual_seed(3)
    return GOOD[name][0]()


def node(op, args, *shapes, **named):
    return {"op": op, "args": args, "named": named, "results": [{"shape": list(s), "dtype": "float32"} for s in shapes]}


def value(number):
    return {"value": number}


def graph(nodes, output, weights=(("w", (1, FEATURES)),)):
    """A hand-written graph; value 0 is the input, 1 the first weight."""
    return {
        "schema_version": 1,
        "input": {"shape": [1, FEATURES], "dtype": "float32"},
        "weights": [{"key": k, "trained": True, "shape": list(s), "dtype": "float32"} for k, s in weights],
        "nodes": nodes,
        "output": output,
    }
