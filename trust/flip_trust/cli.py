"""``flip-trust``: what a Trust's operator and its data steward type."""

from __future__ import annotations

import getpass
import json
import signal
import sys
import threading
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from flip_sdk.contract.jobs import JobKind, TrustModelName
from flip_sdk.contract.notices import CATALOGUE_EPSILON, fingerprint
from rich.markup import escape

from flip_trust import backup_cli
from flip_trust.audit_cli import audit_app
from flip_trust.commands import Home, asked, command, in_words, opened, out, say
from flip_trust.config import TrustConfig
from flip_trust.console import cli as console_cli
from flip_trust.database import Database
from flip_trust.deidentification.cli import deid_app
from flip_trust.errors import ConsentError, SetupError
from flip_trust.features.images.cli import features_app
from flip_trust.imaging import cli as imaging_cli
from flip_trust.ingest.cli import ingest_app, quality_app
from flip_trust.peers_cli import peers_app

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="One hospital's FLIP node.")
consent_app = typer.Typer(no_args_is_help=True, help="The data steward's decisions on projects.")
catalogue_app = typer.Typer(no_args_is_help=True, help="What this Trust publishes about its data.")
ledger_app = typer.Typer(invoke_without_command=True)
app.add_typer(consent_app, name="consent")
app.add_typer(catalogue_app, name="catalogue")
app.add_typer(audit_app, name="audit")
app.add_typer(ledger_app, name="ledger")
app.add_typer(peers_app, name="peers")
app.add_typer(deid_app)
app.add_typer(ingest_app, name="ingest")
app.add_typer(features_app, name="features")
app.add_typer(quality_app)
imaging_cli.register(app, ingest_app)
backup_cli.register(app)
console_cli.register(app)

Steward = Annotated[str, typer.Option(help="Who decides; your login name unless given.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the audit log.")]
Project = Annotated[str, typer.Argument(help="The project's id, as flip-trust consent list shows it.")]


@command(app, "init")
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
        say(f"The hub says it is [bold]{escape(record.title)}[/bold]. Its fingerprint:\n\n  {fingerprint(record)}\n")
        if not typer.confirm("Is this, digit by digit, what the hub's operator reads out to you?"):
            raise SetupError("The hub's fingerprint was not confirmed.", "Ask the hub's operator for the right file.")
        hub_fingerprint = fingerprint(record)
    config = TrustConfig(home.absolute(), name, title, production=production)
    make_home(config, record, hub_fingerprint)
    say(f"This Trust's home is {config.home}.")
    say(f"Hand {config.enrolment_file} to the hub's operator, and read out its fingerprint:")
    say(f"\n  [bold]{fingerprint(enrolment(config))}[/bold]")


@command(app, "fingerprint")
def show_fingerprint(home: Home = None) -> None:
    """Print the fingerprint of this Trust's enrolment record, to read out to the hub's operator."""
    from flip_trust.keys import enrolment

    sys.stdout.write(fingerprint(enrolment(TrustConfig.load(home))) + "\n")


@command(app, "serve")
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


@command(app, "status")
def status(home: Home = None) -> None:
    """Show the budgets and the latest tasks."""
    from flip_trust.console import tables

    config, database = opened(home)
    say(f"{config.title} ({config.name})")
    out.print(tables.budgets_table(database, config))
    out.print(tables.tasks_table(database))


@ledger_app.callback()
@in_words
def ledger(
    context: typer.Context,
    home: Home = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable, on one line.")] = False,
) -> None:
    """Show every debit, and what each project and the whole data set have spent."""
    from flip_trust.console import tables
    from flip_trust.ledger import store

    if context.invoked_subcommand:
        return
    config, database = opened(home)
    if as_json:
        sys.stdout.write(json.dumps(_ledger(config, database)) + "\n")
        return
    out.print(tables.ledger_table(store.lines(database)))
    out.print(tables.budgets_table(database, config))


@command(ledger_app, "queries")
def ledger_queries(
    project: Annotated[str, typer.Argument(help="The project's id.")],
    home: Home = None,
) -> None:
    """Show what a project asked, in words, what became of it, and how near its cohorts are; for this Trust alone."""
    from flip_trust.cohort.omop import Omop
    from flip_trust.console import tables
    from flip_trust.ledger import queries

    config, database = opened(home)
    found = queries.queries(database, project)
    if not found:
        say(f"Nothing was asked by {project}.")
        return
    near = list(queries.nearest(found, Omop(config.omop), datetime.now(UTC).year))
    out.print(tables.queries_table(found, near, config.floor, Omop(config.omop).names()))


