"""Projects as the console shows them: what the hub told, what was decided here, and what was spent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Any

from flip_sdk.contract.form import FIELDS
from flip_sdk.contract.form_fields import FormField
from flip_sdk.contract.notices import ProjectForTrust
from flip_sdk.contract.records import Record

from flip_trust import consent, heard
from flip_trust.audit import Reader
from flip_trust.consent import Consent
from flip_trust.errors import MissingError
from flip_trust.heard import Heard
from flip_trust.ledger import store

SOON = timedelta(days=30)
TITLES = MappingProxyType(
    {
        "lay_summary": "In plain words",
        "public_benefit": "Benefit to the public",
        "researchers": "Researchers",
        "reviewers": "Approved by",
        "organisation": "Organisation",
        "legal_basis": "Legal basis",
        "data": "What is asked of this Trust",
        "planned_outputs": "What is to come of it",
        "expires_at": "Ends",
    }
)
_SHOWN_APART = frozenset({"project_id", "title", "job_kinds", "epsilon", "delta", "peers", "schema_version"})


@dataclass(frozen=True)
class Project:
    """One project at this Trust.

    Attributes:
        reader: where its ledger is.
        project_id: its id.
        told: what the hub said; None of one that it never told of.
        decided: what stands here; None where nobody decided.
        now: when this is looked at.
    """

    reader: Reader
    project_id: str
    told: Heard | None
    decided: Consent | None
    now: datetime

    @property
    def title(self) -> str:
        """As the hub tells it, else its id."""
        return self.told.record.title if self.told else self.project_id

    @property
    def state(self) -> str:
        """What stands here: a state of a consent, ``expired`` or ``undecided``."""
        if self.decided is None:
            return "undecided"
        over = self.decided.state == "opted_in" and self.decided.terms.expires_at <= self.now
        return "expired" if over else self.decided.state

    @property
    def waits(self) -> bool:
        """Whether the steward is asked for a decision."""
        return (
            self.state in {"undecided", "expired"} and self.told is not None and self.told.listed and not self.is_over
        )

    @property
    def is_over(self) -> bool:
        """Whether the project itself has ended, as far as the hub told."""
        return self.told is not None and self.told.record.expires_at <= self.now

    @property
    def changed_since(self) -> bool:
        """Whether what the hub tells of it changed after it was decided on."""
        if self.told is None or self.decided is None or self.decided.state == "left":
            return False
        # one that was decided on before anything was kept of it is not known to have changed
        return self.told.changed_at > max(self.told.first_at, self.decided.decided_at)

    @property
    def ends_soon(self) -> bool:
        """Whether its opt-in runs out within a month."""
        return self.state == "opted_in" and self.decided is not None and self.decided.terms.expires_at - self.now < SOON

    @cached_property
    def spent(self) -> float:
        """ε of everything that was debited to it, at the δ of its opt-in."""
        return store.spent(self.reader, self.delta, self.project_id)

    @cached_property
    def spent_alone(self) -> float:
        """The same if every other Trust worked with the hub."""
        return store.spent_alone(self.reader, self.delta, self.project_id)

    @property
    def delta(self) -> float:
        """At which its budget is reckoned."""
        if self.decided is not None:
            return self.decided.terms.delta
        return self.told.record.delta if self.told else 1e-5

    @property
    def fields(self) -> Iterator[tuple[str, Any]]:
        """Everything else that the hub tells of it, titled; whatever a later version tells is shown as well."""
        if self.told is None:
            return
        record = self.told.record
        names = [*TITLES, *(name for name in ProjectForTrust.model_fields if name not in TITLES)]
        for name in names:
            value = getattr(record, name, None)
            if name not in _SHOWN_APART and value not in (None, "", ()):
                yield TITLES.get(name, name.replace("_", " ").capitalize()), _plain(value, FIELDS.get(name))


def every(reader: Reader, now: datetime) -> list[Project]:
    """Every project that the hub told of or that was decided on: what waits first, then by the latest change."""
    told = {one.record.project_id: one for one in heard.every(reader)}
    decided = {one.project_id: one for one in consent.every(reader)}
    names = dict.fromkeys([*told, *decided])
    found = [Project(reader, name, told.get(name), decided.get(name), now) for name in names]
    order = {"undecided": 0, "expired": 1, "opted_in": 2, "paused": 3, "left": 5}
    return sorted(found, key=lambda one: (not one.waits, order[one.state] if one.waits or one.decided else 4))


def one(reader: Reader, project_id: str, now: datetime) -> Project:
    """One project.

    Raises:
        MissingError: neither the hub nor this Trust knows it.
    """
    found = Project(reader, project_id, heard.one(reader, project_id), consent.standing(reader, project_id), now)
    if found.told is None and found.decided is None:
        raise MissingError("There is no such project.", "Choose one from the list of projects.")
    return found


def _plain(value: Any, field: FormField | None = None) -> Any:
    """A field's value as a line, or as lines: records inside one are told part by part, in the form's words."""
    match value:
        case datetime():
            return value
        case tuple() | list() if field and field.parts:
            return "\n\n".join(_entry(item, field) for item in value)
        case tuple() | list():
            return [_plain(item) for item in value]
        case _:
            return str(value)


def _entry(record: Record, field: FormField) -> str:
    """One entry of the application's form, a line a part; which Trust it is about, its steward knows."""
    content = record.model_dump(mode="json", exclude_none=True)
    parts = [part for part in field.parts if part.kind != "trust" and content.get(part.name)]
    return "\n".join(f"{part.label}: {_words(part, content[part.name])}" for part in parts)


def _words(part: FormField, value: str | list[str]) -> str:
    return ", ".join(part.words(str(one)) for one in ([value] if isinstance(value, str) else value))
