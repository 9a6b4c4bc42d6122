"""``flip-hub``: what the hub's operator types, and what starts the hub's programs."""

from __future__ import annotations

import functools
import getpass
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ParamSpec, TypeVar

import typer
from flip_sdk.contract.notices import TrustEnrolment, fingerprint
from flip_sdk.errors import PublicError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flip_hub.audit_cli import register as register_audit
from flip_hub.backup_cli import By, Home
from flip_hub.backup_cli import register as register_backup
from flip_hub.checks_cli import register as register_checks
from flip_hub.config import HubConfig
from flip_hub.database import Database, upgrade
from flip_hub.emergency_cli import register as register_emergency
from flip_hub.packages_cli import register as register_packages
from flip_hub.people_cli import register as register_people
from flip_hub.satre.cli import register as register_satre
from flip_hub.services_cli import register as register_services
from flip_hub.usage_cli import register as register_usage
from flip_hub.workspaces_cli import register as register_workspaces

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="FLIP's central service.")
people_app = typer.Typer(no_args_is_help=True, help="People, their organisations and their roles.")
emergency_app = typer.Typer(no_args_is_help=True, help="Emergency access of operators, and its review.")
satre_app = typer.Typer(no_args_is_help=True, help="Where the hub stands on SATRE, from tests that ran.")
audit_app = typer.Typer(no_args_is_help=True, help="The audit log.")
airlock_app = typer.Typer(no_args_is_help=True, help="What leaves.")
packages_app = typer.Typer(no_args_is_help=True, help="Packages that people may install into workspaces.")
service_app = typer.Typer(no_args_is_help=True, help="Programs that have tokens of their own.")
usage_app = typer.Typer(no_args_is_help=True, help="What workspaces used.")
workspaces_app = typer.Typer(no_args_is_help=True, help="Where workspaces run, and what they may use.")
app.add_typer(people_app, name="people")
app.add_typer(service_app, name="service")
app.add_typer(emergency_app, name="emergency")
app.add_typer(airlock_app, name="airlock")
app.add_typer(audit_app, name="audit")
app.add_typer(packages_app, name="packages")
app.add_typer(satre_app, name="satre")
app.add_typer(usage_app, name="usage")
app.add_typer(workspaces_app, name="workspaces")

P = ParamSpec("P")
R = TypeVar("R")
_out, _err = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)


