"""Records of files that are brought into a project's workspaces."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from flip_sdk.contract.airlock import FilePath
from flip_sdk.contract.records import Digest, Instant, Line, Name, Record, Text, Token
from flip_sdk.contract.states import IngressState

IngressDecision = Literal["admit", "refuse"]


class NewIngress(Record):
    """A file that is to appear in the ``incoming`` folder of a project's workspaces.

    Attributes:
        path: where, below ``incoming``.
        content: digest of its bytes, which are uploaded before.
        purpose: what it is for.
        source: where it comes from, and under which licence or agreement.
        holds_people: whether it holds data of persons: whoever lets it in then looks closer.
    """

    path: FilePath
    content: Digest
    purpose: Annotated[str, Field(min_length=10, max_length=4000)]
    source: Annotated[str, Field(min_length=3, max_length=1000)]
    holds_people: bool = False
    idempotency_key: Token


class DecideIngress(Record):
    """One person's decision: an output checker's or a data steward's. A refusal needs a reason."""

    decision: IngressDecision
    reason: Text = ""


class IngressView(Record):
    """A file on its way in.

    Attributes:
        kind: what its content was taken for, in words.
        scanned_by: the malware scanner that found nothing; empty where the hub has none.
        reason: why it was refused.
    """

    ingress_id: Token
    project_id: Name
    path: FilePath
    content: Digest
    bytes: Annotated[int, Field(ge=0)]
    purpose: str
    source: str
    holds_people: bool = False
    state: IngressState
    kind: Line = ""
    scanned_by: Line = ""
    reason: str = ""
    requested_by: Line
    requested_at: Instant
    decided_by: Line = ""
    decided_at: Instant | None = None
