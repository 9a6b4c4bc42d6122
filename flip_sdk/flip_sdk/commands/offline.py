"""``flip simulate`` and ``flip offline``: the same work on made-up people, without an account and without a budget."""

from __future__ import annotations

import shlex
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import click

import flip_sdk as flip
from flip_sdk.commands.jobs import file_argument
from flip_sdk.commands.running import Group
from flip_sdk.errors import ConnectionFailedError

if TYPE_CHECKING:
    from flip_sdk.frames import Frame
    from flip_sdk.project import Project


def add_to(app: Group) -> None:
    """Add the commands."""

    @app.command_of("simulate", example="flip simulate job.toml --persons 300")
    @file_argument
    @click.option("--persons", type=int, help="Made-up people at each Trust; as many as it tells when left out.")
    @click.option("--project", help="Whose catalogue they are made up after; the demonstration's without an account.")
    def simulate(file: Path, persons: int | None, project: str | None) -> Frame:
        """Run a job that a file describes on made-up people, by the Trusts' own mechanisms with their noise."""
        from flip_sdk.job_files import read

        practice = _practice(project, persons)
        done = read(file).submit(practice)
        return done.result().table() if isinstance(done, flip.Job) else done

    @app.command_of("offline", example="flip offline")
    @click.option("--for", "seconds", type=float, help="End after so many seconds; at Ctrl-C when left out.")
    def offline(seconds: float | None) -> None:
        """Be a hub with made-up people on this machine, for notebooks, scripts and `flip` in other terminals."""
        with flip.offline().serve() as environment:
            click.echo("A hub that is only played answers here. In another terminal:")
            for name, value in environment.items():
                click.echo(f"  export {name}={shlex.quote(value)}")
            click.echo("Ctrl-C ends it, and forgets what was asked.")
            Event().wait(seconds)


def _practice(project: str | None, persons: int | None) -> Project:
    """Made-up people after the project's catalogue; after the demonstration's where nobody is signed in."""
    from flip_sdk import simulate

    try:
        catalogue = flip.connect().project(project).catalogue()
    except ConnectionFailedError:
        if project is not None:
            raise
        click.echo("Nobody is signed in: the people are made up after the demonstration's catalogue.", err=True)
        catalogue = flip.offline().project().catalogue()
    return simulate.project(simulate.synthetic(catalogue, persons), catalogue)
