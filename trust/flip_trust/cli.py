"""``flip-trust``: what a Trust's operator and its data steward type."""

from __future__ import annotations

import functools
import getpass
import json
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar, get_args

import typer
from flip_sdk.contract.jobs import JobKind
from flip_sdk.contract.notices import ProjectForTrust, TrustRequest, fingerprint
from flip_sdk.errors import PublicError
from rich.console import Console
from rich.markup import escape

from flip_trust.config import TrustConfig
from flip_trust.database import Database
from flip_trust.errors import ConsentError, LedgerUnavailableError, SetupError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="One hospital's FLIP node.")
consent_app = typer.Typer(no_args_is_help=True, help="The data steward's decisions on projects.")
catalogue_app = typer.Typer(no_args_is_help=True, help="What this Trust publishes about its data.")
audit_app = typer.Typer(no_args_is_help=True, help="The audit log.")
app.add_typer(consent_app, name="consent")
app.add_typer(catalogue_app, name="catalogue")
app.add_typer(audit_app, name="audit")

P = ParamSpec("P")
R = TypeVar("R")
Home = Annotated[Path | None, typer.Option(envvar="FLIP_TRUST_HOME", help="The Trust's home folder.")]
Steward = Annotated[str, typer.Option(help="Who decides; your login name unless given.")]
Project = Annotated[str, typer.Argument(help="The project's id, as flip-trust consent list shows it.")]
_out, _err = Console(), Console(stderr=True)
_say = functools.partial(_out.print, soft_wrap=True, highlight=False)


