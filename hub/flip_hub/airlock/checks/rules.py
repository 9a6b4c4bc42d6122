"""What a check is made of: rules in words, and the file that it looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from flip_sdk.contract.airlock import MOST_MARKS, CellMark, FileKind, Finding, OutputStatement, Severity

from flip_hub.airlock.checks.counting import Counted
from flip_hub.airlock.checks.grid import Grid
from flip_hub.airlock.checks.limits import Limits
from flip_hub.airlock.checks.past import Past
from flip_hub.airlock.checks.tables import Table

MOST_WORDS = 3_900


@dataclass(frozen=True)
class Rule:
    """A rule that a file can break.

    Attributes:
        name: stable, as ``Finding.rule``.
        severity: of its findings, unless told otherwise.
        message: for somebody who does not program; ``{…}`` are filled in.
        mend: what the researcher can do.
    """

    name: str
    severity: Severity
    message: str
    mend: str = ""

    def found(
        self,
        *,
        cells: Iterable[tuple[int, int]] = (),
        numbers: Mapping[str, float] | None = None,
        beside: str | None = None,
        severity: Severity | None = None,
        **words: object,
    ) -> Finding:
        """What was found: the rule's words, filled in, and where."""
        marks = sorted(set(cells))[:MOST_MARKS]
        return Finding(
            rule=self.name,
            severity=severity or self.severity,
            message=self.message.format(**words)[:MOST_WORDS],
            mend=self.mend.format(**words)[:MOST_WORDS],
            cells=tuple(CellMark(row=row, column=column) for row, column in marks),
            numbers={name: float(number) for name, number in (numbers or {}).items()},
            beside=beside,
        )


@dataclass(frozen=True)
class FileRead:
    """A file after it was read.

    Attributes:
        size: bytes on the disk; ``content`` is empty where it is too large.
        kind: what it was taken for; None for what may not leave.
        form: its format, such as ``csv``.
        text: of formats that are text.
        data: of JSON and notebooks.
        table: of tables.
        findings: what was found while reading.
    """

    statement: OutputStatement
    size: int
    kind: FileKind | None = None
    form: str = ""
    content: bytes = b""
    text: str | None = None
    data: Any = None
    table: Table | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def path(self) -> str:
        """Within the request."""
        return self.statement.path


@dataclass(frozen=True)
class Subject:
    """What a check is given: one file, the others of its request, and the past."""

    file: FileRead
    past: Past
    others: Mapping[str, FileRead] = field(default_factory=dict)

    @property
    def limits(self) -> Limits:
        """Those in force."""
        return self.past.limits

    @property
    def statement(self) -> OutputStatement:
        """What its author says of the file."""
        return self.file.statement

    @cached_property
    def table(self) -> Table:
        """The file's table.

        Raises:
            ValueError: it is none.
        """
        if self.file.table is None:
            raise ValueError(f"{self.file.path} is not a table")
        return self.file.table

    @cached_property
    def counted(self) -> Counted:
        """The file's table with what is counted in it."""
        return Counted.of(self.table, self.statement)

    @cached_property
    def grid(self) -> Grid:
        """The file's counts by category."""
        return Grid.of(self.counted)

    @property
    def underlying(self) -> FileRead | None:
        """The file with the counts behind this one."""
        named = self.statement.underlying
        return self.others.get(named) if named else None


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: for the list in docs/airlock.md.
        kinds: to which kinds of file it applies.
        run: yields what it finds; pure.
        words: what it looks for, for somebody who does not program.
        needs: modules of the extra ``flip-hub[airlock]`` without which it does not run.
    """

    name: str
    kinds: frozenset[FileKind]
    run: Callable[[Subject], Iterable[Finding]]
    words: str
    needs: tuple[str, ...] = ()


def listed(items: Sequence[str], most: int = 5) -> str:
    """Some names in words: ``a, b and 3 more``."""
    shown = ", ".join(item[:60] for item in items[:most])
    return f"{shown} and {len(items) - most} more" if len(items) > most else shown


def many(number: int, one: str, more: str = "") -> str:
    """A number with its noun: ``1 cell``, ``2,000 cells``."""
    return f"1 {one}" if number == 1 else f"{number:,} {more or one + 's'}"
