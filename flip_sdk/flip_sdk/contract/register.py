"""The public register: what anybody may know of a project, by the fields of HDR UK's Data Use Register standard.

The names of a :class:`DataUse`'s fields are those of the standard as the Health Data Research Gateway takes them. What
the standard has no field for, and a federated platform knows, is in ``federated``.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from flip_sdk.contract.records import SCHEMA_VERSION, Digest, Instant, Line, Name, Record, Text

State = Literal["approved", "suspended", "expired", "closed"]
"""States of a project that is or was approved; no other is in the register."""
STANDARD = "HDR UK Data Use Register"


class RegisterTrust(Record):
    """What a project asks of one Trust, and what it had of it.

    Attributes:
        consent: what the Trust itself decided; ``none`` while it has not.
        spent: of ``epsilon``, the most that each person's privacy may have lost; None where the Trust told no figure.
        jobs: how often each kind of computation was completed with this Trust.
    """

    trust: Name
    title: Line
    what: Text = ""
    why: Text = ""
    consent: Literal["none", "opted_in", "paused", "left"] = "none"
    epsilon: float | None = None
    spent: float | None = None
    delta: float | None = None
    jobs: dict[str, int] = Field(default_factory=dict)
    last_job: date | None = None
    purged_at: Instant | None = None


class RegisterOutput(Record):
    """A file that two output checkers released to everybody."""

    release_id: Line
    title: Line
    name: Line
    released_at: Instant
    revoked_at: Instant | None = None
    content: Digest


class RegisterModel(Record):
    """A model that a project trained."""

    weights: Digest
    trained_on: date
    released: bool = False


class RegisterCondition(Record):
    """A condition of an approval."""

    text: Text
    met: bool


class RegisterPurge(Record):
    """What one side deleted when a project was closed: kinds and numbers. Digests stay in the certificate.

    Attributes:
        owner: ``hub`` or the Trust's name.
        deleted: kind of thing → how many.
        statement: digest of what the Trust signed; whoever is shown the certificate can hold it against that.
    """

    owner: Name
    title: Line
    purged_at: Instant | None = None
    deleted: dict[str, int] = Field(default_factory=dict)
    statement: Digest | None = None


class RegisterClosing(Record):
    """The public part of a closing certificate: what was deleted where and when. Who closed it, and why, is not public.

    Attributes:
        complete: whether everybody who was to delete something has.
    """

    purges: Annotated[tuple[RegisterPurge, ...], Field(max_length=201)] = ()
    kept: Annotated[tuple[Line, ...], Field(max_length=20)] = ()
    complete: bool = False


class Federated(Record):
    """What a federated platform knows beyond the standard.

    Attributes:
        outputs_to_team: files released to the project's team alone.
        signatures: people who signed the data access agreement.
        agreement: name of its clauses.
        closed_at: when the project was closed; ``hub_purged_at`` when the hub had deleted its part.
        closing: the public part of the closing certificate.
    """

    state: State
    trusts: Annotated[tuple[RegisterTrust, ...], Field(max_length=200)] = ()
    outputs: tuple[RegisterOutput, ...] = ()
    outputs_to_team: int = 0
    models: tuple[RegisterModel, ...] = ()
    conditions: tuple[RegisterCondition, ...] = ()
    agreement: Line = ""
    signatures: int = 0
    closed_at: Instant | None = None
    hub_purged_at: Instant | None = None
    closing: RegisterClosing | None = None


class DataUse(Record):
    """One project of the register."""

    schema_version: Literal[1] = SCHEMA_VERSION
    project_id_text: Name
    project_title: Line
    lay_summary: Text = ""
    public_benefit_statement: Text = ""
    technical_summary: Text = ""
    organisation_name: Line = ""
    organisation_id: Line = ""
    organisation_sector: Line = ""
    funders_and_sponsors: tuple[Line, ...] = ()
    accredited_researcher_status: Line = ""
    request_category_type: Line = ""
    request_frequency: Line = ""
    other_approval_committees: tuple[str, ...] = ()
    project_start_date: date | None = None
    project_end_date: date | None = None
    latest_approval_date: date | None = None
    data_sensitivity_level: Line = ""
    legal_basis_for_data_article6: Line = ""
    legal_basis_for_data_article9: Line = ""
    duty_of_confidentiality: Line = ""
    national_data_optout: Line = ""
    non_gateway_datasets: tuple[str, ...] = ()
    dataset_linkage_description: Text = ""
    confidential_data_description: Text = ""
    access_date: date | None = None
    access_type: Line = "TRE"
    privacy_enhancements: Text = ""
    federated: Federated


class DataUses(Record):
    """A page of the register.

    Attributes:
        total: projects that fit, on all pages.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    standard: Line = STANDARD
    total: int
    page: int
    data: tuple[DataUse, ...] = ()
