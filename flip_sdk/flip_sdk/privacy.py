"""The guarantee a researcher asks for, in the form a person types it."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from flip_sdk.contract import jobs
from flip_sdk.contract.jobs import DPSGD, FullBatch
from flip_sdk.contract.records import Record
from flip_sdk.errors import RecordError

SomeRecord = TypeVar("SomeRecord", bound=Record)
_FULL_BATCH = FullBatch()


class Privacy(jobs.Privacy):
    """How much the whole job may reveal about any one person, at each Trust.

    ``epsilon`` bounds how much more likely any result can become because one person's record is in the data (a factor
    of e^epsilon); smaller is more private. ``delta`` is the probability outside that bound. The unit is a person.

    Args:
        epsilon: for the whole job, noisy counts and feature statistics included.
        delta: keep it well below one over the number of persons.
        mechanism: ``FullBatch()`` for small tables, ``DPSGD()`` for larger models and cohorts.
        scaling: measure noisy means and spreads of the features for a part of the budget, or use public bounds alone.
        scaling_share: that part.

    Raises:
        RecordError: a number is out of its range.
    """

    def __init__(
        self,
        epsilon: float = 3.0,
        delta: float = 1e-5,
        mechanism: FullBatch | DPSGD = _FULL_BATCH,
        scaling: Literal["public_bounds", "dp_statistics"] = "dp_statistics",
        scaling_share: float = 0.2,
        **more: Any,
    ) -> None:
        try:
            super().__init__(
                epsilon=epsilon,
                delta=delta,
                mechanism=mechanism,
                scaling=scaling,
                scaling_share=scaling_share,
                **more,
            )
        except ValidationError as error:
            raise RecordError("Privacy", error) from error

    def record(self) -> jobs.Privacy:
        """As the contract's own record."""
        return jobs.Privacy.parse(self.canonical())


def build(record: type[SomeRecord], **fields: Any) -> SomeRecord:
    """A record out of what a person gave.

    Raises:
        RecordError: with every field that does not fit.
    """
    try:
        return record(**fields)
    except ValidationError as error:
        raise RecordError(record.__name__, error) from error
