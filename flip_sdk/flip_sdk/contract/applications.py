"""What a project applies with, and what people say about it: reviews, conditions, comments, signatures.

An :class:`Application` holds what was said so far; whether that is enough to be submitted is :mod:`~.form`'s to say, so
that an unfinished draft is a record too.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from flip_sdk.contract.jobs import JobKind
from flip_sdk.contract.records import Delta, Digest, Epsilon, Instant, Line, Name, Record, Text

Sector = Literal["", "academic", "nhs", "government", "charity", "commercial", "other"]
RequestCategory = Literal["", "health_services", "public_health", "efficacy", "discovery", "methods", "other"]
Sensitivity = Literal["", "anonymous", "de_personalised", "identifiable"]
Article6 = Literal["", "6_1_a", "6_1_c", "6_1_e", "6_1_f", "not_applicable"]
Article9 = Literal["", "9_2_a", "9_2_h", "9_2_i", "9_2_j", "not_applicable"]
Confidentiality = Literal["", "not_engaged", "consent", "section_251", "statutory", "other"]
OptOut = Literal["", "applied", "not_applicable", "exempt"]
Frequency = Literal["", "once", "recurring"]
Linkage = Literal["", "none", "within_trust", "external"]
Compute = Literal["", "cpu", "gpu"]
Accreditation = Literal["", "all", "some", "none"]
Domain = Literal["conditions", "measurements", "drugs", "procedures", "observations", "visits", "images", "waveforms"]
OutputKind = Literal["table", "figure", "statistics", "model", "dashboard", "report", "code", "other"]
Audience = Literal["team", "publication", "trusts", "public", "commercial", "other"]
ReferenceKind = Literal["hra", "rec", "cag_s251", "dpia", "caldicott", "sponsor", "other"]
SignOffRule = Literal["outside", "first_of_kind", "every"]
"""Which jobs a person decides on, from the fewest to all; those outside of the application always."""
Decided = Literal["approve", "request_changes", "reject", "recused"]
MOST_ENTRIES = 40


class DataAsked(Record):
    """What is asked of one Trust.

    Attributes:
        what: which patients and which data about them.
        why: what each of it is needed for.
        years: such as ``2015-2025``.
    """

    trust: Line = ""
    what: Text = ""
    why: Text = ""
    domains: Annotated[tuple[Domain, ...], Field(max_length=8)] = ()
    modalities: Line = ""
    years: Line = ""


class PlannedOutput(Record):
    """Something that the project means to take out, and for whom."""

    kind: OutputKind = "other"
    audience: Audience = "other"
    description: Text = ""


class Reference(Record):
    """An approval that somebody else gave, and how long it holds.

    Attributes:
        needed: the project may not go on without it: its last day ends the project.
    """

    kind: ReferenceKind = "other"
    number: Line = ""
    granted_on: date | None = None
    expires_on: date | None = None
    needed: bool = False


class Application(Record):
    """What a researcher applies with: the Five Safes and the HDR UK Data Use Register's fields (see ``contract.form``).

    Attributes:
        expires_at: the end asked for; the project may end earlier, see :attr:`ends_at`.
        legal_basis: words besides the articles.
    """

    title: Line
    lay_summary: Text = ""
    public_benefit: Text = ""
    technical_summary: Text = ""
    request_category: RequestCategory = ""
    public_involvement: Text = ""
    organisation: Line = ""
    organisation_id: Line = ""
    sector: Sector = ""
    team: Annotated[tuple[Line, ...], Field(max_length=50)] = ()
    accreditation: Accreditation = ""
    interests: Text = ""
    funders: Annotated[tuple[Line, ...], Field(max_length=MOST_ENTRIES)] = ()
    references: Annotated[tuple[Reference, ...], Field(max_length=MOST_ENTRIES)] = ()
    article_6: Article6 = ""
    article_9: Article9 = ""
    legal_basis: Text = ""
    confidentiality: Confidentiality = ""
    opt_out: OptOut = ""
    sensitivity: Sensitivity = ""
    trusts: Annotated[tuple[Name, ...], Field(max_length=200)] = ()
    data: Annotated[tuple[DataAsked, ...], Field(max_length=200)] = ()
    linkage: Linkage = ""
    linkage_description: Text = ""
    frequency: Frequency = ""
    epsilon: Epsilon
    delta: Delta = 1e-5
    job_kinds: Annotated[tuple[JobKind, ...], Field(max_length=4)] = ("count", "train", "evaluate", "statistics")
    compute: Compute = ""
    gpus: Annotated[int, Field(ge=0, le=64)] = 0
    compute_notes: Text = ""
    starts_on: date | None = None
    expires_at: Instant
    planned_outputs: Annotated[tuple[PlannedOutput, ...], Field(max_length=MOST_ENTRIES)] = ()
    dissemination: Text = ""

    @field_validator("planned_outputs", mode="before")
    @classmethod
    def _once_a_text(cls, value: Any) -> Any:
        # applications stored before outputs were a list
        if isinstance(value, str):
            return ({"description": value},) if value.strip() else ()
        return value

    @property
    def ends_at(self) -> datetime:
        """When the project ends: as asked, or with the first approval that it may not go on without."""
        needed = (r.expires_on for r in self.references if r.needed and r.expires_on is not None)
        return min((self.expires_at, *(end_of(day) for day in needed)))


def end_of(day: date) -> datetime:
    """The last second of a day, in UTC."""
    return datetime.combine(day, time(23, 59, 59), UTC)


class NewProject(Record):
    """A draft application; ``project_id`` is chosen by the researcher and is in every address afterwards."""

    project_id: Name
    application: Application


class NewCondition(Record):
    """What an approval hangs on.

    Attributes:
        before_start: no job is taken until a reviewer has confirmed that it is met.
    """

    text: Annotated[str, Field(min_length=3, max_length=2000)]
    due_on: date | None = None
    before_start: bool = False


class Review(Record):
    """One reviewer's decision.

    Attributes:
        declares: whether the reviewer has a conflict of interest; one who has steps aside, whatever ``decision`` says.
        conflict: which one.
        sign_off: of an approval, which jobs a person has to decide on; of two approvals the stricter holds.
    """

    decision: Literal["approve", "request_changes", "reject"]
    comment: Text = ""
    declares: Literal["none", "conflict"] | None = None
    conflict: Text = ""
    conditions: Annotated[tuple[NewCondition, ...], Field(max_length=20)] = ()
    sign_off: SignOffRule = "outside"


class ReviewView(Record):
    """A decision as others see it."""

    reviewer: Line
    organisation: Line
    decision: Decided
    comment: Text
    declared: Text = ""
    decided_at: Instant
    sign_off: SignOffRule = "outside"


class JobDecision(Record):
    """A reviewer's decision on one job.

    Attributes:
        reason: the researcher reads it, and it stays in the audit log.
        declares: whether the reviewer has a conflict of interest; one who has steps aside, whatever ``decision`` says.
        conflict: which one.
    """

    decision: Literal["approve", "refuse"]
    reason: Text = ""
    declares: Literal["none", "conflict"] | None = None
    conflict: Text = ""


class ConditionView(NewCondition):
    """A condition of an approval, and whether it is met.

    Attributes:
        confirmed_by: the reviewer who saw that it is; empty while it is open.
        how: what they saw.
    """

    condition_id: int
    set_by: Line
    confirmed_by: Line = ""
    confirmed_at: Instant | None = None
    how: Text = ""

    @property
    def open(self) -> bool:
        """Whether nobody has confirmed it yet."""
        return not self.confirmed_by


class NewComment(Record):
    """A comment on a field of the submitted application, or (``answers``) an answer to one."""

    field: Line
    text: Annotated[str, Field(min_length=1, max_length=4000)]
    answers: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None


class CommentView(Record):
    """A comment as others see it.

    Attributes:
        version: the submission that it was made on.
        answers: the comment that it answers; None for the first of a thread.
        resolved_by: who closed the thread; empty while it is open.
    """

    comment_id: int
    field: Line
    version: int
    author: Line
    text: Text
    at: Instant
    answers: int | None = None
    resolved_by: Line = ""


class NewSignature(Record):
    """A person puts their name to the data access agreement.

    Attributes:
        agreement: digest of the exact text that they were shown.
        typed_name: their name, as they typed it.
    """

    agreement: Digest
    typed_name: Annotated[str, Field(min_length=2, max_length=200)]


class SignatureView(Record):
    """Who signed which text, and when."""

    person: Line
    typed_name: Line
    agreement: Digest
    signed_at: Instant


class AgreementView(Record):
    """A project's data access agreement as it is now.

    Attributes:
        agreement: digest of ``text``, which is what is signed.
        missing: members who have not signed it.
    """

    version: int
    clauses: Line
    agreement: Digest
    text: str
    signatures: tuple[SignatureView, ...] = ()
    missing: tuple[Line, ...] = ()
