"""``flip publish``, ``flip dashboards``, ``flip share``, ``flip links`` and ``flip templates``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

import flip_sdk as flip
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

    @app.command_of("dashboards", example="flip dashboards --all")
    @project_argument
    @click.option("--all", "everything", is_flag=True, help="The gallery: of all projects, what was released for you.")
    def dashboards(project: str | None, everything: bool) -> Frame:
        """List the project's dashboards."""
        found = flip.connect().dashboards() if everything else opened(project).dashboards()
        return found.table()

    @app.command_of("share", example="flip share report --reader bea --until 2027-01-31 --reason 'For the board.'")
    @click.argument("dashboard", help="Its name.")
    @click.option("--reader", "readers", multiple=True, required=True, help="Of an account at the hub (repeat).")
    @click.option("--until", required=True, help="The last day, as 2027-01-31.")
    @click.option("--reason", required=True, help="Why they are to see it; the output checkers read it.")
    @project_option
    def share(dashboard: str, readers: tuple[str, ...], until: str, reason: str, project: str | None) -> Told:
        """Ask for a link that shows a dashboard to persons beyond the team; two output checkers agree first."""
        made = opened(project).share(dashboard, readers, until=until, reason=reason)
        return Told(repr(made), made.view.model_dump(mode="json"))

    @app.command_of("links", example="flip links report")
    @click.argument("dashboard", help="Its name.")
    @click.option("--end", "ended", help="End this link now.")
    @project_option
    def links(dashboard: str, ended: str | None, project: str | None) -> Frame:
        """List a dashboard's links, or end one."""
        chosen = opened(project)
        if ended:
            chosen.links(dashboard).one(ended).end()
        return chosen.links(dashboard).table()

    @app.command_of("templates", example="flip templates model_card my_card.ipynb")
    @click.argument("name", required=False, help="Of the template; all are listed when left out.")
    @click.argument("file", required=False, type=click.Path(path_type=Path), help="Where to put it.")
    def chosen(name: str | None, file: Path | None) -> Told | Frame:
        """List notebooks to begin a dashboard with, or put one into a file."""
        if name is None:
            return templates.listed()
        place = templates.copy(name, file)
        return Told(f"{place}: change it, run it, then `flip publish {place} --name …`.", {"file": str(place)})
