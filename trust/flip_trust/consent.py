"""The data steward's decisions: which project, which kinds of job, how much epsilon, until when.

The Trust's own copy is what counts: it is read again for every task, and :mod:`flip_trust.job_rules` decides by it.
The hub's is a mirror.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from flip_sdk.accounting.caps import ALONE_FACTOR, Cap
from flip_sdk.contract.jobs import JobKind, TrustModelName
from flip_sdk.contract.notices import ConsentNotice

from flip_trust.audit import Entry, Reader
from flip_trust.database import Database, Transaction
from flip_trust.errors import ConsentError

State = Literal["opted_in", "paused", "left"]
_REPLACE = (
    "INSERT OR REPLACE INTO consent (project_id, state, job_kinds, epsilon, delta, expires_at, decided_by, decided_at,"
    " trust_models, epsilon_alone) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_EVENTS = {"opted_in": "consent.opted_in", "paused": "consent.paused", "left": "consent.left"}


@dataclass(frozen=True)
class Terms:
    """What an opt-in allows.

    Attributes:
        epsilon: what may be spent, under the assumptions that jobs state.
        trust_models: whom the noise may depend on: on this Trust alone, or on several Trusts' shares together.
        epsilon_alone: what may be spent if every other Trust worked with the hub; without it, four times ``epsilon``.
    """

    job_kinds: tuple[JobKind, ...]
    epsilon: float
    delta: float
    expires_at: datetime
    trust_models: tuple[TrustModelName, ...] = ("local",)
    epsilon_alone: float | None = None

    @property
    def cap(self) -> Cap:
        """What the project may spend."""
        alone = self.epsilon_alone if self.epsilon_alone is not None else ALONE_FACTOR * self.epsilon
        return Cap(self.epsilon, self.delta, alone)


@dataclass(frozen=True)
class Consent:
    """A project's standing at this Trust."""

    project_id: str
    state: State
    terms: Terms
    decided_by: str
    decided_at: datetime
    announced: bool


def standing(reader: Reader, project_id: str) -> Consent | None:
    """A project's consent as it is now; None when nobody ever decided."""
    rows = reader.read("SELECT * FROM consent WHERE project_id = ?", (project_id,))
    return _consent(rows[0]) if rows else None


def every(reader: Reader) -> list[Consent]:
    """Every project that was ever decided on."""
    return [_consent(row) for row in reader.read("SELECT * FROM consent ORDER BY project_id")]


def opt_in(
    database: Database, project_id: str, terms: Terms, steward: str, now: datetime | None = None, reason: str = ""
) -> Consent:
    """Allow a project to send jobs, on these terms; a second opt-in replaces the terms, never what was spent.

    Raises:
        ConsentError: terms that allow nothing.
        LedgerUnavailableError: it cannot be written.
    """
    at = now or datetime.now(UTC)
    if terms.expires_at <= at:
        raise ConsentError("The opt-in would be over already.", "Give a date in the future with --until.")
    if not terms.job_kinds:
        raise ConsentError("The opt-in allows no kind of job.", "Name some with --kinds, such as count,train,evaluate.")
    if not terms.trust_models:
        raise ConsentError("The opt-in accepts no trust model.", "Name some with --trust-models, such as local.")
    if terms.cap.epsilon_alone < terms.epsilon:
        raise ConsentError(
            "What is left alone protects no better than what is shared: its cap would be the smaller one.",
            "Give --epsilon-alone at least as much as --epsilon.",
        )
    with database.transaction() as transaction:
        return _decide(transaction, project_id, "opted_in", terms, steward, at, reason)


def pause(database: Database, project_id: str, steward: str, reason: str = "") -> Consent:
    """Refuse every further task until the project is resumed.

    Raises:
        ConsentError: the project is not opted in to.
        LedgerUnavailableError: it cannot be written.
    """
    return _change(database, project_id, ("opted_in",), "paused", steward, reason)


