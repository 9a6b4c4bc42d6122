"""Records of the airlock: what is asked to leave, what the checks found, what people decided."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from flip_sdk.contract.records import Digest, Finite, Instant, Line, Name, Record, Text, Token
from flip_sdk.contract.states import OutputState

MOST_FILES = 100
MOST_MARKS = 500

_SEGMENT = r"[A-Za-z0-9_][A-Za-z0-9_ .-]*"
FilePath = Annotated[str, StringConstraints(pattern=rf"^{_SEGMENT}(?:/{_SEGMENT})*$", max_length=200)]
"""A file's path within its request: relative, forward slashes, no part starts with a dot, at most 200 characters."""

FileKind = Literal["table", "text", "image", "notebook", "model", "document"]
Severity = Literal["note", "flag", "block"]
Verdict = Literal["pass", "flag", "block"]
OutputDecision = Literal["approve", "withhold"]


class CellMark(Record):
    """One cell of a table: both count from 0, and a header line is not counted."""

    row: Annotated[int, Field(ge=0)]
    column: Annotated[int, Field(ge=0)]


class Finding(Record):
    """What a check found in one file.

    Attributes:
        rule: a stable name, such as ``table.small_count`` or ``release.differs_by_few``.
        severity: ``note`` informs; ``flag`` needs a person's decision on this file; ``block`` is never released.
        message: what is wrong, for somebody who does not program.
        mend: what the researcher can do.
        cells: of a table, where.
        numbers: what was measured and the limit, by name.
        beside: an earlier release that it was compared with.
    """

    rule: Annotated[str, StringConstraints(pattern=r"^[a-z]+(?:\.[a-z_]+)+$", max_length=60)]
    severity: Severity
    message: Text
    mend: Text = ""
    cells: Annotated[tuple[CellMark, ...], Field(max_length=MOST_MARKS)] = ()
    numbers: dict[str, Finite] = Field(default_factory=dict)
    beside: Digest | None = None


class OutputStatement(Record):
    """What its author says of one file that is to leave.

    Attributes:
        path: within the request.
        content: digest of its bytes, which are uploaded before.
        title: what it is, in a line.
        context: what a checker has to know: variables, population, how it was made.
        jobs: whose results it is made of.
        counts: of a table, the columns that hold numbers of persons; all whole-numbered ones unless named.
        variables: of a table, what it is broken down by; tables of the same ones are compared.
        underlying: path of the file in the same request with the counts behind it (rates, means, figures). Such a file
            helps the checkers and does not leave.
        leaves: whether the file itself is to leave.
    """

    path: FilePath
    content: Digest
    title: Annotated[str, Field(min_length=3, max_length=200)]
    context: Text = ""
    jobs: Annotated[tuple[Token, ...], Field(max_length=50)] = ()
    counts: Annotated[tuple[Line, ...], Field(max_length=100)] = ()
    variables: Annotated[tuple[Line, ...], Field(max_length=20)] = ()
    underlying: FilePath | None = None
    leaves: bool = True


class NewRelease(Record):
    """Files that a researcher wants out of the environment, with what a checker has to know.

    Attributes:
        purpose: which planned output they are, and who will see them.
    """

    purpose: Annotated[str, Field(min_length=10, max_length=4000)]
    files: Annotated[tuple[OutputStatement, ...], Field(min_length=1, max_length=MOST_FILES)]
    idempotency_key: Token

    @model_validator(mode="after")
    def _whole(self) -> NewRelease:
        paths = [file.path for file in self.files]
        if len(set(paths)) != len(paths):
            raise ValueError("two files have the same path")
        if unknown := sorted({f.underlying for f in self.files if f.underlying} - set(paths)):
            raise ValueError(f"named as underlying, and not in the request: {', '.join(unknown)}")
        return self


class Examined(Record):
    """One file after its checks.

    Attributes:
        kind: what it was taken for, by its content and its name.
        verdict: the worst of its findings; ``pass`` where none needs a person.
        seconds: how long the checks took.
    """

    path: FilePath
    content: Digest
    bytes: Annotated[int, Field(ge=0)]
    kind: FileKind | None
    findings: tuple[Finding, ...] = ()
    verdict: Verdict = "pass"
    seconds: Finite = 0.0


class OutputView(Record):
    """One file of a release request as its project and its checkers see it.

    Attributes:
        decided: who has decided already; what they decided is not told before both have.
    """

    output_id: Token
    statement: OutputStatement
    state: OutputState
    examined: Examined | None = None
    decided: int = 0
    reason: str = ""
    released_at: Instant | None = None


class ReleaseView(Record):
    """A release request."""

    request_id: Token
    project_id: Name
    purpose: str
    requested_by: Line
    requested_at: Instant
    outputs: tuple[OutputView, ...]


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """The worst of some findings."""
    found = {finding.severity for finding in findings}
    if "block" in found:
        return "block"
    return "flag" if "flag" in found else "pass"
