"""Errors of flip-hub.

    HubError
    ├── ConfigError (PublicError)          hub.toml or the hub's home is missing or wrong
    ├── DeniedError (NotAllowedError)      a policy says no: which one, and why                    403
    ├── MissingError (NotFoundError)       no such thing, or not one of this person's              404
    ├── NotSignedInError (PublicError)     nobody is signed in                                     401
    ├── SignInError (PublicError)          somebody may not sign in, or a provider's word is not good
    ├── ConflictError (PublicError)        the thing's state does not have this step               409
    │   └── NotNowError (NotAllowedError)  the project's state does not allow this at present
    ├── TooLargeError (PublicError)        more bytes than are taken                               413
    ├── InvalidError (PublicError)         content that breaks a rule                              422
    │   └── IncompleteError                an application that cannot be submitted: all that it lacks
    ├── UnavailableError (PublicError)     a part of the hub does not answer at present            503
    ├── EnrolmentError (PublicError)       a Trust cannot be enrolled
    ├── AuditError                         the audit chain is broken, or a write had no entry
    ├── BlobCorruptError                   a stored blob no longer has its digest
    └── CarrierUnavailableError            Flower's SuperLink cannot be reached

Only a ``PublicError`` reaches a person; the routes turn it into a status and an ``ErrorBody``.
"""

from __future__ import annotations

from collections.abc import Sequence

from flip_sdk.contract.violations import Violation
from flip_sdk.errors import NotAllowedError, NotFoundError, PublicError


class HubError(Exception):
    """Base of every error of this distribution."""


class ConfigError(HubError, PublicError):
    """The hub's configuration is missing or wrong."""

    code = "bad_config"


class DeniedError(HubError, NotAllowedError):
    """A policy says no.

    Attributes:
        policy: the stable name of the policy that decided.
    """

    def __init__(self, message: str, mend: str = "", policy: str = "") -> None:
        self.policy = policy
        super().__init__(message, mend)


class MissingError(HubError, NotFoundError):
    """No such thing, or not one that this person may know of."""


class NotSignedInError(HubError, PublicError):
    """Nobody is signed in, or the token is not good (any more)."""

    code = "not_signed_in"


class SignInError(HubError, PublicError):
    """Somebody may not sign in, or what their provider says of them is not good.

    Attributes:
        who: their name or subject at the provider, for the audit log, where it is verified.
    """

    code = "sign_in_refused"
    who = ""


class ConflictError(HubError, PublicError):
    """The thing is in a state that does not have this step."""

    code = "conflict"


class NotNowError(ConflictError, NotAllowedError):
    """The project's state does not allow this at present."""

    code = "not_now"


class TooLargeError(HubError, PublicError):
    """More bytes than are taken."""

    code = "too_large"


class InvalidError(HubError, PublicError):
    """Content that breaks a rule."""

    code = "invalid"


class IncompleteError(InvalidError):
    """An application that cannot be submitted.

    Attributes:
        violations: everything that it lacks; ``where`` is the form's field.
    """

    code = "incomplete"

    def __init__(self, violations: Sequence[Violation]) -> None:
        self.violations = tuple(violations)
        lines = "\n".join(f"  • {one.message} {one.mend}".rstrip() for one in violations)
        super().__init__(
            f"The application cannot be submitted as it is:\n{lines}", "Put this right, and submit it again."
        )


class UnavailableError(HubError, PublicError):
    """A part of the hub does not answer at present."""

    code = "unavailable"


class EnrolmentError(HubError, PublicError):
    """A Trust cannot be enrolled."""

    code = "bad_enrolment"


class AuditError(HubError):
    """The audit chain is broken, or something was written without an entry."""


class BlobCorruptError(HubError):
    """A stored blob no longer has its digest."""


class CarrierUnavailableError(HubError):
    """Flower's SuperLink cannot be reached."""
