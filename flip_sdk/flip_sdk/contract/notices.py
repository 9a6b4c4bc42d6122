"""What a Trust tells the hub of its own accord, and what each side hands the other at enrolment.

Notices are signed by the Trust's identity key and posted outwards over the Trust's one connection to the hub.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from flip_sdk.contract.applications import MOST_ENTRIES as MOST_ENTRIES_ASKED
from flip_sdk.contract.applications import DataAsked, PlannedOutput
from flip_sdk.contract.closing import PurgedItem
from flip_sdk.contract.events import Event
from flip_sdk.contract.holdings import Holdings
from flip_sdk.contract.jobs import JobKind, TrustModelName
from flip_sdk.contract.logs import ConsistencyProof, Hash, Size
from flip_sdk.contract.records import (
    SCHEMA_VERSION,
    ConceptId,
    Delta,
    Epsilon,
    Finite,
    Instant,
    Line,
    Name,
    Record,
    Token,
)
from flip_sdk.contract.twins import Twin
from flip_sdk.errors import RecordError

CATALOGUE_EPSILON = 0.5
"""What the catalogue's number of persons costs, unless a Trust's steward says otherwise."""
FINGERPRINT_GROUP = 4
MOST_ENTRIES = 1000
"""Different events that a ledger is told to the hub with."""
PublicKeyText = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
Pem = Annotated[str, Field(max_length=20_000)]


class TrustEnrolment(Record):
    """Made by ``flip-trust init``, registered by ``flip-hub enrol`` after its fingerprint was compared by people.

    Attributes:
        identity_key: Ed25519 public key, base64url: signs updates and notices.
        node_key: OpenSSH line of the P-384 public key with which the Trust authenticates to Flower's Fleet API.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    trust: Name
    title: Line
    identity_key: PublicKeyText
    node_key: Annotated[str, Field(max_length=1000)]


class HubEnrolment(Record):
    """Made by ``flip-hub init``, pinned by ``flip-trust init`` after its fingerprint was compared by people.

    Attributes:
        address: ``host:port`` of the gateway, the one address a Trust dials.
        governance_key: Ed25519 public key that signs jobs off.
        dispatcher_key: Ed25519 public key that signs tasks.
        ca_certificate: PEM of the authority that signed the gateway's TLS certificate.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    title: Line
    address: Annotated[str, Field(pattern=r"^[A-Za-z0-9.\-\[\]:]{1,255}:\d{1,5}$")]
    governance_key: PublicKeyText
    dispatcher_key: PublicKeyText
    ca_certificate: Pem


class ConsentNotice(Record):
    """A data steward opted in, paused or left. The Trust's own copy is what counts; this tells the hub."""

    schema_version: Literal[1] = SCHEMA_VERSION
    kind: Literal["consent"] = "consent"
    trust: Name
    notice_id: Token
    project_id: Name
    state: Literal["opted_in", "paused", "left"]
    job_kinds: tuple[JobKind, ...] = ()
    trust_models: Annotated[tuple[TrustModelName, ...], Field(max_length=2)] = ("local",)
    epsilon: Epsilon | None = None
    epsilon_alone: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    delta: Delta | None = None
    expires_at: Instant | None = None
    issued_at: Instant


class LedgerEntry(Record):
    """An event of a ledger, and how often it was debited. It follows from jobs alone, and tells nothing of patients."""

    event: Event
    times: Annotated[int, Field(ge=1, le=10**12)]


class LedgerMirror(Record):
    """A ledger and its cap, as a Trust tells them, so that a job's price can be reckoned elsewhere.

    Attributes:
        epsilon: cap of what may be spent.
        epsilon_alone: cap of what would be spent if every other Trust worked with the hub.
        delta: at which both are reckoned.
        spent: what the events cost together; never more than a cap is written.
        spent_alone: what they would cost if every other Trust worked with the hub.
        entries: the events.
        complete: whether ``entries`` are all of them; a ledger of very many different ones is told in part.
    """

    epsilon: Finite
    epsilon_alone: Finite
    delta: Delta
    spent: Finite = 0.0
    spent_alone: Finite = 0.0
    entries: Annotated[tuple[LedgerEntry, ...], Field(max_length=MOST_ENTRIES)] = ()
    complete: bool = True


class BudgetLine(LedgerMirror):
    """A project's privacy budget at a Trust, as its ledger has it."""

    project_id: Name
    releases: int


class TotalLine(LedgerMirror):
    """The privacy budget of the Trust's whole data set, over all projects together.

    Attributes:
        max_epsilon_per_job: the Trust refuses a job that asks for more.
    """

    max_epsilon_per_job: Finite


class StatusNotice(Record):
    """The Trust is alive, and what its ledger says. Sent every few seconds."""

    schema_version: Literal[1] = SCHEMA_VERSION
    kind: Literal["status"] = "status"
    trust: Name
    notice_id: Token
    version: Line
    budgets: Annotated[tuple[BudgetLine, ...], Field(max_length=10_000)] = ()
    total: TotalLine | None = None
    issued_at: Instant


Domain = Literal["Condition", "Measurement", "Gender", "Drug", "Procedure", "Observation", "Visit"]


