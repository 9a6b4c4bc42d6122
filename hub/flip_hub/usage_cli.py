"""``flip-hub usage report``: what workspaces used, by month, project and person."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from flip_hub.backup_cli import Home

if TYPE_CHECKING:
    from flip_hub.config import HubConfig
    from flip_hub.database import Database

_out = Console(soft_wrap=True)


def register(
    app: typer.Typer,
    command: Callable[[typer.Typer, str], Any],
    open_: Callable[[Path | None], tuple[HubConfig, Database]],
) -> None:
    """Add the command."""

    @command(app, "report")  # type: ignore[untyped-decorator]
    def report(
        first: Annotated[str, typer.Option(help="First month, such as 2026-11; else this one.")] = "",
        last: Annotated[str, typer.Option(help="Last month; else the first.")] = "",
        as_csv: Annotated[bool, typer.Option("--csv", help="Print a table for other programs.")] = False,
        home: Home = None,
    ) -> None:
        """Say what workspaces used: hours, core-hours and GPU-hours."""
        from flip_hub.governance import usage_report

        _, database = open_(home)
        lines = usage_report.between(database, first, last)
        if as_csv:
            sys.stdout.write(usage_report.table(lines))
            return
        table = Table("Month", "Project", "Person", "Starts", "Hours", "Core-hours", "GPU-hours")
        for line in lines:
            used = (f"{hours:.1f}" for hours in (line.hours, line.cpu_hours, line.gpu_hours))
            table.add_row(line.month, line.project_id, line.person, str(line.starts), *used)
        _out.print(table, soft_wrap=False)
