"""Logistic regression by the product's rules on many splits at once: one numpy path instead of a Trust for each.

The noise is the ledger's (``accounting.calibrate``), the scaling the hub's (``scaling_from``), the learning rate the
hub's (``automatic_rate``); the clipped sums are the closed form over a stack of splits. ``tests/benchmarks`` holds it
against the product's own path: the same noise gives the same weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from flip_sdk.accounting.calibrate import event_for
from flip_sdk.contract.jobs import DPSGD, DistributedNoise, FullBatch, Scaling, TrainSpec
from flip_sdk.contract.prepare import MIDDLE_OF_SQUARES, longest, sensitivity, weight_of_count
from flip_sdk.mechanisms.aggregate import Prepared, automatic_rate, scaling_from
from flip_sdk.mechanisms.features import shortened

Array = npt.NDArray[np.float64]
Generator = np.random.Generator


@dataclass(frozen=True)
class Stack:
    """Cohorts of the same features, one beside the other, filled up with nobodies.

    Attributes:
        rows: ``[cohorts, persons, d]`` raw features.
        labels: ``[cohorts, persons]`` 0 or 1.
        there: ``[cohorts, persons]`` 1 for a person, 0 for nobody.
    """

    rows: Array
    labels: Array
    there: Array

    @property
    def persons(self) -> Array:
        """``[cohorts]``: how many there are."""
        total: Array = self.there.sum(axis=1)
        return total

    def each(self) -> list[tuple[Array, Array]]:
        """Rows and labels of every cohort, without the nobodies."""
        return [(x[t > 0], y[t > 0]) for x, y, t in zip(self.rows, self.labels, self.there, strict=True)]


def stacked(cohorts: list[tuple[Array, Array]]) -> Stack:
    """Rows and labels of cohorts as one stack."""
    most, width = max(len(y) for _, y in cohorts), cohorts[0][0].shape[1]
    stack = Stack(np.zeros((len(cohorts), most, width)), np.zeros((len(cohorts), most)), np.zeros((len(cohorts), most)))
    for i, (x, y) in enumerate(cohorts):
        stack.rows[i, : len(y)], stack.labels[i, : len(y)], stack.there[i, : len(y)] = x, y, 1.0
    return stack


def noise_of(spec: TrainSpec, step: str, trusts: int) -> float:
    """Noise multiplier of what all Trusts together release in a step, everybody being honest."""
    event = event_for(spec, step, trusts)
    noise: float = getattr(event, "noise_multiplier")  # noqa: B009 - every event of these jobs has one
    return noise * math.sqrt(trusts)


def scalings(stack: Stack, bounds: Array, spec: TrainSpec, trusts: int, random: Generator) -> list[Scaling]:
    """What ``prepare`` tells about each cohort: noisy means and spreads."""
    noise, scale = noise_of(spec, "prepare", trusts), sensitivity(spec)
    middle, half = bounds.mean(axis=1), (bounds[:, 1] - bounds[:, 0]) / 2
    found = []
    for x, _ in stack.each():
        unit = np.clip((x - middle) / half, -1.0, 1.0)
        both = shortened(np.concatenate([unit, unit**2 - MIDDLE_OF_SQUARES], axis=1), longest(x.shape[1]))
        total = both.sum(axis=0) + noise * scale * random.standard_normal(2 * x.shape[1])
        counted = len(x) + noise * scale / weight_of_count(spec) * random.standard_normal(1)
        halves = {"sum": total[: x.shape[1]], "sum_of_squares": total[x.shape[1] :]}
        found.append(scaling_from({"all": Prepared({"persons": counted, **halves}, noise)}, spec)[1])
    return found


def fed(stack: Stack, bounds: Array, scaling: list[Scaling]) -> Array:
    """``[cohorts, persons, d + 1]``: rows as the model is fed, each cohort by its own scaling, and a constant 1."""
    shift, scale = (np.array([getattr(s, name) for s in scaling])[:, None, :] for name in ("shift", "scale"))
    rows = (np.clip(stack.rows, bounds[:, 0], bounds[:, 1]) - shift) / scale
    norms = np.linalg.norm(rows, axis=2, keepdims=True)
    longest_rows = np.array([s.max_norm or np.inf for s in scaling])[:, None, None]
    rows *= np.minimum(1.0, longest_rows / np.maximum(norms, 1e-300))
    return np.concatenate([rows, np.ones((*rows.shape[:2], 1))], axis=2) * stack.there[:, :, None]


def counted(stack: Stack, spec: TrainSpec, trusts: int, random: Generator) -> Array:
    """``[cohorts]``: noisy persons, as ``prepare`` tells them."""
    deviation = noise_of(spec, "prepare", trusts) * sensitivity(spec) / weight_of_count(spec)
    return np.maximum(1.0, stack.persons + deviation * random.standard_normal(len(stack.there)))


def full_batch(stack: Stack, rows: Array, persons: Array, spec: TrainSpec, trusts: int, noise: Array) -> Array:
    """Weights ``[cohorts, d + 1]`` after all rounds, the iterates of the last half averaged.

    Args:
        stack: the cohorts.
        rows: as :func:`fed` gives them.
        persons: noisy, by which sums are divided.
        spec: the job.
        trusts: how many Trusts add noise.
        noise: ``[rounds, cohorts, d + 1]`` standard normal.
    """
    mechanism, multiplier = spec.privacy.mechanism, noise_of(spec, "train", trusts)
    assert isinstance(mechanism, FullBatch)
    size = rows.shape[2]
    fixed = mechanism.learning_rate
    rates = np.array([fixed or automatic_rate(multiplier / n, size, spec.rounds) for n in persons])[:, None]
    now = np.zeros((len(rows), size))
    total, averaged = np.zeros_like(now), 0
    for number in range(1, spec.rounds + 1):
        # weights travel as float32
        total_clipped = clipped_sum(rows, stack.labels, now.astype(np.float32).astype(np.float64), mechanism)
        gradient = total_clipped / mechanism.max_grad_norm + multiplier * noise[number - 1]
        now = now - rates * gradient / persons[:, None]
        if 2 * number > spec.rounds:
            total, averaged = total + now, averaged + 1
    return total / averaged


def clipped_sum(rows: Array, labels: Array, weights: Array, mechanism: FullBatch | DPSGD) -> Array:
    """``[cohorts, d + 1]``: sums of clipped gradients of the logistic loss; a row of zeros adds nothing."""
    residual = 0.5 * (1 + np.tanh(np.matmul(rows, weights[:, :, None])[:, :, 0] / 2)) - labels
    norms = np.abs(residual) * np.linalg.norm(rows, axis=2)
    shares = residual * np.minimum(1.0, mechanism.max_grad_norm / np.maximum(norms, 1e-300))
    total: Array = np.matmul(shares[:, None, :], rows)[:, 0, :]
    return total


def federated(stacks: list[Stack], rows: list[Array], spec: TrainSpec, random: Generator) -> Array:
    """Local DP-SGD with full noise at each Trust, then federated averaging; weights ``[cohorts, d + 1]``.

    Args:
        stacks: each Trust's cohorts, one for every split.
        rows: as :func:`fed` gives them.
        spec: the job; its mechanism is DP-SGD.
        random: for samples and noise.
    """
    mechanism, event = spec.privacy.mechanism, event_for(spec, "train")
    assert isinstance(mechanism, DPSGD)
    noise: float = getattr(event, "noise_multiplier")  # noqa: B009 - every event of these jobs has one
    counts = np.array([stack.persons for stack in stacks])
    now = np.zeros((len(rows[0]), rows[0].shape[2]))
    for _ in range(spec.rounds):
        moved = np.zeros_like(now)
        for stack, x, persons in zip(stacks, rows, counts, strict=True):
            local = now.copy()
            for _ in range(mechanism.local_steps):
                chosen = random.random(stack.there.shape) < mechanism.sampling_rate
                total = clipped_sum(x * chosen[:, :, None], stack.labels, local, mechanism)
                total += noise * mechanism.max_grad_norm * random.standard_normal(total.shape)
                expected = np.maximum(1.0, persons * mechanism.sampling_rate)[:, None]
                local -= mechanism.learning_rate * total / expected
            moved += (local - now) * (persons / counts.sum(axis=0))[:, None]
        now = now + moved
    return now


def scores(rows: Array, weights: Array) -> Array:
    """Logits ``[cohorts, persons]``."""
    logits: Array = np.matmul(rows, weights[:, :, None])[:, :, 0]
    return logits


def is_shared(spec: TrainSpec) -> bool:
    """Whether the job's noise is shared among its Trusts."""
    return isinstance(spec.privacy.trust_model, DistributedNoise)
