"""One round of any training job, by its mechanism: what the hub and a simulation both call."""

from __future__ import annotations

from collections.abc import Mapping

from flip_sdk.contract.jobs import DPSGD, FullBatch, SufficientStatistics, TrainSpec
from flip_sdk.mechanisms.aggregate.federated import average
from flip_sdk.mechanisms.aggregate.scaling import Prepared
from flip_sdk.mechanisms.aggregate.solving import solve
from flip_sdk.mechanisms.aggregate.training import descend


def advance(
    spec: TrainSpec, state: bytes, released: Mapping[str, Prepared], persons: Mapping[str, float], number: int
) -> tuple[bytes, dict[str, float]]:
    """After round ``number`` of ``train``: the next state, and numbers to plot.

    Args:
        spec: the job.
        state: the state before.
        released: what was released in this round, by Trust; with noise shares by one name alone.
        persons: noisy persons, by the same names.
        number: 1 … rounds.
    """
    tensors = {trust: one.tensors for trust, one in released.items()}
    noise = {trust: one.noise_multiplier for trust, one in released.items()}
    mechanism, rounds = spec.privacy.mechanism, spec.rounds
    match mechanism:
        case FullBatch():
            return descend(state, tensors, persons, mechanism, noise=noise, round_number=number, rounds=rounds)
        case DPSGD():
            return average(state, tensors, persons, mechanism, round_number=number, rounds=rounds)
        case SufficientStatistics():
            return solve(state, tensors, noise, spec.loss)
