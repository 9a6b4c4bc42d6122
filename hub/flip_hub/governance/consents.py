"""The hub's mirror of what Trusts decided: opt-ins, ledgers and catalogues. Each Trust's own copy is what counts."""

from __future__ import annotations

from flip_sdk.accounting.caps import ALONE_FACTOR
from flip_sdk.contract.api import TrustBudget, TrustCatalogue
from flip_sdk.contract.applications import Application
from flip_sdk.contract.filling import raw_of
from flip_sdk.contract.form import FIELDS
from flip_sdk.contract.notices import LedgerMirror, PeerKey, ProjectForTrust
from flip_sdk.contract.states import ProjectState
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.config import HubConfig
from flip_hub.database import Budget, Catalogue, Consent, Person, Project, Trust, now
from flip_hub.governance.sharing import peers_of
from flip_hub.governance.submissions import lines_of, words_of
from flip_hub.governance.trusts import enrolled, is_online
from flip_hub.governance.when import state_of


def budgets(config: HubConfig, session: Session, project: Project) -> list[TrustBudget]:
    """Each Trust's part in a project, by name: those of its application, and any that once opted in."""
    consents = {c.trust: c for c in session.scalars(select(Consent).where(Consent.project_id == project.project_id))}
    reported = {b.trust: b for b in session.scalars(select(Budget).where(Budget.project_id == project.project_id))}
    return [
        _budget(config, trust, consents.get(trust.name), reported.get(trust.name))
        for trust in enrolled(session)
        if trust.name in project.application.trusts or trust.name in consents
    ]


def takes_part(project: Project, budget: TrustBudget, kind: str) -> bool:
    """Whether a job of this kind may go to this Trust, as far as the hub knows."""
    return (
        budget.trust in project.application.trusts
        and budget.consent == "opted_in"
        and kind in budget.job_kinds
        and (budget.expires_at is None or budget.expires_at > now())
    )


def left(budget: TrustBudget) -> float:
    """Epsilon that a Trust's ledger has left for a project; a job may cost more or less of it than it does alone."""
    return max((budget.epsilon or 0.0) - budget.spent, 0.0)


def catalogues(session: Session, project: Project | None = None) -> list[TrustCatalogue]:
    """What each Trust of a project, or of the hub, publishes about its data, by name."""
    published = {c.trust: c for c in session.scalars(select(Catalogue))}
    return [
        _catalogue(trust, published[trust.name])
        for trust in enrolled(session)
        if trust.name in published and (project is None or trust.name in project.application.trusts)
    ]


def projects_for(session: Session, trust: str) -> list[ProjectForTrust]:
    """The approved projects that ask for a Trust's data, as its data steward sees them."""
    names = {person.name: person for person in session.scalars(select(Person))}
    return [
        _for_trust(project, names, peers_of(session, project, trust), trust)
        for project in session.scalars(select(Project).order_by(Project.project_id))
        if trust in project.application.trusts and state_of(project) is ProjectState.APPROVED
    ]


def _catalogue(trust: Trust, published: Catalogue) -> TrustCatalogue:
    return TrustCatalogue(
        trust=trust.name,
        title=trust.title,
        persons=published.content.persons,
        persons_epsilon=published.content.persons_epsilon,
        concepts=published.content.concepts,
        twin=published.content.twin,
        holdings=published.content.holdings,
        issued_at=published.issued_at,
    )


def _budget(config: HubConfig, trust: Trust, consent: Consent | None, reported: Budget | None) -> TrustBudget:
    ledger = _ledger(consent, reported)
    return TrustBudget(
        trust=trust.name,
        title=trust.title,
        consent=consent.state if consent else "none",
        online=is_online(config, trust.seen_at),
        seen_at=trust.seen_at,
        epsilon=ledger.epsilon if ledger else None,
        epsilon_alone=ledger.epsilon_alone if ledger else None,
        delta=ledger.delta if ledger else None,
        spent=ledger.spent if ledger else 0.0,
        expires_at=consent.expires_at if consent else None,
        job_kinds=tuple(consent.job_kinds) if consent else (),
        trust_models=tuple(consent.trust_models) if consent else ("local",),
        ledger=reported.ledger and ledger if reported else None,
        total=trust.total,
    )


def _ledger(consent: Consent | None, reported: Budget | None) -> LedgerMirror | None:
    """What the Trust last told: of its ledger, and of its caps, which a new opt-in may have changed since."""
    told = reported.ledger or _without_events(reported) if reported else None
    if consent is None or consent.epsilon is None or consent.delta is None:
        return told
    if told is not None and reported is not None and reported.reported_at >= consent.issued_at:
        return told
    alone = consent.epsilon_alone if consent.epsilon_alone is not None else ALONE_FACTOR * consent.epsilon
    caps = {"epsilon": consent.epsilon, "epsilon_alone": alone, "delta": consent.delta}
    return told.model_copy(update=caps) if told is not None else LedgerMirror(**caps)


def _without_events(reported: Budget) -> LedgerMirror:
    """What was told before Trusts told events."""
    return LedgerMirror(
        epsilon=reported.epsilon,
        epsilon_alone=ALONE_FACTOR * reported.epsilon,
        delta=reported.delta,
        spent=reported.spent,
        spent_alone=reported.spent,
        complete=False,
    )


def _for_trust(project: Project, names: dict[str, Person], peers: tuple[PeerKey, ...], trust: str) -> ProjectForTrust:
    application = project.application
    approvals = [r for r in project.reviews if r.version == project.version and r.decision == "approve"]
    return ProjectForTrust(
        project_id=project.project_id,
        title=application.title,
        lay_summary=application.lay_summary,
        public_benefit=application.public_benefit,
        researchers=tuple(f"{names[m].display_name}, {names[m].organisation}" for m in project.members if m in names),
        reviewers=tuple(f"{names[r.reviewer].display_name}, {r.organisation}" for r in approvals),
        job_kinds=application.job_kinds,
        epsilon=application.epsilon,
        delta=application.delta,
        expires_at=project.expires_at,
        organisation=application.organisation,
        legal_basis=_legal_basis(application),
        data=tuple(asked for asked in application.data if asked.trust == trust),
        planned_outputs=application.planned_outputs,
        peers=peers,
    )


def _legal_basis(application: Application) -> str:
    """Articles, duty of confidentiality, more words and other approvals, each a line as the form words it."""
    raw = raw_of(application)
    named = ("article_6", "article_9", "confidentiality", "legal_basis")
    lines = [words_of(FIELDS[name], raw[name]) for name in named if raw[name]]
    return "\n".join([*lines, *lines_of(FIELDS["references"], raw["references"])])