def resume(database: Database, project_id: str, steward: str, reason: str = "") -> Consent:
    """End a pause, on the terms there were.

    Raises:
        ConsentError: the project is not paused.
        LedgerUnavailableError: it cannot be written.
    """
    return _change(database, project_id, ("paused",), "opted_in", steward, reason)


def leave(database: Database, project_id: str, steward: str, reason: str = "") -> Consent:
    """Take the Trust out of a project; the next task is refused and frozen cohorts are deleted.

    Raises:
        ConsentError: the Trust is not in the project.
        LedgerUnavailableError: it cannot be written.
    """
    return _change(database, project_id, ("opted_in", "paused"), "left", steward, reason)


def unannounced(reader: Reader) -> list[Consent]:
    """Decisions that the hub has not acknowledged yet."""
    return [_consent(row) for row in reader.read("SELECT * FROM consent WHERE announced = 0 ORDER BY decided_at")]


def announced(database: Database, consent: Consent) -> None:
    """The hub took note; a later decision stays to be announced."""
    with database.transaction() as transaction:
        transaction.write(
            Entry("agent", "consent.announced", f"project/{consent.project_id}", {"state": consent.state}),
            (
                "UPDATE consent SET announced = 1 WHERE project_id = ? AND decided_at = ?",
                (consent.project_id, consent.decided_at.isoformat()),
            ),
        )


def notice_of(consent: Consent, trust: str, notice_id: str, now: datetime) -> ConsentNotice:
    """What the hub is told."""
    return ConsentNotice(
        trust=trust,
        notice_id=notice_id,
        project_id=consent.project_id,
        state=consent.state,
        job_kinds=consent.terms.job_kinds,
        trust_models=consent.terms.trust_models,
        epsilon=consent.terms.cap.epsilon,
        epsilon_alone=consent.terms.cap.epsilon_alone,
        delta=consent.terms.cap.delta,
        expires_at=consent.terms.expires_at,
        issued_at=now,
    )


def _change(
    database: Database, project_id: str, sources: tuple[State, ...], target: State, steward: str, reason: str
) -> Consent:
    with database.transaction() as transaction:
        consent = standing(transaction, project_id)
        if consent is None or consent.state not in sources:
            now = consent.state.replace("_", " ") if consent else "not opted in to"
            raise ConsentError(
                f"The project '{project_id}' is {now}, so this is not possible.", "See flip-trust consent list."
            )
        return _decide(transaction, project_id, target, consent.terms, steward, datetime.now(UTC), reason)


def _decide(
    transaction: Transaction, project_id: str, state: State, terms: Terms, steward: str, at: datetime, reason: str
) -> Consent:
    row = (
        project_id,
        state,
        json.dumps(terms.job_kinds),
        terms.epsilon,
        terms.delta,
        terms.expires_at.isoformat(),
        steward,
        at.isoformat(),
        json.dumps(terms.trust_models),
        terms.epsilon_alone,
    )
    details = {
        "job_kinds": list(terms.job_kinds),
        "trust_models": list(terms.trust_models),
        "epsilon": terms.cap.epsilon,
        "epsilon_alone": terms.cap.epsilon_alone,
        "delta": terms.cap.delta,
        "expires_at": terms.expires_at.isoformat(),
    } | ({"reason": reason} if reason else {})
    transaction.write(
        Entry(f"steward/{steward}", _EVENTS[state], f"project/{project_id}", details),
        (_REPLACE, row),
    )
    return Consent(project_id, state, terms, steward, at, announced=False)


def _consent(row: dict[str, Any]) -> Consent:
    terms = Terms(
        job_kinds=tuple(json.loads(row["job_kinds"])),
        epsilon=row["epsilon"],
        delta=row["delta"],
        expires_at=datetime.fromisoformat(row["expires_at"]),
        trust_models=tuple(json.loads(row["trust_models"])),
        epsilon_alone=row["epsilon_alone"],
    )
    at = datetime.fromisoformat(row["decided_at"])
    return Consent(row["project_id"], row["state"], terms, row["decided_by"], at, bool(row["announced"]))
