"""What every command shares: help in paragraphs, tables or JSON, errors in words, exit codes.

Exit codes: 0 all is well; 1 it cannot be done, and why; 2 the command was typed wrongly; 3 the hub cannot be reached or
nobody is signed in; 4 a job ended without a result; 130 interrupted.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any

import click

from flip_sdk.errors import ConnectionFailedError, JobFailedError, PublicError
from flip_sdk.frames import Frame, shown
from flip_sdk.looks import drawn

Command = Callable[..., Any]
UNREACHABLE, JOB_FAILED, INTERRUPTED = 3, 4, 130
_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
_CODES = (
    "Exit codes: 0 all is well; 1 it cannot be done (the reason is told); 2 typed wrongly; 3 no hub, or nobody is "
    "signed in; 4 a job ended without a result; 130 interrupted."
)


@dataclass(frozen=True)
class Told:
    """What a command says that is no table.

    Attributes:
        words: for people.
        fields: the same for programs.
    """

    words: str
    fields: dict[str, Any]


class Group(click.Group):
    """Commands under one name."""

    def __init__(self, name: str, words: str) -> None:
        super().__init__(name, help=cleandoc(words), epilog=_CODES, context_settings=_HELP, no_args_is_help=True)

    def command_of(self, name: str, *, example: str = "") -> Callable[[Command], click.Command]:
        """Make a function a command: what it returns is shown, as a table or words, or with ``--json`` as JSON.

        Args:
            name: as it is typed.
            example: a line that help shows.
        """

        def make(function: Command) -> click.Command:
            words = cleandoc(function.__doc__ or "")
            # \b keeps click from filling the line up with the next one
            words += f"\n\n\b\nExample:\n  {example}" if example else ""
            command = self.command(name, help=words, context_settings=_HELP)(_told(function))
            command.params.append(_as_json())
            return command

        return make


def _as_json() -> click.Option:
    return click.Option(["--json", "as_json"], is_flag=True, help="For programs: JSON, errors too.")


def _told(function: Command) -> Command:
    """Show what a command returns; turn a PublicError into words and an exit code."""

    @functools.wraps(function)
    def run(*args: Any, as_json: bool, **kwargs: Any) -> None:
        try:
            show(function(*args, **kwargs), as_json)
        except PublicError as error:
            complain(error, as_json)
            raise click.exceptions.Exit(code_of(error)) from error
        except KeyboardInterrupt:
            raise click.exceptions.Exit(INTERRUPTED) from None

    return run


def show(what: Frame | Told | str | None, as_json: bool) -> None:
    """On the terminal, or JSON for a program."""
    match what:
        case Frame() if as_json:
            click.echo(what.write_json())
        case Frame():
            click.secho(what.caption, bold=True)
            click.echo(lines_of(what))
        case Told() if as_json:
            click.echo(json.dumps(what.fields, ensure_ascii=False, default=str))
        case Told():
            click.echo(what.words)
        case str():
            click.echo(json.dumps({"said": what}, ensure_ascii=False) if as_json else what)


def lines_of(table: Frame) -> str:
    """A table as wide as the terminal."""
    heads = [name.replace("_", " ") for name in table.columns]
    numbers = [kind in (int, float) for kind in table.kinds.values()]
    return drawn(heads, [[shown(value) for value in row] for row in table.rows()], numbers, click_width())


def click_width() -> int:
    """Characters of a line; wide where nobody looks at it."""
    from shutil import get_terminal_size

    return get_terminal_size((140, 40)).columns


def complain(error: PublicError, as_json: bool) -> None:
    """What is wrong and what to do next, on standard error."""
    if as_json:
        told = {"error": error.code, "message": error.message, "mend": error.mend}
        click.echo(json.dumps(told, ensure_ascii=False), err=True)
        return
    click.secho(error.message, fg="red", bold=True, err=True)
    if error.mend:
        click.echo(error.mend, err=True)


def code_of(error: PublicError) -> int:
    """A program's exit code."""
    match error:
        case ConnectionFailedError():
            return UNREACHABLE
        case JobFailedError():
            return JOB_FAILED
        case _:
            return 1