@command(ledger_app, "reconcile")
def ledger_reconcile(
    spent: Annotated[list[str] | None, typer.Option(help="PROJECT=EPSILON, once for each project.")] = None,
    total: Annotated[float, typer.Option(help="Epsilon that the whole data set has spent.", min=0)] = 0.0,
    write_off: Annotated[bool, typer.Option(help="Count all that is left as spent, of each and of the whole.")] = False,
    steward: Steward = "",
    home: Home = None,
) -> None:
    """After a restore: debit what the backup's ledger has forgotten, so that the Trust answers again."""
    from flip_trust.backup_cli import run_reconcile

    run_reconcile(spent or [], total, write_off, steward or getpass.getuser(), home)


@command(consent_app, "list")
def consent_list(home: Home = None) -> None:
    """Ask the hub which projects want this Trust's data, and show what was decided."""
    from flip_trust import consent
    from flip_trust.console import tables

    config, database = opened(home)
    out.print(tables.projects_table(asked(config, database), consent.every(database)))


@command(consent_app, "opt-in")
def consent_opt_in(  # noqa: PLR0913, PLR0917 (a form: every option has a name and all but three a preset)
    project: Project,
    epsilon: Annotated[float, typer.Option(prompt=True, help="Budget of the project at this Trust.")],
    until: Annotated[str, typer.Option(prompt="Until (YYYY-MM-DD)", help="Last day of the opt-in.")],
    delta: Annotated[float, typer.Option(help="The delta at which the budget is reckoned.")] = 1e-5,
    kinds: Annotated[str, typer.Option(help="Job kinds, comma-separated.")] = ",".join(get_args(JobKind)),
    trust_models: Annotated[
        str,
        typer.Option(
            help="Whose noise may protect this Trust's patients, comma-separated: local (this Trust's own, in full), "
            "distributed (shares of several Trusts; see flip-trust peers)."
        ),
    ] = "local",
    epsilon_alone: Annotated[
        float,
        typer.Option(
            help="Budget where noise is shared, reckoned as if every other Trust worked with the hub; four times "
            "--epsilon unless given."
        ),
    ] = 0.0,
    steward: Steward = "",
    reason: Reason = "",
    home: Home = None,
) -> None:
    """Allow a project to send jobs: these kinds, this much epsilon, until this day."""
    from flip_trust import consent

    config, database = opened(home)
    terms = consent.Terms(
        _kinds(kinds),
        _budget(epsilon, 1000),
        _budget(delta, 0.01),
        _end_of(until),
        _trust_models(trust_models),
        _budget(epsilon_alone, 10_000) if epsilon_alone else None,
    )
    decision = consent.opt_in(database, project, terms, steward or getpass.getuser(), reason=reason)
    _tell(config, database, decision)


@command(consent_app, "pause")
def consent_pause(project: Project, steward: Steward = "", reason: Reason = "", home: Home = None) -> None:
    """Refuse every further task of a project until it is resumed; takes effect at once."""
    from flip_trust import consent

    config, database = opened(home)
    _tell(config, database, consent.pause(database, project, steward or getpass.getuser(), reason))


@command(consent_app, "resume")
def consent_resume(project: Project, steward: Steward = "", reason: Reason = "", home: Home = None) -> None:
    """End a pause, on the terms there were."""
    from flip_trust import consent

    config, database = opened(home)
    _tell(config, database, consent.resume(database, project, steward or getpass.getuser(), reason))


@command(consent_app, "leave")
def consent_leave(project: Project, steward: Steward = "", reason: Reason = "", home: Home = None) -> None:
    """Take this Trust out of a project; takes effect at once, and frozen cohorts are deleted."""
    from flip_trust import consent

    config, database = opened(home)
    _tell(config, database, consent.leave(database, project, steward or getpass.getuser(), reason))


