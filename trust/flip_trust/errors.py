"""Errors of flip-trust.

    TrustError
    ├── SetupError (PublicError)           trust.toml, a key, the pinned hub or the data set is missing or wrong
    ├── ConsentError (PublicError)         an opt-in, pause or leave that cannot be
    ├── PeerError (PublicError)            another Trust's key that cannot be confirmed or forgotten
    ├── ImagingError (PublicError)         images that cannot be received, fetched or indexed as asked
    ├── IngestError (PublicError)          records that cannot be read at all
    ├── DeniedError (PublicError)          the console's policies say no, and why
    ├── NotSignedInError (PublicError)     nobody is signed in to the console, or not any more
    ├── MissingError (PublicError)         there is no such page, project, task or file
    ├── AuditBrokenError (PublicError)     the audit chain does not verify: which entry
    ├── RefusedError                       a task is refused, with its fixed code
    │   └── LedgerUnavailableError         the database cannot be written (disk full): nothing may be computed
    ├── DisclosureError                    the engine's result is not what may leave; nothing leaves
    ├── UnfitImageError                    a series or slide lacks what a job asks of it; its person is without it
    ├── EngineError                        flip_trust.engine: the engine could not do what was asked
    ├── HubUnreachableError                flip_trust.agent.hub_client: the hub is away
    └── HubRefusedError                    flip_trust.agent.hub_client: the hub says no

Only a ``PublicError`` reaches a person, and it says what to do next. A refusal leaves the Trust as its code alone.
"""

from __future__ import annotations

from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.errors import PublicError


class TrustError(Exception):
    """Base of every error of this distribution."""


class SetupError(TrustError, PublicError):
    """The Trust's home is missing something or holds something that cannot be used."""

    code = "bad_setup"


class ConsentError(TrustError, PublicError):
    """What the data steward asked for cannot be."""

    code = "bad_consent"


class PeerError(TrustError, PublicError):
    """Another Trust's key cannot be confirmed, or is not."""

    code = "bad_peer"


class ImagingError(TrustError, PublicError):
    """Images cannot be received, fetched or indexed as asked."""

    code = "bad_imaging"


class IngestError(TrustError, PublicError):
    """Records cannot be taken in as a whole; a single bad one is refused and kept instead."""

    code = "bad_records"


class DeniedError(TrustError, PublicError):
    """The console's policies do not permit this to this person.

    Attributes:
        policy: that decided.
    """

    code = "denied"

    def __init__(self, message: str, mend: str = "", policy: str = "") -> None:
        self.policy = policy
        PublicError.__init__(self, message, mend)


class NotSignedInError(TrustError, PublicError):
    """Nobody is signed in to the console, or not any more."""

    code = "not_signed_in"


class MissingError(TrustError, PublicError):
    """What was asked for is not there."""

    code = "missing"


class AuditBrokenError(TrustError, PublicError):
    """The audit log was changed after it was written.

    Attributes:
        sequence: the first entry that does not fit.
    """

    code = "audit_broken"

    def __init__(self, sequence: int, what: str) -> None:
        self.sequence = sequence
        PublicError.__init__(
            self,
            f"The audit log is broken at entry {sequence}: {what}.",
            "Stop the agent, keep the file as it is, and tell your information governance lead.",
        )


class RefusedError(TrustError):
    """A task is refused.

    Attributes:
        refusal: the fixed reason; the only part that leaves the Trust.
        task_id: of the task, where its signature was good enough to believe it; else empty.
        job_id: likewise.
        reason: in words, for people at the Trust alone; empty where the code says it all.
        policy: that decided, where one did.
    """

    def __init__(
        self, refusal: RefusalCode, task_id: str = "", job_id: str = "", *, reason: str = "", policy: str = ""
    ) -> None:
        self.reason = reason
        self.policy = policy
        self.refusal = refusal
        self.task_id = task_id
        self.job_id = job_id
        super().__init__(refusal.value)

    @property
    def details(self) -> dict[str, str]:
        """What the Trust's own audit log says beside the code."""
        return {"policy": self.policy, "reason": self.reason} if self.policy or self.reason else {}


class LedgerUnavailableError(RefusedError):
    """The database cannot be written, so no debit would be durable and nothing may be computed."""

    def __init__(self) -> None:
        super().__init__(RefusalCode.LEDGER_UNAVAILABLE)


class DisclosureError(TrustError):
    """The engine's result does not have the shape, the size or the sensitivity that may leave."""


class UnfitImageError(TrustError):
    """A series or a slide lacks what a job asks of it.

    Attributes:
        reason: in fixed words, without anything of the file's content.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)