def _command(parent: typer.Typer, name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A command whose public errors are shown in words, and end it with 1."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def shown(*arguments: P.args, **options: P.kwargs) -> R:
            try:
                return _in_words(function, *arguments, **options)
            except PublicError as error:
                _err.print(f"[red]{escape(error.message)}[/red] {escape(error.mend)}", highlight=False, soft_wrap=True)
            raise typer.Exit(1)

        return parent.command(name)(shown)

    return decorate


def _in_words(function: Callable[P, R], *arguments: P.args, **options: P.kwargs) -> R:
    from sqlalchemy.exc import DBAPIError

    from flip_hub.database.trouble import in_words

    try:
        return function(*arguments, **options)
    except DBAPIError as error:
        raise in_words(error) from error


# ---- the hub's home


@_command(app, "init")
def init(
    home: Home = None,
    title: Annotated[str, typer.Option(help="The hub's name as people and Trusts see it.")] = "",
    host: Annotated[str, typer.Option(help="Address that the gateway listens on.")] = "",
    gateway_port: Annotated[int, typer.Option(help="Port that the gateway listens on.")] = 0,
    gateway_address: Annotated[str, typer.Option(help="host:port that Trusts dial, where it is another one.")] = "",
    hub_url: Annotated[str, typer.Option(help="Public address of JupyterHub.")] = "",
    production: Annotated[bool, typer.Option(help="Refuse what only a demonstration may do.")] = False,
    by: By = "",
) -> None:
    """Make the hub's home: settings, keys, certificates, database, and the record that Trusts pin."""
    from flip_hub.errors import ConfigError
    from flip_hub.home import ENROLMENT_FILE, make_home
    from flip_hub.keys import hub_record

    if home is None:
        raise ConfigError("The hub's home folder is not known.", "Give --home or set FLIP_HUB_HOME.")
    given: dict[str, str | int | bool] = {
        "title": title,
        "gateway_host": host,
        "gateway_port": gateway_port,
        "gateway_address": gateway_address,
        "hub_url": hub_url,
        "production": production,
    }
    settings = {name: value for name, value in given.items() if value}
    config = make_home(home.absolute(), settings, by=_by(by))
    _out.print(f"The hub's home is {config.home}. Hand {config.home / ENROLMENT_FILE} to the Trusts' operators,")
    _out.print(f"and read out its fingerprint:\n\n  [bold]{fingerprint(hub_record(config))}[/bold]")


@_command(app, "hub-record")
def show_record(home: Home = None) -> None:
    """Print the record that Trusts pin: address, public keys, certificate authority."""
    from flip_hub.keys import hub_record

    sys.stdout.write(hub_record(HubConfig.load(home)).canonical().decode() + "\n")


@_command(app, "fingerprint")
def show_fingerprint(home: Home = None) -> None:
    """Print the fingerprint of that record, to read out to the Trusts' operators."""
    from flip_hub.keys import hub_record

    sys.stdout.write(fingerprint(hub_record(HubConfig.load(home))) + "\n")


# ---- Trusts


@_command(app, "enrol")
def enrol(
    record: Annotated[Path, typer.Argument(help="The file that flip-trust init wrote.")],
    fingerprint_: Annotated[str, typer.Option("--fingerprint", help="As the Trust's operator reads it out.")] = "",
    home: Home = None,
    by: By = "",
) -> None:
    """Register a Trust's keys, after its operator read the fingerprint out to you."""
    from flip_hub.errors import EnrolmentError
    from flip_hub.governance import trusts

    _, database = _open(home)
    try:
        content = TrustEnrolment.parse(record.read_bytes())
    except OSError as error:
        raise EnrolmentError(f"{record} cannot be read.", "Ask the Trust's operator for the file.") from error
    if not fingerprint_:
        _out.print(f"The Trust says it is [bold]{escape(content.title)}[/bold]. Its fingerprint:")
        _out.print(f"\n  {fingerprint(content)}\n")
        if not typer.confirm("Is this, digit by digit, what the Trust's operator reads out to you?"):
            raise EnrolmentError("The fingerprint was not confirmed.", "Ask the Trust's operator for the right file.")
        fingerprint_ = fingerprint(content)
    trusts.enrol(database, content, fingerprint_, by=_by(by))
    _out.print(f"{content.title} ({content.trust}) is enrolled.")


@_command(app, "withdraw")
def withdraw(name: Annotated[str, typer.Argument(help="The Trust's name.")], home: Home = None, by: By = "") -> None:
    """Stop trusting a Trust's keys at once."""
    from flip_hub.governance import trusts

    _, database = _open(home)
    trusts.withdraw(database, name, by=_by(by))
    _out.print(f"{name} is no longer enrolled.")


@_command(app, "trusts")
def list_trusts(home: Home = None) -> None:
    """List the enrolled Trusts."""
    from flip_hub.governance import trusts

    config, database = _open(home)
    table = Table("Trust", "Title", "Connection", "Version", "Fingerprint")
    with database.read() as session:
        for trust in trusts.enrolled(session):
            online = "online" if trusts.is_online(config, trust.seen_at) else f"last seen {trust.seen_at or 'never'}"
            table.add_row(trust.name, trust.title, online, trust.version, trust.fingerprint)
    _out.print(table, soft_wrap=False)


# ---- people


@_command(people_app, "add")
def add_person(
    name: Annotated[str, typer.Argument(help="Their name at JupyterHub.")],
    display_name: Annotated[str, typer.Option(help="How others see them.")],
    organisation: Annotated[str, typer.Option(help="Conflicts of interest go by it.")],
    role: Annotated[list[str], typer.Option(help="Once for each role.")],
    password: Annotated[str, typer.Option(help="For a demonstration's own sign-in.", envvar="FLIP_PASSWORD")] = "",
    home: Home = None,
    by: By = "",
) -> None:
    """Register someone, or change what is known of them."""
    from flip_hub.governance import people

    config, database = _open(home)
    people.add_person(
        database, name, display_name=display_name, organisation=organisation, roles=tuple(role), by=_by(by)
    )
    if password:
        from flip_hub.jupyterhub.accounts import set_password

        set_password(config, name, password)
    _out.print(f"{name} is registered.")


@_command(people_app, "close")
def close_person(name: Annotated[str, typer.Argument(help="Their name.")], home: Home = None, by: By = "") -> None:
    """End someone's access at once."""
    from flip_hub.governance import people

    _, database = _open(home)
    people.close_account(database, name, by=_by(by))
    _out.print(f"The account of {name} is closed.")


@_command(people_app, "unbind")
def unbind_person(name: Annotated[str, typer.Argument(help="Their name.")], home: Home = None, by: By = "") -> None:
    """Forget who a person is at their provider: whoever signs in there by this name next is them from then on."""
    from flip_hub.governance import identities

    _, database = _open(home)
    identities.unbind(database, name, by=_by(by))
    _out.print(f"{name} is bound anew at the next sign-in.")


@_command(people_app, "list")
def list_people(home: Home = None) -> None:
    """List everyone registered, and which of the records that their roles need are not there."""
    from flip_hub.governance import records

    _, database = _open(home)
    table = Table("Name", "Display name", "Organisation", "Roles", "Account", "Records")
    for person in records.listed(database):
        account = "open" if person.active else "closed"
        wrong = "; ".join(f"{one.title}: {one.state}" for one in person.needed if one.state != "held")
        table.add_row(
            person.name, person.display_name, person.organisation, ", ".join(person.roles), account, wrong or "verified"
        )
    _out.print(table, soft_wrap=False)


# ---- programs


@_command(app, "serve")
def serve(home: Home = None) -> None:
    """Run the governance service (JupyterHub starts this)."""
    from flip_hub.running import in_use
    from flip_hub.serving import serve as run

    config, database = _open(home)
    database.close()
    _log()
    with in_use(config.home):
        run(config)


@_command(app, "gateway")
def gateway(home: Home = None) -> None:
    """Run the one address that Trusts dial."""
    from flip_hub.certificates import make_certificates
    from flip_hub.flower.superlink import run_gateway
    from flip_hub.governance.trusts import node_keys
    from flip_hub.running import in_use
    from flip_hub.trust_api import create_app

    config, database = _open(home)
    _log()
    make_certificates(config)
    with in_use(config.home):
        run_gateway(config, create_app(config, database), lambda: node_keys(database))


@_command(app, "dispatch")
def dispatch(home: Home = None) -> None:
    """Run the dispatcher."""
    from flip_hub.dispatcher import run
    from flip_hub.running import in_use

    config, _ = _open(home)
    _log()
    with in_use(config.home):
        run(config)


@_command(app, "dashboards")
def dashboards(home: Home = None) -> None:
    """Run Voila for the published dashboards (JupyterHub starts this)."""
    from flip_hub.dashboards import serve as run
    from flip_hub.running import in_use

    config, _ = _open(home)
    with in_use(config.home):
        run(config)


def _open(home: Path | None) -> tuple[HubConfig, Database]:
    config = HubConfig.load(home)
    database = Database.of(config)
    upgrade(database)
    return config, database


def _by(given: str) -> str:
    return given or f"operator/{getpass.getuser()}"


def _log() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


register_backup(app, _command, _open, _by)
register_audit(audit_app, _command, _open)
register_checks(airlock_app, _command)
register_people(people_app, _command, _open, _by)
register_emergency(emergency_app, _command, _open, _by)
register_packages(packages_app, _command, _open, _by)
register_satre(satre_app, _command)
register_services(service_app, _command, _open, _by)
register_usage(usage_app, _command, _open)
register_workspaces(workspaces_app, _command)