def _command(parent: typer.Typer, name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A command whose public errors are shown in words, and end it with 1."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def shown(*arguments: P.args, **options: P.kwargs) -> R:
            try:
                return function(*arguments, **options)
            except PublicError as error:
                _err.print(f"[red]{escape(error.message)}[/red] {escape(error.mend)}", highlight=False, soft_wrap=True)
            except LedgerUnavailableError:
                _err.print("[red]The database cannot be read or written.[/red] Is the disk full? Nothing was changed.")
            raise typer.Exit(1)

        return parent.command(name)(shown)

    return decorate


@_command(app, "init")
def init(
    name: Annotated[str, typer.Option(prompt=True, help="The Trust's name: lower case, digits, hyphens.")],
    title: Annotated[str, typer.Option(prompt=True, help="The Trust's name as people know it.")],
    hub: Annotated[Path, typer.Option(prompt="File with the hub's enrolment record", help="From the hub's operator.")],
    hub_fingerprint: Annotated[str, typer.Option(help="The hub's fingerprint, as its operator reads it out.")] = "",
    production: Annotated[bool, typer.Option(help="Refuse what only a demonstration may do.")] = False,
    home: Home = None,
) -> None:
    """Make this Trust's home: settings, keys, the pinned hub, and the record to hand to the hub."""
    from flip_trust.keys import enrolment, load_hub
    from flip_trust.setup import make_home

    if home is None:
        raise SetupError("The Trust's home folder is not known.", "Give --home or set FLIP_TRUST_HOME.")
    record = load_hub(hub)
    if not hub_fingerprint:
        _say(f"The hub says it is [bold]{escape(record.title)}[/bold]. Its fingerprint:\n\n  {fingerprint(record)}\n")
        if not typer.confirm("Is this, digit by digit, what the hub's operator reads out to you?"):
            raise SetupError("The hub's fingerprint was not confirmed.", "Ask the hub's operator for the right file.")
        hub_fingerprint = fingerprint(record)
    config = TrustConfig(home.absolute(), name, title, production=production)
    make_home(config, record, hub_fingerprint)
    _say(f"This Trust's home is {config.home}.")
    _say(f"Hand {config.enrolment_file} to the hub's operator, and read out its fingerprint:")
    _say(f"\n  [bold]{fingerprint(enrolment(config))}[/bold]")


@_command(app, "fingerprint")
def show_fingerprint(home: Home = None) -> None:
    """Print the fingerprint of this Trust's enrolment record, to read out to the hub's operator."""
    from flip_trust.keys import enrolment

    sys.stdout.write(fingerprint(enrolment(TrustConfig.load(home))) + "\n")


@_command(app, "serve")
def serve(home: Home = None) -> None:
    """Run the agent until it is told to stop (SIGTERM or Ctrl-C)."""
    config = TrustConfig.load(home)
    from flip_trust.agent import log
    from flip_trust.agent.serve import serve as run

    log.set_up()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run(config, stop)


@_command(app, "status")
def status(home: Home = None) -> None:
    """Show the budgets and the latest tasks."""
    from flip_trust import console

    config, database = _open(home)
    _say(f"{config.title} ({config.name})")
    _out.print(console.budgets_table(database, config))
    _out.print(console.tasks_table(database))


@_command(app, "ledger")
def ledger(
    home: Home = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable, on one line.")] = False,
) -> None:
    """Show every debit, and what each project and the whole data set have spent."""
    from flip_trust import console
    from flip_trust.ledger import store

    config, database = _open(home)
    if as_json:
        sys.stdout.write(json.dumps(_ledger(config, database)) + "\n")
        return
    _out.print(console.ledger_table(store.lines(database)))
    _out.print(console.budgets_table(database, config))


@_command(consent_app, "list")
def consent_list(home: Home = None) -> None:
    """Ask the hub which projects want this Trust's data, and show what was decided."""
    from flip_trust import consent, console

    config, database = _open(home)
    _out.print(console.projects_table(_asked(config), consent.every(database)))


@_command(consent_app, "opt-in")
def consent_opt_in(
    project: Project,
    epsilon: Annotated[float, typer.Option(prompt=True, help="Budget of the project at this Trust.")],
    until: Annotated[str, typer.Option(prompt="Until (YYYY-MM-DD)", help="Last day of the opt-in.")],
    delta: Annotated[float, typer.Option(help="The delta at which the budget is reckoned.")] = 1e-5,
    kinds: Annotated[str, typer.Option(help="Job kinds, comma-separated.")] = "count,train,evaluate",
    steward: Steward = "",
    home: Home = None,
) -> None:
    """Allow a project to send jobs: these kinds, this much epsilon, until this day."""
    from flip_trust import consent

    config, database = _open(home)
    terms = consent.Terms(_kinds(kinds), _budget(epsilon, 1000), _budget(delta, 0.01), _end_of(until))
    decision = consent.opt_in(database, project, terms, steward or getpass.getuser())
    _tell(config, database, decision)


@_command(consent_app, "pause")
def consent_pause(project: Project, steward: Steward = "", home: Home = None) -> None:
    """Refuse every further task of a project until it is resumed; takes effect at once."""
    from flip_trust import consent

    config, database = _open(home)
    _tell(config, database, consent.pause(database, project, steward or getpass.getuser()))


@_command(consent_app, "resume")
def consent_resume(project: Project, steward: Steward = "", home: Home = None) -> None:
    """End a pause, on the terms there were."""
    from flip_trust import consent

    config, database = _open(home)
    _tell(config, database, consent.resume(database, project, steward or getpass.getuser()))


@_command(consent_app, "leave")
def consent_leave(project: Project, steward: Steward = "", home: Home = None) -> None:
    """Take this Trust out of a project; takes effect at once, and frozen cohorts are deleted."""
    from flip_trust import consent

    config, database = _open(home)
    _tell(config, database, consent.leave(database, project, steward or getpass.getuser()))


@_command(catalogue_app, "publish")
def catalogue_publish(
    epsilon: Annotated[float, typer.Option(help="Cost of the noisy person count, from the data set's budget.")] = 0.5,
    steward: Steward = "",
    home: Home = None,
) -> None:
    """Tell the hub which concepts this Trust has, and about how many persons."""
    from flip_trust import catalogue, egress
    from flip_trust.agent.hub_client import HubClient, HubRefusedError, HubUnreachableError
    from flip_trust.keys import load_hub, load_identity

    config, database = _open(home)
    who = steward or getpass.getuser()
    notice = catalogue.compile_notice(config, database, _budget(epsilon, 1000), who, datetime.now(UTC))
    told = f"about {notice.persons} persons" if notice.persons is not None else "too few persons to say how many"
    try:
        with HubClient(load_hub(config.hub_file)) as client:
            egress.announce(client, notice, load_identity(config))
        catalogue.delivered(config)
        _say(f"Published: {len(notice.concepts)} concepts, {told}.")
    except HubRefusedError:
        _say(f"Kept: {len(notice.concepts)} concepts, {told}. The hub did not take it: does it know this Trust?")
    except HubUnreachableError:
        _say(f"Kept: {len(notice.concepts)} concepts, {told}. The agent will tell the hub once it answers.")


@_command(audit_app, "verify")
def audit_verify(
    file: Annotated[Path | None, typer.Option(help="Verify an exported log instead of this Trust's own.")] = None,
    home: Home = None,
) -> None:
    """Check that no entry of the audit log was changed, left out, added or moved."""
    from flip_trust import audit

    if file is None:
        count, last = audit.verify_database(_open(home)[1])
    else:
        try:
            with file.open(encoding="utf-8") as stream:
                count, last = audit.verify_entries(audit.read_export(stream))
        except OSError as error:
            raise SetupError(f"{file} cannot be read.", "Give the file that flip-trust audit export wrote.") from error
    _say(f"The audit log is whole: {count} entries, the last with hash {last}.")


@_command(audit_app, "export")
def audit_export(
    to: Annotated[Path | None, typer.Option(help="File to write; standard output unless given.")] = None,
    home: Home = None,
) -> None:
    """Write the audit log as one JSON object a line."""
    from flip_trust import audit

    lines = (json.dumps(entry) + "\n" for entry in audit.entries_of(_open(home)[1]))
    if to is None:
        sys.stdout.writelines(lines)
        return
    with to.open("w", encoding="utf-8") as stream:
        stream.writelines(lines)


def _open(home: Path | None) -> tuple[TrustConfig, Database]:
    config = TrustConfig.load(home)
    return config, Database.open(config.database)


def _asked(config: TrustConfig) -> list[ProjectForTrust]:
    from flip_trust import egress
    from flip_trust.agent.hub_client import HubClient, HubRefusedError, HubUnreachableError
    from flip_trust.keys import load_hub, load_identity

    request = TrustRequest(trust=config.name, asks="projects", request_id=egress.new_id(), issued_at=datetime.now(UTC))
    try:
        with HubClient(load_hub(config.hub_file)) as client:
            return egress.ask_projects(client, request, load_identity(config))
    except HubRefusedError:
        _err.print("[yellow]The hub does not know this Trust yet: hand its enrolment record to the operator.[/yellow]")
    except HubUnreachableError:
        _err.print("[yellow]The hub cannot be reached; this is what this Trust itself knows.[/yellow]")
    return []


def _tell(config: TrustConfig, database: Database, decision: Any) -> None:  # Consent; imported late, as it is slow
    from flip_trust import consent, egress
    from flip_trust.agent.hub_client import HubClient, HubRefusedError, HubUnreachableError
    from flip_trust.keys import load_hub, load_identity

    state = decision.state.replace("_", " ")
    try:
        notice = consent.notice_of(decision, config.name, egress.new_id(), datetime.now(UTC))
        with HubClient(load_hub(config.hub_file)) as client:
            egress.announce(client, notice, load_identity(config))
        consent.announced(database, decision)
        _say(f"{decision.project_id}: {state}. The hub is told.")
    except HubRefusedError:
        _say(f"{decision.project_id}: {state}. The hub did not take note: does it know this Trust, and the project?")
    except HubUnreachableError:
        _say(f"{decision.project_id}: {state}, at once. The agent will tell the hub once it answers.")


def _ledger(config: TrustConfig, database: Database) -> dict[str, Any]:
    from flip_trust.agent.announcer import budget_lines
    from flip_trust.ledger import store

    return {
        "events": [
            {"at": line.at, "project_id": line.project_id, "job_id": line.job_id, "purpose": line.purpose}
            | {"event": line.event.model_dump(mode="json")}
            for line in store.lines(database)
        ],
        "budgets": [line.model_dump(mode="json") for line in budget_lines(database)],
        "total": {
            "epsilon": config.total_epsilon,
            "delta": config.total_delta,
            "spent": store.spent(database, config.total_delta),
        },
    }


def _kinds(text: str) -> tuple[JobKind, ...]:
    wanted = [word.strip() for word in text.split(",") if word.strip()]
    if unknown := sorted(set(wanted) - set(get_args(JobKind))):
        raise ConsentError(f"There is no kind of job called {', '.join(unknown)}.", "Use count, train or evaluate.")
    return tuple(kind for kind in get_args(JobKind) if kind in wanted)


def _budget(value: float, most: float) -> float:
    if not 0 < value < most:
        raise ConsentError(f"{value:g} is not a budget.", f"Give a number between 0 and {most:g}.")
    return value


def _end_of(day: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(day), time.max, UTC)
    except ValueError as error:
        raise ConsentError(f"'{day}' is not a day.", "Write it as 2027-06-30.") from error
