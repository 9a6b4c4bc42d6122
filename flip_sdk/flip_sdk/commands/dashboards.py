"""``flip publish``, ``flip dashboards`` and ``flip templates``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flip_sdk import templates
from flip_sdk.commands.options import opened, project_argument, project_option
from flip_sdk.commands.running import Told

if TYPE_CHECKING:
    from flip_sdk.commands.running import Group
    from flip_sdk.frames import Frame


def add_to(app: Group) -> None:
    """Add the commands."""

    @app.command_of("publish", example="flip publish report.ipynb --name report --job 7f3c")
    @click.argument("notebook", type=click.Path(path_type=Path), help="The saved notebook.")
    @click.option("--name", required=True, help="Lower case, digits and hyphens; the same name replaces it.")
    @click.option("--job", "jobs", multiple=True, help="Whose results it may read (repeat).")
    @project_option
    def publish(notebook: Path, name: str, jobs: tuple[str, ...], project: str | None) -> Told:
        """Render a notebook as a dashboard for the project's members."""
        made = opened(project).publish(notebook, name, jobs)
        return Told(repr(made), made.view.model_dump(mode="json"))

    @app.command_of("dashboards")
    @project_argument
    def dashboards(project: str | None) -> Frame:
        """List the project's dashboards."""
        return opened(project).dashboards().table()

    @app.command_of("templates", example="flip templates model_card my_card.ipynb")
    @click.argument("name", required=False, help="Of the template; all are listed when left out.")
    @click.argument("file", required=False, type=click.Path(path_type=Path), help="Where to put it.")
    def chosen(name: str | None, file: Path | None) -> Told | Frame:
        """List notebooks to begin a dashboard with, or put one into a file."""
        if name is None:
            return templates.listed()
        place = templates.copy(name, file)
        return Told(f"{place}: change it, run it, then `flip publish {place} --name …`.", {"file": str(place)})
