"""``flip``: the researcher's commands outside a notebook."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal, ParamSpec

import typer

import flip_sdk as flip
from flip_sdk.airlock_cli import commands as airlock_commands
from flip_sdk.errors import PublicError

if TYPE_CHECKING:
    from flip_sdk.cohorts import Rule
    from flip_sdk.frames import Frame
    from flip_sdk.project import Project

P = ParamSpec("P")
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Train models on patients whose data never leaves its hospital.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
ProjectId = Annotated[str | None, typer.Argument(help="The project; a workspace knows its own.", show_default=False)]
JobId = Annotated[str, typer.Argument(help="The job's id, as `flip jobs` lists it.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: one JSON list.")]


def _told(command: Callable[P, None]) -> Callable[P, None]:
    """Turn a PublicError into words and exit code 1."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        from rich.console import Console

        try:
            command(*args, **kwargs)
        except PublicError as error:
            console = Console(stderr=True)
            console.print(error.message, style="bold red", markup=False)
            if error.mend:
                console.print(error.mend, markup=False)
            raise typer.Exit(1) from error
        except KeyboardInterrupt:
            raise typer.Exit(130) from None

    return run


@app.command()
@_told
def login(
    address: Annotated[str | None, typer.Argument(help="The hub, such as https://hub.example.org.")] = None,
) -> None:
    """Sign in to a hub with a token from its page "Token". Not needed inside a workspace."""
    me = flip.login(address)
    typer.echo(f"Signed in as {me.display_name or me.name} ({me.organisation}).")


@app.command()
@_told
def logout() -> None:
    """Forget the kept token."""
    typer.echo("Signed out." if flip.logout() else "Nobody was signed in.")


@app.command()
@_told
def projects(as_json: AsJson = False) -> None:
    """List your projects."""
    _show(flip.connect().projects(), as_json)


@app.command()
@_told
def budget(project: ProjectId = None, as_json: AsJson = False) -> None:
    """Show consent, liveness and what is left of the privacy budget, Trust by Trust."""
    _show(_project(project).budget(), as_json)


Part = Literal["concepts", "imaging", "years", "freshness", "quality", "checks", "trusts"]


@app.command()
@_told
def catalogue(
    project: ProjectId = None,
    find: Annotated[str | None, typer.Option(help="Only concepts whose name holds this text, or nearly.")] = None,
    part: Annotated[
        Part, typer.Option(help="concepts, or what the Trusts' stewards published besides: imaging and so on.")
    ] = "concepts",
    as_json: AsJson = False,
) -> None:
    """Show what the Trusts hold: names, public bounds, and noisy numbers of persons where they are published."""
    found = _project(project).catalogue()
    _show(found.find(find) if find else found.concepts if part == "concepts" else getattr(found, part)(), as_json)


@app.command()
@_told
def count(
    project: ProjectId = None,
    condition: Annotated[
        list[str] | None, typer.Option(help="Persons with this condition (repeat: with each).")
    ] = None,
    without: Annotated[list[str] | None, typer.Option(help="Persons without this condition.")] = None,
    age: Annotated[str | None, typer.Option(help="Whole years, such as 40-70.")] = None,
    sex: Annotated[str | None, typer.Option(help="As the catalogue names it.")] = None,
    epsilon: Annotated[float, typer.Option(help="What the noisy count may cost at each Trust.")] = 0.5,
    as_json: AsJson = False,
) -> None:
    """Count a cohort: noisy, rounded, and kept back where under the floor."""
    rules = [flip.has_condition(name) for name in condition or ()]
    rules += [~flip.has_condition(name) for name in without or ()]
    rules += [_years(age)] if age else []
    rules += [flip.sex_is(sex)] if sex else []
    _show(_project(project).count(flip.Cohort(*rules), epsilon=epsilon), as_json)


@app.command()
@_told
def jobs(project: ProjectId = None, as_json: AsJson = False) -> None:
    """List the project's jobs, newest first."""
    _show(_project(project).jobs(), as_json)


@app.command()
@_told
def watch(job: JobId) -> None:
    """Watch a job until it ends, then show what it released. Ctrl-C only stops watching."""
    watched = flip.connect().job(job).watch()
    _show(watched.result().table(), as_json=False)


@app.command()
@_told
def cancel(job: JobId) -> None:
    """End a job. What Trusts have released by then stays debited."""
    typer.echo(repr(flip.connect().job(job).cancel()))


def _project(name: str | None) -> Project:
    return flip.connect().project(name)


def _years(text: str) -> Rule:
    low, _, high = text.partition("-")
    if not (low.isdigit() and high.isdigit()):
        raise typer.BadParameter("give two whole numbers, such as 40-70", param_hint="--age")
    return flip.age_between(int(low), int(high))


def _show(table: Frame, as_json: bool) -> None:
    """A table on the terminal, or JSON for a program."""
    if as_json:
        typer.echo(table.write_json())
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from flip_sdk.frames import shown

    drawn = Table(box=SIMPLE_HEAD, pad_edge=False)
    for place, (name, kind) in enumerate(table.schema.items()):
        side: Literal["right", "left"] = "right" if kind.is_numeric() else "left"
        drawn.add_column(name.replace("_", " "), justify=side, no_wrap=place == 0)
    for row in table.iter_rows():
        drawn.add_row(*(Text(shown(value)) for value in row))
    console = Console()
    console.print(table.caption, style="bold", markup=False, highlight=False)
    console.print(drawn)


app.add_typer(airlock_commands(_told, _show), name="airlock")
