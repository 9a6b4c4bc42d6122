"""What a Trust computes, as a stock ClientApp: the noisy sum of clipped per-person gradients."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from flwr.app import ArrayRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

MAX_GRAD_NORM = 1.0
NOISE = 2.0

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    _note_first_work(str(context.node_config["first_work"]))
    data = np.load(str(context.node_config["data"]))
    weights = message.content["weights"].to_numpy_ndarrays()[0]
    gradient = noisy_sum(weights, data["features"], data["labels"])
    return Message(RecordDict({"gradient": ArrayRecord([gradient])}), reply_to=message)


def noisy_sum(weights: np.ndarray, features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Σ over persons of the clipped gradient of the logistic loss (weights and bias), and Gaussian noise."""
    rows = np.column_stack([features, np.ones(len(features))])
    errors = 1 / (1 + np.exp(-rows @ weights)) - labels
    gradients = errors[:, None] * rows
    norms = np.linalg.norm(gradients, axis=1, keepdims=True)
    clipped = gradients * np.minimum(1, MAX_GRAD_NORM / np.maximum(norms, 1e-12))
    return clipped.sum(axis=0) + np.random.default_rng().normal(0, NOISE * MAX_GRAD_NORM, len(weights))


def _note_first_work(path: str) -> None:
    try:
        with Path(path).open("x", encoding="ascii") as file:
            file.write(repr(time.time()))
    except FileExistsError:
        return