@command(catalogue_app, "publish")
def catalogue_publish(
    epsilon: Annotated[
        float, typer.Option(help="Cost of the noisy person count, from the data set's budget.")
    ] = CATALOGUE_EPSILON,
    twin: Annotated[
        float | None,
        typer.Option("--twin", help="Publish a synthetic twin too, at this epsilon: people to practise on."),
    ] = None,
    holdings: Annotated[
        float | None,
        typer.Option(
            "--holdings",
            help="Publish noisy numbers of persons by concept, image, year and table, freshness and quality too, at "
            "this epsilon.",
        ),
    ] = None,
    twin_images: Annotated[
        bool, typer.Option("--twin-images", help="The twin tells of the geometry of images too, for the same epsilon.")
    ] = False,
    steward: Steward = "",
    home: Home = None,
) -> None:
    """Tell the hub which concepts this Trust has, and about how many persons."""
    from flip_trust import catalogue, egress
    from flip_trust.agent.hub_client import HubClient, HubRefusedError, HubUnreachableError
    from flip_trust.keys import load_hub, load_identity
    from flip_trust.ledger import store

    config, database = opened(home)
    who = steward or getpass.getuser()
    if twin_images and twin is None:
        raise ConsentError("There is no twin to tell of images.", "Give --twin EPSILON too.")
    more = [_budget(one, 1000) if one is not None else None for one in (twin, holdings)]
    notice = catalogue.compile_notice(
        config, database, _budget(epsilon, 1000), who, datetime.now(UTC), *more, twin_images=twin_images
    )
    told = f"about {notice.persons} persons" if notice.persons is not None else "too few persons to say how many"
    if (held := notice.holdings) is not None:
        told += f", numbers for {len(held.concepts)} of them (± {2 * held.noise.concepts:.0f} persons)"
    told += ", and a synthetic twin" if notice.twin is not None else ""
    told += " with its images' geometry" if notice.twin is not None and notice.twin.images else ""
    try:
        with HubClient(load_hub(config.hub_file)) as client:
            egress.announce(client, notice, load_identity(config))
        catalogue.delivered(config)
        say(f"Published: {len(notice.concepts)} concepts, {told}.")
    except HubRefusedError:
        say(f"Kept: {len(notice.concepts)} concepts, {told}. The hub did not take it: does it know this Trust?")
    except HubUnreachableError:
        say(f"Kept: {len(notice.concepts)} concepts, {told}. The agent will tell the hub once it answers.")
    spent, cap = store.spent(database, config.total.delta), config.total.epsilon
    say(f"The data set has spent ε = {spent:.3g} of {cap:g}, over all projects and catalogues.")


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
        say(f"{decision.project_id}: {state}. The hub is told.")
    except HubRefusedError:
        say(f"{decision.project_id}: {state}. The hub did not take note: does it know this Trust, and the project?")
    except HubUnreachableError:
        say(f"{decision.project_id}: {state}, at once. The agent will tell the hub once it answers.")


def _ledger(config: TrustConfig, database: Database) -> dict[str, Any]:
    from flip_trust.agent.announcer import budget_lines, total_line
    from flip_trust.ledger import store

    return {
        "events": [
            {"at": line.at, "project_id": line.project_id, "job_id": line.job_id, "purpose": line.purpose}
            | {"event": line.event.model_dump(mode="json")}
            for line in store.lines(database)
        ],
        "budgets": [line.model_dump(mode="json") for line in budget_lines(database)],
        "total": total_line(database, config).model_dump(mode="json"),
    }


def _kinds(text: str) -> tuple[JobKind, ...]:
    wanted = [word.strip() for word in text.split(",") if word.strip()]
    if unknown := sorted(set(wanted) - set(get_args(JobKind))):
        raise ConsentError(f"There is no kind of job called {', '.join(unknown)}.", "Use count, train or evaluate.")
    return tuple(kind for kind in get_args(JobKind) if kind in wanted)


def _trust_models(text: str) -> tuple[TrustModelName, ...]:
    wanted = {word.strip() for word in text.split(",") if word.strip()}
    if unknown := sorted(wanted - set(get_args(TrustModelName))):
        raise ConsentError(f"There is no trust model called {', '.join(unknown)}.", "Use local or distributed.")
    return tuple(model for model in get_args(TrustModelName) if model in wanted)


def _budget(value: float, most: float) -> float:
    if not 0 < value < most:
        raise ConsentError(f"{value:g} is not a budget.", f"Give a number between 0 and {most:g}.")
    return value


def _end_of(day: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(day), time.max, UTC)
    except ValueError as error:
        raise ConsentError(f"'{day}' is not a day.", "Write it as 2027-06-30.") from error
