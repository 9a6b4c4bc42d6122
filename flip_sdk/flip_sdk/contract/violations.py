"""A broken rule of a job, as people and programs read it."""

from __future__ import annotations

from flip_sdk.contract.records import Line, Record


class Violation(Record):
    """One broken rule.

    Attributes:
        rule: stable name of the rule, for programs and tests.
        where: path inside the JobSpec, such as ``features[2].low``.
        message: what is wrong.
        mend: what to do.
    """

    rule: Line
    where: Line
    message: str
    mend: str = ""
