"""Records of the airlock: what is asked to leave, what the checks found, what people decided."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

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
Audience = Literal["project", "signed-in", "public"]
"""For whom something is released: the project's team, everybody whom the hub knows, or everybody."""
AUDIENCES: tuple[Audience, ...] = ("project", "signed-in", "public")
"""The narrowest first."""


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
        dashboard: of a notebook, the published dashboard that is released with it: whoever may see the release sees it.
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
    dashboard: Name | None = None


class NewRelease(Record):
    """Files that a researcher wants out of the environment, with what a checker has to know.

    Attributes:
        purpose: which planned output they are, and who will see them.
        audience: who may fetch what is released. Checkers may narrow it; nobody widens it.
    """

    purpose: Annotated[str, Field(min_length=10, max_length=4000)]
    files: Annotated[tuple[OutputStatement, ...], Field(min_length=1, max_length=MOST_FILES)]
    audience: Audience = "project"
    idempotency_key: Token

    @model_validator(mode="before")
    @classmethod
    def _of_two_audiences(cls, value: Any) -> Any:
        """What was asked before there were three audiences said ``public``."""
        if isinstance(value, dict) and "public" in value and "audience" not in value:
            return {name: one for name, one in value.items() if name != "public"} | {
                "audience": "public" if value["public"] else "project"
            }
        return value

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


class DecisionView(Record):
    """One checker's decision, to those who may see it.

    Attributes:
        checker: who decided; empty to the project's team.
        audience: the widest that they let it go to; None: as asked.
        changed: whether it replaced an earlier one of theirs.
    """

    checker: Line = ""
    decision: OutputDecision
    audience: Audience | None = None
    reason: Text = ""
    decided_at: Instant
    changed: bool = False


class OutputView(Record):
    """One file of a release request as its project and its checkers see it.

    Attributes:
        decided: how many have decided already; what they decided is not told before both have.
        disputed: two checkers disagree, and a third one decides, or one of them changes their mind.
        yours: the decision of whoever asks.
        decisions: everybody's, once they are told.
        approved_before: the very same bytes were released by this project already.
        reason: why it was withheld, blocked or revoked.
        release_id: where it was released.
    """

    output_id: Token
    statement: OutputStatement
    state: OutputState
    examined: Examined | None = None
    decided: int = 0
    disputed: bool = False
    yours: DecisionView | None = None
    decisions: tuple[DecisionView, ...] = ()
    approved_before: bool = False
    reason: str = ""
    released_at: Instant | None = None
    release_id: Token | None = None

    @property
    def verdict(self) -> Verdict | None:
        """What its checks say; None while they run."""
        return self.examined.verdict if self.examined else None


class ReleaseView(Record):
    """A release request.

    Attributes:
        checking: its checks run, or run anew as something it has to be compared with was released since.
        open: whether anything of it still waits for somebody.
    """

    request_id: Token
    project_id: Name
    purpose: str
    requested_by: Line
    requested_at: Instant
    outputs: tuple[OutputView, ...]
    audience: Audience = "project"
    checking: bool = False
    open: bool = True


class CheckView(Record):
    """Checks that a researcher runs beforehand: nothing is submitted.

    Attributes:
        done: whether they have run.
        problem: why they could not.
    """

    check_id: Token
    project_id: Name
    done: bool = False
    files: tuple[Examined, ...] = ()
    problem: str = ""


class DecideOutputs(Record):
    """One checker's decision on files of one request.

    Several at once may be approved only where each passes every check, or is byte for byte what was approved before.

    Attributes:
        reason: needed to withhold a file that passes its checks, to approve one that does not, and to change one's
            mind. A flagged file that is withheld without one is withheld with the checks' own words.
        audience: of an approval, the widest audience that this checker lets it go to; what was asked where left out.
            The narrowest of what was asked and of what the checkers say counts.
    """

    outputs: Annotated[tuple[Token, ...], Field(min_length=1, max_length=MOST_FILES)]
    decision: OutputDecision
    reason: Text = ""
    audience: Audience | None = None


class WithReason(Record):
    """Why something is revoked or refused."""

    reason: Annotated[str, Field(min_length=3, max_length=4000)]


class ReleasedFile(Record):
    """A released file.

    Attributes:
        crate: digest of its Five Safes RO-Crate, as a zip archive.
        criteria: digest of the disclosure criteria that it was held to, as JSON.
        revoked_at: since when it is not served any more.
    """

    release_id: Token
    request_id: Token
    project_id: Name
    path: FilePath
    title: str
    content: Digest
    bytes: Annotated[int, Field(ge=0)]
    kind: FileKind | None
    crate: Digest
    criteria: Digest
    audience: Audience
    released_at: Instant
    revoked_at: Instant | None = None
    revoked_because: str = ""


def narrowest(*audiences: str | None) -> Audience:
    """The narrowest of some audiences; who says nothing does not narrow, and of nothing it is the project's team."""
    said = {one for one in audiences if one is not None}
    return next((one for one in AUDIENCES if one in said), "project")


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """The worst of some findings."""
    found = {finding.severity for finding in findings}
    if "block" in found:
        return "block"
    return "flag" if "flag" in found else "pass"
