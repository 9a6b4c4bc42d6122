"""What an audit log proves about itself: its daily root, proofs, and what a witness says that it saw.

A root is signed by whose log it is, and countersigned by the other side, which keeps it. A log that is rewritten
afterwards cannot have the root that others hold, whoever has its keys.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from flip_sdk.contract import merkle
from flip_sdk.contract.records import SCHEMA_VERSION, Digest, Instant, Line, Name, Record, Token

Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
LogName = Annotated[str, StringConstraints(pattern=r"^(hub|trust/[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?)$")]
"""Whose log: ``hub`` or ``trust/<name>``."""
Size = Annotated[int, Field(ge=0, le=2**53 - 1)]
Path = Annotated[tuple[Hash, ...], Field(max_length=128)]
MOST_ROOTS = 400


class LogRoot(Record):
    """A log as it was at one moment: how many entries, and the root of their Merkle tree. Signed by whose log it is.

    Attributes:
        day: the day that it stands for (UTC).
        previous: digest of the day's root before it; None for the first.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    log: LogName
    day: date
    size: Size
    root: Hash
    previous: Digest | None = None
    issued_at: Instant


class InclusionProof(Record):
    """That an entry is in the log which a root stands for."""

    schema_version: Literal[1] = SCHEMA_VERSION
    log: LogName
    sequence: Annotated[int, Field(ge=1)]
    entry: Hash
    size: Size
    root: Hash
    path: Path = ()

    def holds(self) -> bool:
        """Whether the proof is right; whether ``root`` is the published one is the reader's to compare."""
        return merkle.is_included(self.entry, self.sequence, self.size, self.root, self.path)


class ConsistencyProof(Record):
    """That a log only added entries between two of its roots."""

    schema_version: Literal[1] = SCHEMA_VERSION
    log: LogName
    first: Size
    second: Size
    path: Path = ()

    def holds(self, first: LogRoot | None, second: LogRoot) -> bool:
        """Whether it proves that ``second`` continues ``first`` (None: the empty log)."""
        size, root = (first.size, first.root) if first else (0, merkle.EMPTY)
        if (self.first, self.second, self.log) != (size, second.size, second.log):
            return False
        return merkle.is_consistent(size, root, second.size, second.root, self.path)


class RootsRequest(Record):
    """A Trust asks the hub for the daily roots after the last one that it saw; signed by its identity key."""

    schema_version: Literal[1] = SCHEMA_VERSION
    trust: Name
    after: date | None = None
    request_id: Token
    issued_at: Instant


class RootTold(Record):
    """One daily root as the hub hands it to a witness.

    Attributes:
        signed: compact JWS of the :class:`LogRoot`.
        proof: that it continues the one before it.
    """

    signed: Annotated[str, Field(max_length=4000)]
    proof: ConsistencyProof


class PublishedRoot(Record):
    """A daily root, and who else saw it: verifiable with public keys alone.

    Attributes:
        signed: compact JWS of the :class:`LogRoot`, by whose log it is.
        seen: compact JWS of each witness's own notice.
    """

    root: LogRoot
    signed: str
    seen: tuple[str, ...] = ()


class LogKey(Record):
    """A public key that roots and countersignatures verify with."""

    owner: LogName
    title: Line = ""
    key: str


class PublishedRoots(Record):
    """What ``audit verify --roots`` reads: every daily root that was published, and the keys."""

    schema_version: Literal[1] = SCHEMA_VERSION
    roots: tuple[PublishedRoot, ...] = ()
    keys: tuple[LogKey, ...] = ()
