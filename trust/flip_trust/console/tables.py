"""What the command line shows: tables for data stewards and operators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from flip_sdk.accounting.events import AnyEvent, Gaussian, PoissonGaussian, SharedGaussian
from flip_sdk.contract.notices import LedgerMirror, PeerKey, ProjectForTrust, fingerprint
from flip_sdk.explaining import explain
from rich.markup import escape
from rich.table import Column, Table

from flip_trust import consent
from flip_trust.audit import Reader
from flip_trust.config import TrustConfig
from flip_trust.consent import Consent
from flip_trust.ledger import store
from flip_trust.ledger.queries import Near, Query
from flip_trust.peers import Peer


def projects_table(asked: Iterable[ProjectForTrust], decided: Iterable[Consent]) -> Table:
    """Projects that want this Trust's data, and what was decided about each."""
    table = Table("project", "title", "researchers", "asks for", "until", "standing here", title="Projects")
    standing = {decision.project_id: decision for decision in decided}
    for project in asked:
        table.add_row(
            project.project_id,
            project.title,
            ", ".join(project.researchers),
            f"{', '.join(project.job_kinds)}; ε {project.epsilon:g} at δ {project.delta:g}",
            f"{project.expires_at:%Y-%m-%d}",
            _standing(standing.pop(project.project_id, None)),
        )
    for decision in standing.values():
        table.add_row(decision.project_id, "", "", "", "", _standing(decision))
    return table


def peers_table(offered: Iterable[PeerKey], confirmed: Iterable[Peer]) -> Table:
    """Other Trusts: the keys that the hub hands out, and what was confirmed about each."""
    table = Table(
        Column("trust", overflow="fold"),
        Column("fingerprint of its key", no_wrap=True),
        "standing here",
        title="Other Trusts",
    )
    known = {peer.record.trust: peer for peer in confirmed}
    shown = set()
    for record in offered:
        peer = known.get(record.trust)
        same = peer is not None and peer.record == record
        changed = "CHANGED since it was confirmed: confirm it anew, or forget it" if peer else "not confirmed"
        table.add_row(record.trust, _in_two_lines(record), _confirmed(peer) if peer and same else changed)
        shown.add(record)
    for peer in known.values():
        if peer.record not in shown:
            table.add_row(peer.record.trust, _in_two_lines(peer.record), _confirmed(peer))
    return table


def budgets_table(reader: Reader, config: TrustConfig) -> Table:
    """What each project and the whole data set have spent, by composition; and alone, if all others were dishonest."""
    columns = ("budget", "ε spent", "ε allowed", "alone", "alone allowed", "at δ", "standing")
    table = Table(*columns, title="Privacy budgets (unit: person)")
    for decision in consent.every(reader):
        ledger = store.mirror(reader, decision.terms.cap, decision.project_id)
        table.add_row(decision.project_id, *_figures(ledger), _standing(decision))
    table.add_row("whole data set", *_figures(store.mirror(reader, config.total)), "")
    return table


def ledger_table(lines: Iterable[store.Line]) -> Table:
    """Every debit, oldest first."""
    table = Table("when", "project", _job_column(), "for", "mechanism", title="Ledger")
    for line in lines:
        table.add_row(line.at[:19], line.project_id or "(data set)", line.job_id, line.purpose, event_words(line.event))
    return table


def queries_table(found: Sequence[Query], near: Sequence[Near | None], floor: int, names: Mapping[int, str]) -> Table:
    """Every question of a project in words, with the earlier one whose cohort differs by the fewest persons."""
    columns = Column("no.", justify="right"), "when", "kind", Column("ε", justify="right")
    table = Table(
        *columns, Column("cohort", ratio=2), "outcome", Column("nearest earlier cohort", ratio=1), title="Queries"
    )
    for query, other in zip(found, near, strict=True):
        number, words = str(query.number), "\n".join(explain(query.cohort, names))
        table.add_row(
            number, query.at[:16], query.kind, f"{query.epsilon:g}", escape(words), query.outcome, _near(other, floor)
        )
    return table


def _near(near: Near | None, floor: int) -> str:
    if near is None:
        return ""
    words = f"no. {near.number}: {near.persons} persons in one alone"
    return f"[red]{words}, under the floor of {floor}[/red]" if 0 < near.persons < floor else words


def tasks_table(reader: Reader, most: int = 20) -> Table:
    """The latest tasks and where they stand."""
    table = Table("received", "project", _job_column(), "step", "state", title="Latest tasks")
    for row in reader.read("SELECT * FROM task ORDER BY received_at DESC LIMIT ?", (most,)):
        state = f"{row['state']} ({row['refusal']})" if row["refusal"] else row["state"]
        step = f"{row['step']} {row['round']}"
        table.add_row(row["received_at"][:19], row["project_id"], row["job_id"], step, state)
    return table


def _in_two_lines(record: PeerKey) -> str:
    """A fingerprint broken in its middle, so that the table fits 80 columns and no line breaks anywhere else."""
    groups = fingerprint(record).split()
    half = len(groups) // 2
    return f"{' '.join(groups[:half])}\n{' '.join(groups[half:])}"


def _confirmed(peer: Peer) -> str:
    return f"confirmed by {peer.confirmed_by} on {peer.confirmed_at:%Y-%m-%d}"


def _standing(decision: Consent | None) -> str:
    if decision is None:
        return "not decided"
    terms = decision.terms
    until = f" until {terms.expires_at:%Y-%m-%d}, {'/'.join(terms.trust_models)} noise"
    until = until if decision.state == "opted_in" else ""
    told = "" if decision.announced else " (the hub is not told yet)"
    return decision.state.replace("_", " ") + until + told


def _figures(ledger: LedgerMirror) -> tuple[str, ...]:
    spent = (f"{ledger.spent:.3f}", f"{ledger.epsilon:g}", f"{ledger.spent_alone:.3f}", f"{ledger.epsilon_alone:g}")
    return (*spent, f"{ledger.delta:g}")


def event_words(event: AnyEvent) -> str:
    """A debit's mechanism in a line."""
    match event:
        case Gaussian():
            return f"Gaussian, noise multiplier {event.noise_multiplier:.3f}, {event.steps} steps"
        case SharedGaussian():
            noise = f"{event.honest} honest shares of noise multiplier {event.noise_multiplier:.3f}"
            return f"Gaussian in shares, {noise}, {event.steps} sums"
        case PoissonGaussian():
            noise = f"noise multiplier {event.noise_multiplier:.3f}"
            return f"Gaussian on samples of {event.sampling_rate:g}, {noise}, {event.steps} steps"
        case _:
            return f"discrete Laplace, ε {event.epsilon:g}"


def _job_column() -> Column:
    """Job ids are copied and searched for, so a narrow terminal never breaks them."""
    return Column("job", no_wrap=True)
