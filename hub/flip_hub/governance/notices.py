"""Taking in what Trusts tell the hub of their own accord: verified first, then mirrored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TypeVar

from flip_sdk.contract.logs import RootsRequest, RootTold
from flip_sdk.contract.notices import (
    AnyNotice,
    CatalogueNotice,
    ConsentNotice,
    LedgerMirror,
    ProjectForTrust,
    PurgeNotice,
    RootNotice,
    SignedNotice,
    StatusNotice,
    TrustRequest,
    WitnessNotice,
)
from flip_sdk.contract.records import Record
from flip_sdk.contract.signatures import signer_of, verify
from flip_sdk.errors import SignatureError
from sqlalchemy import delete
from sqlalchemy.orm import Session

from flip_hub.config import HubConfig
from flip_hub.database import Budget, Catalogue, Consent, Database, Entry, NoticeSeen, Project, Routine, Trust, now
from flip_hub.errors import ConflictError, MissingError
from flip_hub.governance.consents import projects_for
from flip_hub.governance.purges import orders_for, take_purge
from flip_hub.governance.trusts import identity_keys
from flip_hub.governance.witness import take_root, take_witness, told_to

SomeRecord = TypeVar("SomeRecord", bound=Record)
SomeRequest = TypeVar("SomeRequest", TrustRequest, RootsRequest)


def take_notice(config: HubConfig, database: Database, content: bytes) -> None:
    """Verify a Trust's notice and mirror what it says.

    Raises:
        SignatureError: not signed by an enrolled Trust, not that Trust's own notice, or too old.
        RecordError: properly signed, but not a notice.
        ConflictError: taken before.
        MissingError: it names a project that there is not, or an order that was not given.
    """
    trust, envelope = _verified(database, content, SignedNotice)
    notice = envelope.notice
    _check_sender(config, trust, notice.trust, notice.issued_at)
    with database.write(_entry(notice)) as session:
        _once(config, session, trust, notice.notice_id)
        session.get_one(Trust, trust).seen_at = now()
        match notice:
            case ConsentNotice():
                _mirror_consent(session, notice)
            case StatusNotice():
                _mirror_status(session, notice)
            case CatalogueNotice():
                _mirror_catalogue(session, notice)
            case PurgeNotice():
                take_purge(session, notice, content.decode("ascii"))
            case WitnessNotice():
                take_witness(session, notice, content.decode("ascii"))
            case RootNotice():
                take_root(session, notice)


def answer_purges(config: HubConfig, database: Database, content: bytes) -> list[str]:
    """Verify a Trust's request, and list the signed orders to purge that it has not answered.

    Raises:
        SignatureError: not signed by an enrolled Trust, not that Trust's own request, or too old.
        RecordError: properly signed, but not a request.
        ConflictError: taken before.
    """
    why = "a Trust asked what to purge; what it purges is audited"
    with _asked(config, database, content, TrustRequest, why) as (session, trust, _):
        return orders_for(config, session, trust)


def answer_projects(config: HubConfig, database: Database, content: bytes) -> list[ProjectForTrust]:
    """Verify a Trust's request, and list the projects that ask for its data.

    Raises:
        SignatureError: not signed by an enrolled Trust, not that Trust's own request, or too old.
        RecordError: properly signed, but not a request.
        ConflictError: taken before.
    """
    why = "a Trust looked at the projects that ask for it"
    with _asked(config, database, content, TrustRequest, why) as (session, trust, _):
        session.get_one(Trust, trust).seen_at = now()
        return projects_for(session, trust)


def answer_roots(config: HubConfig, database: Database, content: bytes) -> list[RootTold]:
    """Verify a Trust's request, and list the hub's daily roots that it has not seen, with their proofs.

    Raises:
        SignatureError: not signed by an enrolled Trust, not that Trust's own request, or too old.
        RecordError: properly signed, but not a request.
        ConflictError: taken before.
    """
    why = "a Trust asked for the audit log's roots; what it saw of them is audited"
    with _asked(config, database, content, RootsRequest, why) as (session, _, request):
        return told_to(session, request.after)


@contextmanager
def _asked(
    config: HubConfig, database: Database, content: bytes, kind: type[SomeRequest], why: str
) -> Iterator[tuple[Session, str, SomeRequest]]:
    """A transaction in which a Trust's own, fresh request is answered once."""
    trust, request = _verified(database, content, kind)
    _check_sender(config, trust, request.trust, request.issued_at)
    with database.write(Routine(why)) as session:
        _once(config, session, trust, request.request_id)
        yield session, trust, request


