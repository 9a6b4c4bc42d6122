"""``flip projects``, ``project``, ``budget``, ``catalogue``: what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

import flip_sdk as flip
from flip_sdk.commands.options import opened, project_argument
from flip_sdk.commands.running import Told

if TYPE_CHECKING:
    from flip_sdk.commands.running import Group
    from flip_sdk.frames import Frame

PARTS = ("concepts", "measurements", "conditions", "imaging", "years", "freshness", "quality", "checks", "trusts")
_PLAIN = ("concepts", "trusts")


def add_to(app: Group) -> None:
    """Add the commands."""

    @app.command_of("projects", example="flip projects --json")
    def projects() -> Frame:
        """List your projects: state and expiry."""
        return flip.connect().projects()

    @app.command_of("project", example="flip project breast-cytology")
    @project_argument
    def project(project: str | None) -> Told:
        """Show a project: what it is for, who is in it, until when."""
        found = opened(project)
        return Told(found.in_words(), found.view.model_dump(mode="json"))

    @app.command_of("budget", example="flip budget breast-cytology")
    @project_argument
    def budget(project: str | None) -> Frame:
        """Show consent, liveness and what is left of the privacy budget, Trust by Trust."""
        return opened(project).budget()

    @app.command_of("catalogue", example="flip catalogue --find haemoglobin")
    @project_argument
    @click.option("--find", help="Only concepts whose name holds this text, or nearly.")
    @click.option(
        "--part",
        type=click.Choice(PARTS),
        default="concepts",
        help="concepts, or what the Trusts' stewards published besides: imaging and so on.",
    )
    def catalogue(project: str | None, find: str | None, part: str) -> Frame:
        """Show what the Trusts hold: names, public bounds, and noisy numbers of persons where they are published."""
        found = opened(project).catalogue()
        if find:
            return found.find(find)
        table: Frame = getattr(found, part) if part in _PLAIN else getattr(found, part)()
        return table