class CatalogueConcept(Record):
    """A concept for which the Trust has a table, with the public bounds its steward declared. No counts."""

    concept_id: ConceptId
    name: Line
    domain: Domain
    unit: Line = ""
    low: Finite | None = None
    high: Finite | None = None


class CatalogueNotice(Record):
    """What a Trust holds, under disclosure control: a noisy, rounded person count, debited when it was made.

    Attributes:
        twin: what people of its shape can be made up from, where the steward published it.
        holdings: numbers of persons by concept, image, year and table, where the steward published them.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    kind: Literal["catalogue"] = "catalogue"
    trust: Name
    notice_id: Token
    title: Line
    persons: Annotated[int, Field(ge=0)] | None
    persons_epsilon: Finite
    concepts: Annotated[tuple[CatalogueConcept, ...], Field(max_length=100_000)]
    twin: Twin | None = None
    holdings: Holdings | None = None
    issued_at: Instant


class PurgeNotice(Record):
    """A Trust deleted what it kept for a project that was closed.

    Attributes:
        order_id: of the hub's order that this answers.
        items: what was deleted, by count and digest.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    kind: Literal["purge"] = "purge"
    trust: Name
    notice_id: Token
    project_id: Name
    order_id: Token
    purged_at: Instant
    items: Annotated[tuple[PurgedItem, ...], Field(max_length=50)] = ()
    issued_at: Instant


class WitnessNotice(Record):
    """A Trust saw the hub's root of a day, and had it proven that it continues every root that it saw before.

    This is the countersignature: whoever has it knows that the hub's log cannot have been another one on that day.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    kind: Literal["witness"] = "witness"
    trust: Name
    notice_id: Token
    day: date
    size: Size
    root: Hash
    issued_at: Instant


class RootNotice(Record):
    """A Trust hands over the root of its own audit log: its size and one hash, nothing of what is in it.

    Attributes:
        signed: compact JWS of the :class:`~.logs.LogRoot`.
        proof: that it continues the one that was handed over before; None for the first.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    kind: Literal["root"] = "root"
    trust: Name
    notice_id: Token
    signed: Annotated[str, Field(max_length=4000)]
    proof: ConsistencyProof | None = None
    issued_at: Instant


AnyNotice = ConsentNotice | StatusNotice | CatalogueNotice | PurgeNotice | WitnessNotice | RootNotice
Notice = Annotated[AnyNotice, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[AnyNotice] = TypeAdapter(Notice)


class SignedNotice(Record):
    """The envelope that is signed, so that one ``typ`` serves every kind of notice."""

    notice: Notice


class TrustRequest(Record):
    """A Trust asks the hub which projects want its data, or which are to be purged; short-lived, signed by its key."""

    schema_version: Literal[1] = SCHEMA_VERSION
    trust: Name
    asks: Literal["projects", "purges"]
    request_id: Token
    issued_at: Instant


class PeerKey(Record):
    """Another Trust's identity key, as the hub tells it: of use once two operators have compared its fingerprint.

    It holds nothing but the name and the key, so that a Trust's operator reads the fingerprint of its own out of what
    its own machine knows, without the hub.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    trust: Name
    identity_key: PublicKeyText


class ProjectForTrust(Record):
    """A project as a Trust's data steward sees it before opting in.

    Attributes:
        legal_basis: in words, with the approvals that others gave.
        data: what is asked of this Trust, and why.
        planned_outputs: what the project means to take out, and for whom.
        peers: the project's other Trusts, by name.
    """

    project_id: Name
    title: Line
    lay_summary: Annotated[str, Field(max_length=4000)]
    public_benefit: Annotated[str, Field(max_length=4000)]
    researchers: tuple[Line, ...]
    reviewers: tuple[Line, ...]
    job_kinds: tuple[JobKind, ...]
    epsilon: Epsilon
    delta: Delta
    expires_at: Instant
    organisation: Line = ""
    legal_basis: str = ""
    data: Annotated[tuple[DataAsked, ...], Field(max_length=200)] = ()
    planned_outputs: Annotated[tuple[PlannedOutput, ...], Field(max_length=MOST_ENTRIES_ASKED)] = ()
    peers: Annotated[tuple[PeerKey, ...], Field(max_length=200)] = ()


def parse_notice(content: bytes | str) -> AnyNotice:
    """Validate a notice of any kind.

    Raises:
        RecordError: it fits none of the kinds.
    """
    try:
        return _ADAPTER.validate_json(content)
    except ValidationError as error:
        raise RecordError("Notice", error) from error


def fingerprint(record: Record) -> str:
    """What two people compare at enrolment: SHA-256 of the canonical JSON, in groups of four hexadecimal digits."""
    digits = record.digest().removeprefix("sha256:")
    return " ".join(digits[i : i + FINGERPRINT_GROUP] for i in range(0, len(digits), FINGERPRINT_GROUP))


def same_fingerprint(record: Record, claimed: str) -> bool:
    """Whether a fingerprint typed in by a person is this record's; spaces, hyphens, colons and case do not count."""
    typed = "".join(character for character in claimed.lower() if character not in " -:\t\n")
    return typed == fingerprint(record).replace(" ", "")