def _verified(database: Database, content: bytes, kind: type[SomeRecord]) -> tuple[str, SomeRecord]:
    with database.read() as session:
        known = identity_keys(session)
    trust, key = signer_of(content, known)
    return trust, verify(content, key, kind)


def _check_sender(config: HubConfig, signer: str, named: str, issued_at: datetime) -> None:
    if named != signer:
        raise SignatureError(f"{signer} may not speak for {named}.", "A Trust signs its own notices only.")
    if abs(now() - issued_at) > timedelta(seconds=config.clock_skew_seconds):
        raise SignatureError("The notice is too old or too far ahead.", "Set the Trust's clock by NTP.")


def _once(config: HubConfig, session: Session, trust: str, notice_id: str) -> None:
    # older ids need not be kept: a notice of that age is refused by its age
    oldest = now() - timedelta(seconds=3 * config.clock_skew_seconds)
    session.execute(delete(NoticeSeen).where(NoticeSeen.trust == trust, NoticeSeen.received_at < oldest))
    if session.get(NoticeSeen, (trust, notice_id)) is not None:
        raise ConflictError("This notice was taken before.", "Make a new one with a new id.")
    session.add(NoticeSeen(trust=trust, notice_id=notice_id, received_at=now()))
    session.flush()


def _entry(notice: AnyNotice) -> Entry | Routine:
    actor = f"trust/{notice.trust}"
    match notice:
        case ConsentNotice():
            return Entry(actor, f"consent.{notice.state}", f"project/{notice.project_id}", {"notice": notice.digest()})
        case CatalogueNotice():
            return Entry(actor, "catalogue.published", actor, {"notice": notice.digest()})
        case PurgeNotice():
            details = {"notice": notice.digest(), "order": notice.order_id}
            return Entry(actor, "project.purged_at_trust", f"project/{notice.project_id}", details)
        case WitnessNotice():
            return Entry(
                actor,
                "audit.root_countersigned",
                "audit/hub",
                {"notice": notice.digest(), "day": str(notice.day), "size": notice.size, "root": notice.root},
            )
        case RootNotice():
            return Entry(actor, "audit.trust_root_kept", f"audit/{actor}", {"notice": notice.digest()})
        case StatusNotice():
            return Routine("a Trust's sign of life; its ledger is audited at the Trust")


def _mirror_consent(session: Session, notice: ConsentNotice) -> None:
    if session.get(Project, notice.project_id) is None:
        raise MissingError(f"There is no project {notice.project_id}.", "Ask the hub for its projects again.")
    row = session.get(Consent, (notice.trust, notice.project_id))
    if row is None:
        row = Consent(trust=notice.trust, project_id=notice.project_id, issued_at=notice.issued_at)
        session.add(row)
    elif row.issued_at > notice.issued_at:
        return
    row.state = notice.state
    row.job_kinds = list(notice.job_kinds)
    row.trust_models = list(notice.trust_models)
    row.epsilon, row.epsilon_alone, row.delta = notice.epsilon, notice.epsilon_alone, notice.delta
    row.expires_at, row.issued_at = notice.expires_at, notice.issued_at


def _mirror_status(session: Session, notice: StatusNotice) -> None:
    trust = session.get_one(Trust, notice.trust)
    trust.version, trust.total = notice.version, notice.total
    for line in notice.budgets:
        if session.get(Project, line.project_id) is None:
            continue
        row = session.get(Budget, (notice.trust, line.project_id))
        if row is None:
            row = Budget(trust=notice.trust, project_id=line.project_id, reported_at=notice.issued_at)
            session.add(row)
        elif row.reported_at > notice.issued_at:
            continue
        row.epsilon, row.delta, row.spent = line.epsilon, line.delta, line.spent
        row.releases, row.reported_at = line.releases, notice.issued_at
        row.ledger = LedgerMirror(**{name: getattr(line, name) for name in LedgerMirror.model_fields})


def _mirror_catalogue(session: Session, notice: CatalogueNotice) -> None:
    row = session.get(Catalogue, notice.trust)
    if row is None:
        row = Catalogue(trust=notice.trust, issued_at=notice.issued_at, content=notice)
        session.add(row)
    elif row.issued_at <= notice.issued_at:
        row.content, row.issued_at = notice, notice.issued_at
