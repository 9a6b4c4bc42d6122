"""What every command of ``flip-trust`` needs: errors in words, the Trust's home, and what the hub says when asked."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, ParamSpec, TypeVar

import typer
from flip_sdk.contract.notices import ProjectForTrust, TrustRequest
from flip_sdk.errors import PublicError
from rich.console import Console
from rich.markup import escape

from flip_trust.config import TrustConfig
from flip_trust.database import Database
from flip_trust.errors import LedgerUnavailableError

P = ParamSpec("P")
R = TypeVar("R")
Home = Annotated[Path | None, typer.Option(envvar="FLIP_TRUST_HOME", help="The Trust's home folder.")]
Dask = Annotated[
    str, typer.Option(help="A Dask scheduler's address, tcp://…; else workers start here where there is much to do.")
]
Workers = Annotated[int, typer.Option(help="Workers to start here; 0 is one a processor.", min=0)]
out, err = Console(), Console(stderr=True)
say = functools.partial(out.print, soft_wrap=True, highlight=False)


def command(parent: typer.Typer, name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A command whose public errors are shown in words, and end it with 1."""
    return lambda function: parent.command(name)(in_words(function))


def in_words(function: Callable[P, R]) -> Callable[P, R]:
    """A function whose public errors are shown in words, and end the program with 1."""

    @functools.wraps(function)
    def shown(*arguments: P.args, **options: P.kwargs) -> R:
        try:
            return function(*arguments, **options)
        except PublicError as error:
            err.print(f"[red]{escape(error.message)}[/red] {escape(error.mend)}", highlight=False, soft_wrap=True)
        except LedgerUnavailableError:
            err.print("[red]The database cannot be read or written.[/red] Is the disk full? Nothing was changed.")
        raise typer.Exit(1)

    return shown


def opened(home: Path | None) -> tuple[TrustConfig, Database]:
    """The Trust's settings and its database."""
    config = TrustConfig.load(home)
    return config, Database.open(config.database)


def asked(config: TrustConfig, database: Database) -> list[ProjectForTrust]:
    """Which projects the hub says want this Trust's data; else what it said last, and a warning."""
    from flip_trust import egress, heard
    from flip_trust.agent.hub_client import HubClient, HubRefusedError, HubUnreachableError
    from flip_trust.keys import load_hub, load_identity

    request = TrustRequest(trust=config.name, asks="projects", request_id=egress.new_id(), issued_at=datetime.now(UTC))
    try:
        with HubClient(load_hub(config.hub_file)) as client:
            heard.keep(database, egress.ask_projects(client, request, load_identity(config)), datetime.now(UTC))
    except HubRefusedError:
        err.print("[yellow]The hub does not know this Trust yet: hand its enrolment record to the operator.[/yellow]")
    except HubUnreachableError:
        err.print("[yellow]The hub cannot be reached; this is what this Trust itself knows.[/yellow]")
    return [project.record for project in heard.every(database) if project.listed]
