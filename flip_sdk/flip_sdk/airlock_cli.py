"""``flip airlock``: releasing files and bringing files in, from a terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

import flip_sdk as flip

if TYPE_CHECKING:
    from flip_sdk.frames import Frame
    from flip_sdk.project import Project

Told = Callable[[Callable[..., None]], Callable[..., None]]
Show = Callable[["Frame", bool], None]
Files = Annotated[list[Path], typer.Argument(help="The files.", show_default=False)]
OfProject = Annotated[str | None, typer.Option("--project", help="The project; a workspace knows its own.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: one JSON list.")]


def _project(name: str | None) -> Project:
    return flip.connect().project(name)


def commands(told: Told, show: Show) -> typer.Typer:
    """The commands, told and shown as the others of ``flip`` are."""
    app = typer.Typer(no_args_is_help=True, help="Release files from the workspace, and bring files in.")

    @app.command()
    @told
    def check(files: Files, project: OfProject = None, as_json: AsJson = False) -> None:
        """Run the checks of a release, with nothing submitted."""
        show(_project(project).airlock.check(*files), as_json)

    @app.command()
    @told
    def request(
        files: Files,
        purpose: Annotated[str, typer.Option(help="Which planned output they are, and who will see them.")],
        context: Annotated[str, typer.Option(help="What a checker has to know: variables, population.")] = "",
        job: Annotated[list[str] | None, typer.Option(help="Whose results they are made of (repeat).")] = None,
        audience: Annotated[
            str, typer.Option(help="Who may fetch them then: project, signed-in or public.")
        ] = "project",
        project: OfProject = None,
        as_json: AsJson = False,
    ) -> None:
        """Ask for files to be released."""
        asked = _project(project).release(
            *files,
            purpose=purpose,
            context=context,
            jobs=job or (),
            audience=audience,  # type: ignore[arg-type]
        )
        show(asked.status(), as_json)

    @app.command()
    @told
    def requests(project: OfProject = None, as_json: AsJson = False) -> None:
        """List release requests, and what became of their files."""
        show(_project(project).airlock.requests(), as_json)

    @app.command()
    @told
    def withdraw(
        request_id: Annotated[str, typer.Argument(help="The request's id.")], project: OfProject = None
    ) -> None:
        """Take back what is not decided yet."""
        typer.echo(repr(_project(project).airlock.open(request_id).withdraw()))

    @app.command()
    @told
    def releases(project: OfProject = None, as_json: AsJson = False) -> None:
        """List what was released."""
        show(_project(project).airlock.releases(), as_json)

    @app.command()
    @told
    def fetch(
        release: Annotated[str, typer.Argument(help="The release's id, as `flip airlock releases` lists it.")],
        to: Annotated[Path, typer.Option(help="Folder to save it in.")] = Path(),
        part: Annotated[
            Literal["file", "crate", "criteria"], typer.Option(help="The file, its provenance, or what it was held to.")
        ] = "file",
        project: OfProject = None,
    ) -> None:
        """Save a released file."""
        typer.echo(_project(project).airlock.fetch(release, to, part))

    @app.command("bring-in")
    @told
    def bring_in(
        file: Annotated[Path, typer.Argument(help="The file.")],
        purpose: Annotated[str, typer.Option(help="What it is for.")],
        source: Annotated[str, typer.Option(help="Where it comes from, and under which licence or agreement.")],
        holds_people: Annotated[bool, typer.Option(help="It holds data of persons.")] = False,
        project: OfProject = None,
    ) -> None:
        """Ask for a file to appear in the `incoming` folder of the project's workspaces."""
        door = _project(project).airlock
        asked = door.bring_in(file, purpose=purpose, source=source, holds_people=holds_people)
        typer.echo(f"{asked.path} ({asked.kind}) waits for an output checker or a data steward.")

    @app.command()
    @told
    def incoming(project: OfProject = None, as_json: AsJson = False) -> None:
        """List files that were brought in, or wait for it."""
        show(_project(project).airlock.incoming(), as_json)

    return app
