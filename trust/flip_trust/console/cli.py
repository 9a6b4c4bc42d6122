"""``flip-trust console``, and the people who may sign in to it."""

from __future__ import annotations

import getpass
import ipaddress
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from flip_trust.commands import Home, command, opened, out, say
from flip_trust.errors import SetupError

steward_app = typer.Typer(no_args_is_help=True, help="People who sign in to the console with a passphrase.")
ROLE = "data steward"
PersonName = Annotated[str, typer.Argument(help="The name to sign in with: lower case, digits, dots and hyphens.")]
Role = Annotated[str, typer.Option(help="data steward (decides), auditor (reads) or operator (keeps it running).")]


def register(app: typer.Typer) -> None:
    """Put this module's commands into the program."""
    command(app, "console")(console)
    app.add_typer(steward_app, name="steward")


def console(  # noqa: PLR0913, PLR0917 (a form: every option has a name and a preset)
    steward: Annotated[str, typer.Option(help="Whom the link lets in; your login name unless given.")] = "",
    role: Role = ROLE,
    link: Annotated[
        bool, typer.Option(help="Print a link that lets one person in, once; without it, by passphrase only.")
    ] = True,
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8600,
    host: Annotated[
        str, typer.Option(help="Address to listen on; another than this machine's own needs TLS.")
    ] = "127.0.0.1",
    name: Annotated[str, typer.Option(help="The name by which browsers call it, where --host is given.")] = "",
    tls_certificate: Annotated[Path | None, typer.Option(help="PEM; HTTPS is then spoken.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM: the certificate's key.")] = None,
    home: Home = None,
) -> None:
    """Open the console: web pages on this machine for the data steward. Ends with Ctrl-C; needs no hub."""
    from flip_trust.agent import log
    from flip_trust.console.service import Address, create_app, serve
    from flip_trust.policy import ROLES, Person

    if role not in ROLES:
        raise SetupError(f"There is no role called {role}.", f"Give one of: {', '.join(ROLES)}.")
    address = Address(host, port, name, tls_certificate, tls_key)
    _check(host, name, tls_certificate, tls_key)
    config, database = opened(home)
    log.set_up()
    app = create_app(config, database, address)
    person = Person(steward or getpass.getuser(), role)
    say(f"The console of {escape(config.title)} is at {address.url}")
    if link:
        secret = app.state.desk.sessions.link(person)
        say(f"Open this within 10 minutes. It works once, and lets you in as {escape(person.name)} ({role}):")
        sys.stdout.write(f"\n  {address.url}enter?link={secret}\n\n")
    say("It is open until Ctrl-C.")
    sys.stdout.flush()
    serve(app, address)


@command(steward_app, "add")
def steward_add(name: PersonName, role: Role = ROLE, home: Home = None) -> None:
    """Let somebody sign in to the console with a passphrase, which is asked for; or give them another one."""
    from flip_trust.console import people

    _, database = opened(home)
    passphrase = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True)
    person = people.add(database, name, role, passphrase, getpass.getuser())
    say(f"{person.name} may sign in as {person.role}.")


@command(steward_app, "close")
def steward_close(name: PersonName, home: Home = None) -> None:
    """Let somebody sign in no more; who is signed in is signed out at their next click."""
    from flip_trust.console import people

    people.close(opened(home)[1], name, getpass.getuser())
    say(f"{name}: closed.")


@command(steward_app, "list")
def steward_list(home: Home = None) -> None:
    """Show who may sign in to the console."""
    from flip_trust.console import people

    table = Table("name", "role", "sign-in", title="People of the console")
    for person in people.every(opened(home)[1]):
        table.add_row(person.name, person.role, "open" if person.active else "closed")
    out.print(table)


def _check(host: str, name: str, certificate: Path | None, key: Path | None) -> None:
    if (certificate is None) != (key is None):
        raise SetupError("A certificate needs its key.", "Give both --tls-certificate and --tls-key.")
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError as error:
        raise SetupError(f"'{host}' is not an address to listen on.", "Give one such as 127.0.0.1.") from error
    if not is_loopback and certificate is None:
        raise SetupError(
            "The console would be open to other machines without encryption.",
            "Give --tls-certificate and --tls-key; or leave --host away and forward the port with ssh -L.",
        )
    if not is_loopback and not name:
        raise SetupError("Browsers have to call the console by a name.", "Give --name, as the certificate has it.")
