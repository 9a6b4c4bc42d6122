"""The report of usage: by month, project and person, for operators and reviewers."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from flip_sdk.contract.workspaces import UsageLine

from flip_hub.database import Database, now
from flip_hub.errors import InvalidError
from flip_hub.governance import usage
from flip_hub.governance.access import HUB
from flip_hub.governance.office import Office
from flip_hub.policy import Subject

COLUMNS = tuple(UsageLine.model_fields)
_MONTH = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")


def report(office: Office, subject: Subject, first: str = "", last: str = "") -> list[UsageLine]:
    """What everybody used from one month to another, both of them in it.

    Args:
        office: governance.
        subject: who asks.
        first: such as ``2026-11``; empty for this month.
        last: empty for the same as ``first``.

    Raises:
        DeniedError: only operators and governance reviewers see it.
        InvalidError: not a month.
    """
    office.policies.authorise(subject, "view_usage", HUB)
    return between(office.database, first, last)


def between(database: Database, first: str = "", last: str = "") -> list[UsageLine]:
    """The same, for an operator at the hub's own machine."""
    start = _month(first or this_month())
    end = _month(last or first or this_month())
    with database.read() as session:
        return usage.report(session, start, (end + timedelta(days=32)).replace(day=1))


def this_month() -> str:
    """This month in UTC, such as ``2026-11``."""
    return now().astimezone(UTC).strftime("%Y-%m")


def table(lines: Sequence[UsageLine]) -> str:
    """CSV, with a line of names first."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for line in lines:
        row = line.model_dump()
        writer.writerow(round(value, 4) if isinstance(value, float) else value for value in row.values())
    return out.getvalue()


def _month(text: str) -> datetime:
    if not _MONTH.fullmatch(text) or text < "1971":
        raise InvalidError(f"{text!r} is no month.", "Write it as 2026-11.")
    return datetime(int(text[:4]), int(text[5:]), 1, tzinfo=UTC)
