"""``flip-hub packages``: what people may install into their workspaces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from flip_hub.backup_cli import By, Home

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flip_hub.config import HubConfig
    from flip_hub.database import Database
    from flip_hub.packages.approved import Package

_out = Console(soft_wrap=True)


def register(
    app: typer.Typer,
    command: Callable[[typer.Typer, str], Any],
    open_: Callable[[Path | None], tuple[HubConfig, Database]],
    by_: Callable[[str], str],
) -> None:
    """Add the commands."""

    @command(app, "approve")  # type: ignore[untyped-decorator]
    def approve(
        names: Annotated[
            list[str], typer.Argument(help="Packages, with versions where they matter: 'lifelines>=0.30'.")
        ],
        why: Annotated[str, typer.Option(help="What they are for, and who asked.")],
        look_only: Annotated[
            bool, typer.Option("--look-only", help="Show what they need, and approve nothing.")
        ] = False,
        home: Home = None,
        by: By = "",
    ) -> None:
        """Approve packages, and what they need, at the versions that pip would install now."""
        from flip_hub.packages import resolving

        config, database = open_(home)
        found = resolving.resolve(config, names)
        new = found if look_only else resolving.approve(config, database, found, why, by_(by))
        _show(new)
        _out.print(f"{len(new)} of {len(found)} {'would be added' if look_only else 'were added'}.", highlight=False)

    @command(app, "list")  # type: ignore[untyped-decorator]
    def list_packages(home: Home = None) -> None:
        """List what is approved."""
        from flip_hub.packages.approved import approved

        config, _ = open_(home)
        _show(approved(config).packages)


def _show(packages: Sequence[Package]) -> None:
    table = Table("Package", "Versions", "Why")
    for one in packages:
        table.add_row(one.name, one.versions or "any", one.why)
    _out.print(table, soft_wrap=False)
