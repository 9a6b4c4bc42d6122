"""What the checks know of the past: earlier releases, results of jobs, trained models, and the limits in force."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from flip_sdk.contract.airlock import OutputStatement
from flip_sdk.contract.api import JobResult
from flip_sdk.contract.records import Delta, Digest, Finite, Line, Name, Record, Token

from flip_hub.airlock.checks.counting import Counted
from flip_hub.airlock.checks.grid import Grid
from flip_hub.airlock.checks.limits import Limits
from flip_hub.airlock.checks.tables import Table

MOST_NUMBERS = 200_000


class ReleasedTable(Record):
    """A table that was released before.

    Attributes:
        content: digest of the file.
        project: whose release it was.
        statement: what was said of it.
        table: its cells.
    """

    content: Digest
    project: Name
    statement: OutputStatement
    table: Table

    @cached_property
    def grid(self) -> Grid:
        """Its counts by category."""
        return Grid.of(Counted.of(self.table, self.statement))


class KnownResult(Record):
    """What a job of this project released, for numbers to be recognised by.

    Attributes:
        numbers: every number of the result.
        files: digests of files that hold the result as it came.
    """

    job: Token
    epsilon: Finite
    delta: Finite = 0.0
    numbers: tuple[Finite, ...] = ()
    files: tuple[Digest, ...] = ()

    @classmethod
    def of(cls, result: JobResult, files: tuple[str, ...] = ()) -> KnownResult:
        """Of a job's result as the hub keeps it."""
        answer = result.model_dump(mode="json", include={"counts", "figures", "statistics", "history"})
        for step in answer.get("history", ()):
            step.pop("round", None)
            step.pop("trusts", None)
        numbers = tuple(dict.fromkeys(_numbers(answer)))[:MOST_NUMBERS]
        return cls(job=result.job_id, epsilon=result.epsilon, delta=result.delta, numbers=numbers, files=files)


class KnownModel(Record):
    """A model version that a job of this project trained under differential privacy.

    Attributes:
        graph: digest of its graph.
        weights: digest of its weights.
    """

    job: Token
    graph: Digest
    weights: Digest
    epsilon: Finite
    delta: Delta
    trusts: tuple[Line, ...] = ()


class Past(Record):
    """Frozen knowledge that a request is compared with.

    Attributes:
        project: whose request it is.
        limits: the preset in force.
        released: earlier releases of this project, and of others on the same data.
        results: of this project's jobs.
        models: of this project's jobs.
        approved: digests of files that people approved before.
    """

    project: Name
    limits: Limits
    released: tuple[ReleasedTable, ...] = ()
    results: tuple[KnownResult, ...] = ()
    models: tuple[KnownModel, ...] = ()
    approved: tuple[Digest, ...] = ()


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int | float):
        yield float(value)
    elif isinstance(value, dict):
        for part in value.values():
            yield from _numbers(part)
    elif isinstance(value, list):
        for part in value:
            yield from _numbers(part)
