"""The steps of a job as its researcher watches them: a name, a sentence, and numbers out of noisy releases only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from flip_sdk.contract.tasks import REFUSAL_WORDS, RefusalCode


class EventName(StrEnum):
    """Every event the dispatcher writes; the ones of the state table have its names."""

    EXECUTING = "job.executing"
    UPDATE = "update"
    KEYS = "keys"
    ROUND = "round"
    AGAIN = "again"
    REFUSED = "refused"
    RESENT = "resent"
    WAITING = "waiting"
    LEFT_OUT = "left_out"
    LATE = "late"
    COMPLETED = "job.completed"
    CANCELLED = "job.cancelled"
    FAILED = "job.failed"


@dataclass(frozen=True)
class Happening:
    """A ``JobEvent`` that has no number and date yet."""

    event: EventName
    words: str
    round: int = 0
    trust: str | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)


def executing(trusts: Sequence[str]) -> Happening:
    """The job starts."""
    return Happening(EventName.EXECUTING, f"The job is signed off for {', '.join(trusts)}.")


def update(trust: str, number: int, *, suppressed: bool) -> Happening:
    """A Trust's release has arrived."""
    words = f"{trust} answered: under its floor of distinct persons." if suppressed else f"{trust} answered."
    return Happening(EventName.UPDATE, words, number, trust)


def refused(trust: str, number: int, code: RefusalCode) -> Happening:
    """A Trust says no for good."""
    return Happening(EventName.REFUSED, f"{trust} refused: {REFUSAL_WORDS[code]}", number, trust)


def resent(trust: str, number: int, why: str) -> Happening:
    """A Trust is asked again."""
    return Happening(EventName.RESENT, f"{trust} is asked again: {why}.", number, trust)


def waiting(trust: str, number: int, words: str) -> Happening:
    """A round waits for a Trust that is not connected."""
    return Happening(EventName.WAITING, f"{trust} is {words}; the round waits for it.", number, trust)


def left_out(trust: str, number: int, words: str) -> Happening:
    """A round goes on without a Trust."""
    return Happening(EventName.LEFT_OUT, f"{trust} is left out: {words.rstrip('.')}.", number, trust)


def late(trust: str, number: int) -> Happening:
    """An answer came after its round had closed."""
    return Happening(EventName.LATE, f"{trust} answered after its round had closed; that is not used.", number, trust)


def round_closed(step: str, number: int, rounds: int, numbers: Mapping[str, float]) -> Happening:
    """A round is aggregated and kept."""
    count = int(numbers["trusts"])
    of = f"{count} Trust{'' if count == 1 else 's'}"
    names = {"train": f"Round {number} of {rounds}", "statistics": f"Step {number + 1} of {rounds}"}
    words = f"{names[step]}: {of}." if step in names else f"Prepared with {of}."
    return Happening(EventName.ROUND, words, number, None, numbers)


def keys_exchanged(trusts: Sequence[str]) -> Happening:
    """The Trusts that share the noise have each other's keys."""
    words = f"{len(trusts)} Trusts share the noise: {', '.join(trusts)}. Nobody but themselves can tell them apart."
    return Happening(EventName.KEYS, words, 0, None, {"trusts": float(len(trusts))})


def summed_again(number: int, trusts: Sequence[str]) -> Happening:
    """A sum is tried again over fewer Trusts."""
    words = f"Asked again, with fresh noise, over {len(trusts)} Trusts: {', '.join(trusts)}."
    return Happening(EventName.AGAIN, words, number, None, {"trusts": float(len(trusts))})


def completed(words: str, number: int) -> Happening:
    """The job is done."""
    return Happening(EventName.COMPLETED, words, number)


def cancelled(reason: str, number: int) -> Happening:
    """Somebody stopped the job."""
    return Happening(EventName.CANCELLED, reason, number)


def failed(reason: str, number: int) -> Happening:
    """The job ends without a result."""
    return Happening(EventName.FAILED, reason, number)
