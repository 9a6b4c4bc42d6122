"""``flip-hub service``: programs that have tokens of their own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from flip_hub.backup_cli import By, Home

if TYPE_CHECKING:
    from datetime import datetime

    from flip_hub.config import HubConfig
    from flip_hub.database import Database, ServiceIdentity
    from flip_hub.governance.services import Given

Name = Annotated[str, typer.Argument(help="The program's name.")]
Days = Annotated[int, typer.Option(help="How long the token is good for.")]
Into = Annotated[Path | None, typer.Option(help="File to write the token into; else it is printed.")]
_out, _err = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)


def register(
    app: typer.Typer,
    command: Callable[[typer.Typer, str], Any],
    open_: Callable[[Path | None], tuple[HubConfig, Database]],
    by_: Callable[[str], str],
) -> None:
    """Add the commands."""

    @command(app, "create")  # type: ignore[untyped-decorator]
    def create(
        name: Name,
        purpose: Annotated[str, typer.Option(help="What it is for, and who answers for it.")],
        scope: Annotated[list[str], typer.Option(help="What it may, once for each: monitoring:read, audit:read.")],
        days: Days = 90,
        into: Into = None,
        home: Home = None,
        by: By = "",
    ) -> None:
        """Give a program a token; it is shown this once."""
        from flip_hub.governance import services

        _, database = open_(home)
        _free(into)
        _hand_over(services.create(database, name, purpose=purpose, scopes=scope, days=days, by=by_(by)), into)

    @command(app, "rotate")  # type: ignore[untyped-decorator]
    def rotate(
        name: Name,
        days: Days = 90,
        overlap_hours: Annotated[float, typer.Option(help="How long the one before stays good.", min=0, max=168)] = 24,
        into: Into = None,
        home: Home = None,
        by: By = "",
    ) -> None:
        """Give a program another token; the one before stays good for a while."""
        from flip_hub.governance import services

        _, database = open_(home)
        _free(into)
        overlap = timedelta(hours=overlap_hours)
        _hand_over(services.rotate(database, name, days=days, overlap=overlap, by=by_(by)), into)

    @command(app, "revoke")  # type: ignore[untyped-decorator]
    def revoke(name: Name, home: Home = None, by: By = "") -> None:
        """End a program's access at once, and for good."""
        from flip_hub.governance import services

        _, database = open_(home)
        services.revoke(database, name, by=by_(by))
        _out.print(f"The token of {name} is no longer good.")

    @command(app, "list")  # type: ignore[untyped-decorator]
    def list_services(home: Home = None) -> None:
        """List every program that may ask the hub: those with a token, and the hub's own parts."""
        from flip_hub.governance import services

        _, database = open_(home)
        table = Table("Name", "Purpose", "Scopes", "Token", "Last seen")
        for row in services.services(database):
            table.add_row(row.name, row.purpose, ", ".join(row.scopes), _standing(row), _day(row.seen_at))
        for name, description, scopes in _own():
            table.add_row(f"({name})", description, ", ".join(scopes), "JupyterHub's, for this part alone", "")
        _out.print(table, soft_wrap=False)


def _free(into: Path | None) -> None:
    from flip_hub.errors import ConflictError

    if into is not None and into.exists():
        raise ConflictError(f"{into} exists.", "Name another file: a token is never written over another.")


def _hand_over(given: Given, into: Path | None) -> None:
    from flip_hub.keys import write_private

    if into is None:
        _out.print(given.token, highlight=False)
        _err.print("Keep it where the program alone can read it: it is not shown again.")
    else:
        write_private(into, given.token.encode())
    _err.print(f"It is good until {_day(given.expires_at)}.", highlight=False)


def _standing(row: ServiceIdentity) -> str:
    from flip_hub.database import now

    if row.revoked_at is not None:
        return f"revoked on {_day(row.revoked_at)}"
    return f"good until {_day(row.expires_at)}" if now() < row.expires_at else f"ended on {_day(row.expires_at)}"


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else ""


def _own() -> list[tuple[str, str, list[str]]]:
    """The hub's parts, by what JupyterHub gives each."""
    from flip_hub.jupyterhub.roles import DASHBOARDS, roles

    given = [(service, role["description"], role["scopes"]) for role in roles() for service in role.get("services", ())]
    return [*given, (DASHBOARDS, "Shows published dashboards", ["(nothing: it only asks who a person is)"])]
