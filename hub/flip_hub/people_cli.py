"""``flip-hub people record`` and ``import-records``: what people showed, put down by an operator as verified."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from flip_sdk.contract.people import NewPersonRecord
from flip_sdk.contract.records import digest
from pydantic import ValidationError
from rich.console import Console

from flip_hub.backup_cli import By, Home
from flip_hub.errors import InvalidError

if TYPE_CHECKING:
    from flip_hub.config import HubConfig
    from flip_hub.database import Database
    from flip_hub.governance.leaving import Left

COLUMNS = ("name", "kind", "reference", "issued_on", "expires_on", "evidence")
_out = Console(soft_wrap=True)


def register(
    app: typer.Typer,
    command: Callable[[typer.Typer, str], Any],
    open_: Callable[[Path | None], tuple[HubConfig, Database]],
    by_: Callable[[str], str],
) -> None:
    """Add both commands."""

    @command(app, "record")  # type: ignore[untyped-decorator]
    def record(
        name: Annotated[str, typer.Argument(help="Whose record it is.")],
        kind: Annotated[str, typer.Option(help="Out of policies/people/requirements.yaml.")],
        reference: Annotated[str, typer.Option(help="Number of the certificate or the contract.")],
        issued: Annotated[str, typer.Option(help="Its first day, such as 2026-11-30.")],
        expires: Annotated[str, typer.Option(help="Its last day.")],
        evidence: Annotated[Path | None, typer.Option(help="The file that you saw: its digest is kept.")] = None,
        home: Home = None,
        by: By = "",
    ) -> None:
        """Put down a record that you verified: the hub's first verifiers come to theirs so."""
        from flip_hub.governance import records

        row = {"kind": kind, "reference": reference, "issued_on": issued, "expires_on": expires}
        if evidence is not None:
            row["evidence"] = digest(_read(evidence))
        wanted = _record(row, f"The record of {name}")
        _, database = open_(home)
        records.put(database, name, wanted, by=by_(by))
        _out.print(f"The record of {name} is verified, until {wanted.expires_on}.")

    @command(app, "leave")  # type: ignore[untyped-decorator]
    def leave(
        name: Annotated[str, typer.Argument(help="Who leaves.")],
        home: Home = None,
        by: By = "",
    ) -> None:
        """Off-board somebody: end sessions, stop workspaces, remove the account and its tokens; their work is kept."""
        from flip_hub.governance.leaving import leave as leave_
        from flip_hub.jupyterhub.accounts import forget_password
        from flip_hub.jupyterhub.hub_api import HubApi

        config, database = open_(home)
        with HubApi(config) as hub:
            done = leave_(config, database, hub, name, by=by_(by))
        forget_password(config, name)
        _tell(name, done)
        if done.missing:
            raise typer.Exit(1)

    @command(app, "import-records")  # type: ignore[untyped-decorator]
    def import_records(
        path: Annotated[Path, typer.Argument(help=f"CSV with the columns {', '.join(COLUMNS)}.")],
        home: Home = None,
        by: By = "",
    ) -> None:
        """Put down many records that were verified elsewhere, out of a table; all of it is checked first."""
        from flip_hub.governance import records

        found = _table(path)
        for wanted in found.values():
            for one in wanted:
                records.check(one)
        _, database = open_(home)
        for name, wanted in found.items():
            records.put(database, name, *wanted, by=by_(by))
        _out.print(f"{sum(map(len, found.values()))} records of {len(found)} people are verified.")


def _tell(name: str, done: Left) -> None:
    """What an off-boarding did, and what is left for people to do."""
    _out.print(f"The account of {name} is closed: {done.sessions} sessions ended.")
    _out.print(f"Workspaces stopped: {', '.join(done.stopped) or 'none ran'}.")
    if not done.missing:
        gone = "the account and all of its tokens are removed" if done.removed else "there is no account"
        _out.print(f"At JupyterHub {gone}.")
    for folder in done.homes:
        _out.print(f"Kept for the project's team: {folder}")
    if done.owned:
        _out.print(f"Projects that have no owner at work now: {', '.join(done.owned)}. Suspend or close them, or")
        _out.print("let a colleague apply anew.")
    if done.teams:
        _out.print(f"On the team of: {', '.join(done.teams)}; a closed account does nothing there.")
    if done.missing:
        _out.print(f"[red]NOT done:[/red] {done.missing}")


def _table(path: Path) -> dict[str, list[NewPersonRecord]]:
    lines = csv.DictReader(_read(path).decode("utf-8-sig", "replace").splitlines())
    if missing := sorted(set(COLUMNS[:-1]) - set(lines.fieldnames or ())):
        raise InvalidError(f"{path} lacks {', '.join(missing)}.", f"Its first line is {','.join(COLUMNS)}.")
    found: dict[str, list[NewPersonRecord]] = {}
    for number, line in enumerate(lines, 2):
        row = {column: (line.get(column) or "").strip() for column in COLUMNS[1:]}
        wanted = _record({column: value for column, value in row.items() if value}, f"{path}, line {number}")
        found.setdefault((line["name"] or "").strip(), []).append(wanted)
    return found


def _record(row: dict[str, str], where: str) -> NewPersonRecord:
    try:
        return NewPersonRecord.model_validate(row)
    except ValidationError as error:
        wrong = ", ".join(sorted({str(found["loc"][0]) for found in error.errors()}))
        raise InvalidError(f"{where} cannot be taken: {wrong}.", "Write days as 2026-11-30.") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidError(f"{path} cannot be read.", "Give a file that is there.") from error
