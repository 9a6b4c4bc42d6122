"""``flip release``, ``releases`` and ``flip airlock …``: the one door out of workspaces, and into them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flip_sdk.commands.options import opened, project_option
from flip_sdk.commands.running import Group, Told

if TYPE_CHECKING:
    from flip_sdk.frames import Frame

files_argument = click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path), help="The files, as they would leave."
)
request_argument = click.argument("request", help="The request's id, as `flip airlock requests` lists it.")
PARTS = ("file", "crate", "criteria")


def add_to(app: Group) -> None:
    """Add the commands: all of them under ``airlock``, and the two that are used most beside it."""
    door = Group("airlock", "Release files from the workspace, and bring files in.")
    app.add_command(door)
    _asking(door, "request")
    _asking(app, "release")
    _released(door)
    _released(app)
    _requests(door)
    _into(door)


def _asking(group: Group, name: str) -> None:
    @group.command_of(
        name, example=f'flip {name if name == "release" else "airlock request"} table1.csv --purpose "Table 1"'
    )
    @files_argument
    @click.option("--purpose", required=True, help="Which planned output they are, and who will see them.")
    @click.option("--context", default="", help="What a checker has to know: variables, population.")
    @click.option("--job", "jobs", multiple=True, help="Whose results they are made of (repeat).")
    @click.option(
        "--audience",
        type=click.Choice(["project", "signed-in", "public"]),
        default="project",
        show_default=True,
        help="Who may fetch them then; checkers may narrow it.",
    )
    @project_option
    def release(files: tuple[Path, ...], project: str | None, **asked: Any) -> Frame:
        """Ask for files to be released. What is never released is refused at once, with all that was found."""
        return opened(project).release(*files, **asked).status()


def _released(group: Group) -> None:
    @group.command_of("releases")
    @project_option
    def releases(project: str | None) -> Frame:
        """List what was released; what was revoked stays listed."""
        return opened(project).airlock.releases()


def _requests(door: Group) -> None:
    @door.command_of("check", example="flip airlock check table1.csv")
    @files_argument
    @project_option
    def check(files: tuple[Path, ...], project: str | None) -> Frame:
        """Run the checks of a release, with nothing submitted."""
        return opened(project).airlock.check(*files)

    @door.command_of("requests")
    @project_option
    def requests(project: str | None) -> Frame:
        """List release requests, and what became of their files."""
        return opened(project).airlock.requests()

    @door.command_of("open")
    @request_argument
    @click.option("--findings", is_flag=True, help="Each finding of the checks, and how to mend it.")
    @project_option
    def open_(request: str, findings: bool, project: str | None) -> Frame:
        """Show a release request: what its checks say, and what checkers decided."""
        asked = opened(project).airlock.open(request)
        return asked.findings() if findings else asked.status()

    @door.command_of("withdraw")
    @request_argument
    @project_option
    def withdraw(request: str, project: str | None) -> Told:
        """Take back what is not decided yet."""
        done = opened(project).airlock.open(request).withdraw()
        return Told(repr(done), done.view.model_dump(mode="json"))

    @door.command_of("fetch", example="flip airlock fetch release-1 --to results")
    @click.argument("release", help="The release's id, as `flip airlock releases` lists it.")
    @click.option("--to", type=click.Path(path_type=Path), default=Path(), help="Folder to save it in.")
    @click.option("--part", type=click.Choice(PARTS), default="file", help="Or its provenance, or what it was held to.")
    @project_option
    def fetch(release: str, to: Path, part: str, project: str | None) -> Told:
        """Save a released file."""
        saved = opened(project).airlock.fetch(release, to, part)
        return Told(str(saved), {"saved": str(saved)})


def _into(door: Group) -> None:
    @door.command_of("bring-in", example='flip airlock bring-in codes.csv --purpose "Names" --source "WHO, CC BY 4.0"')
    @click.argument("file", type=click.Path(path_type=Path), help="The file.")
    @click.option("--purpose", required=True, help="What it is for.")
    @click.option("--source", required=True, help="Where it comes from, and under which licence or agreement.")
    @click.option("--holds-people", is_flag=True, help="It holds data of persons.")
    @project_option
    def bring_in(file: Path, project: str | None, **asked: Any) -> Told:
        """Ask for a file to appear in the `incoming` folder of the project's workspaces."""
        wanted = opened(project).airlock.bring_in(file, **asked)
        words = f"{wanted.path} ({wanted.kind}) waits for an output checker or a data steward."
        return Told(words, wanted.model_dump(mode="json"))

    @door.command_of("incoming")
    @project_option
    def incoming(project: str | None) -> Frame:
        """List files that were brought in, or wait for it."""
        return opened(project).airlock.incoming()
