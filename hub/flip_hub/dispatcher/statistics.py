"""A statistics job as pure steps over accepted updates; the numbers are ``flip_sdk.mechanisms.statistics``'s.

Tables and means take one release. Regressions take several: the coefficients of one round travel with the next as its
weights, and what the rounds have added up to is the checkpoint's state, one safetensors blob.
"""

from __future__ import annotations

from collections.abc import Mapping

from flip_sdk.accounting.calibrate import event_for
from flip_sdk.accounting.events import Gaussian
from flip_sdk.contract.jobs import StatisticsSpec
from flip_sdk.contract.records import digest
from flip_sdk.contract.statistics import (
    CoxRegression,
    Estimate,
    LinearRegression,
    LogisticRegression,
    Mean,
    rounds_of,
)
from flip_sdk.mechanisms.statistics import answers, newton
from safetensors.numpy import load, save

from flip_hub.dispatcher.accept import AcceptedUpdate
from flip_hub.dispatcher.arithmetic import Progress
from flip_hub.dispatcher.errors import ReplyError
from flip_hub.dispatcher.facts import Round

Updates = Mapping[str, AcceptedUpdate]


def statistics_round(progress: Progress | None) -> tuple[Round, bytes | None]:
    """The round that follows a checkpoint, or the first: the same one however often it is asked for."""
    if progress is None:
        return Round("statistics", 0), None
    weights = bytes(save({"coefficients": load(progress.state)["coefficients"]}))
    return Round("statistics", progress.round + 1, digest(weights)), weights


def is_last(spec: StatisticsSpec, number: int) -> bool:
    """Whether the answer follows from this round."""
    return number + 1 >= rounds_of(spec.question)


def advance(spec: StatisticsSpec, progress: Progress | None, number: int, updates: Updates) -> bytes:
    """The state after a regression's round.

    Raises:
        ReplyError: the question is no regression.
    """
    question = spec.question
    if not isinstance(question, LinearRegression | LogisticRegression | CoxRegression):
        raise ReplyError(f"{question.kind} has no rounds")
    before = load(progress.state) if progress is not None else newton.first(question)
    released = {trust: update.tensors for trust, update in updates.items()}
    return bytes(save(newton.advance(question, before, released, _noise_multiplier(spec), number)))


def answer(spec: StatisticsSpec, progress: Progress | None, number: int, updates: Updates) -> tuple[Estimate, ...]:
    """The answer, after the last round."""
    question = spec.question
    released = {trust: update.tensors for trust, update in updates.items()}
    match question:
        case LinearRegression() | LogisticRegression() | CoxRegression():
            state = load(advance(spec, progress, number, updates))
            return tuple(newton.estimates(question, state, _noise_multiplier(spec)))
        case Mean():
            return answers.of_means(question, released, _noise_multiplier(spec))
        case _:
            return answers.of_cells(question, released, spec.epsilon)


def _noise_multiplier(spec: StatisticsSpec) -> float:
    event = event_for(spec, "statistics")
    if not isinstance(event, Gaussian):
        raise ReplyError("sums carry Gaussian noise")
    return event.noise_multiplier
