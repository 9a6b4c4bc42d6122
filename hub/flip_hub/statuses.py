"""Turning errors that a person may see into HTTP: one table, used by every route."""

from __future__ import annotations

from flip_sdk.contract.api import ErrorBody
from flip_sdk.errors import (
    ModelError,
    NotAllowedError,
    NotFoundError,
    PublicError,
    RecordError,
    SignatureError,
    SpecError,
)

from flip_hub.errors import (
    ConflictError,
    DeniedError,
    EnrolmentError,
    IncompleteError,
    InvalidError,
    NotSignedInError,
    TooLargeError,
    UnavailableError,
)

STATUSES: tuple[tuple[type[PublicError], int], ...] = (
    (NotSignedInError, 401),
    (SignatureError, 401),
    (ConflictError, 409),
    (NotAllowedError, 403),
    (NotFoundError, 404),
    (TooLargeError, 413),
    (RecordError, 422),
    (SpecError, 422),
    (ModelError, 422),
    (InvalidError, 422),
    (EnrolmentError, 422),
    (UnavailableError, 503),
)
"""In order: the first that fits counts."""
_MEND = "Correct what is named and send it again; if nothing is wrong with it, tell the hub's operator."


def status_of(error: PublicError) -> int:
    """The HTTP status of an error."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), 400)


def body_of(error: PublicError) -> ErrorBody:
    """What the person reads: always with what to do next."""
    return ErrorBody(
        code=error.code,
        message=error.message,
        mend=error.mend or _MEND,
        violations=error.violations if isinstance(error, SpecError | IncompleteError) else (),
        policy=error.policy if isinstance(error, DeniedError) else "",
    )
