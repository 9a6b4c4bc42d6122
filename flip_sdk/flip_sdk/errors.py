"""Errors of flip-sdk.

FlipError
├── PublicError                 may be shown to a person; says what to do next
│   ├── RecordError             a record does not fit its schema
│   ├── SignatureError          a signature does not verify
│   ├── SpecError               a job or a release request breaks rules: all of its violations
│   ├── ModelError              a torch module cannot cross the boundary
│   │   └── ModelTooLargeError  … because it is over a limit
│   ├── SecureSumError          keys or numbers of a secure sum do not fit together
│   │   ├── RosterError         … the job's signed public keys
│   │   │   └── PeerUnknownError  … one of them is by a Trust that is not confirmed here
│   │   └── EncodingError       … numbers that cannot be summed as integers
│   ├── NotAllowedError         policy says no, with its reason
│   ├── NotFoundError           no such project, job, model …
│   ├── ConnectionFailedError   the hub cannot be reached or is not signed in to
│   ├── ExtraMissingError       work that needs packages which are not installed here; an ImportError, too
│   ├── SetupError              what a call needs is not installed, or does not run
│   └── JobFailedError          a job ended without a result, with its reason
└── (nothing else: a FlipError that is not public is a bug)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic_core import ValidationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from flip_sdk.contract.api import RefusalView
    from flip_sdk.contract.check import Violation


class FlipError(Exception):
    """Base of every error of this distribution."""


class PublicError(FlipError):
    """An error that may be shown to a person.

    Attributes:
        message: what is wrong, in words.
        mend: what to do next, in words.
        code: a stable name for programs and tests.
    """

    code = "error"
    usual_mend = ""
    """What to do next, where an error of this kind says nothing else."""

    def __init__(self, message: str, mend: str = "") -> None:
        self.message = message
        self.mend = mend or self.usual_mend
        super().__init__(f"{message} {self.mend}".strip())

    def _render_traceback_(self) -> list[str]:
        """In a notebook, instead of a traceback through this package: what is wrong, where, and what to do next."""
        where = f" (line {line} of the cell)" if (line := _line_of_cell(self)) else ""
        next_ = [f"What to do: {self.mend}"] if self.mend else []
        return [f"\x1b[31m{type(self).__name__}\x1b[0m{where}: {self.message}", *next_]


class RecordError(PublicError):
    """A record does not fit its schema."""

    code = "bad_record"

    def __init__(self, record: str, error: Exception) -> None:
        self.record = record
        super().__init__(
            f"This is not a valid {record}: {_in_words(error)}", "Correct the fields named and send it again."
        )


_SAID = {
    "extra_forbidden": "there is no such field",
    "missing": "it has to be given",
    "greater_than": "it has to be more than {gt}",
    "greater_than_equal": "it has to be {ge} or more",
    "less_than": "it has to be less than {lt}",
    "less_than_equal": "it has to be {le} or less",
    "finite_number": "it has to be a number that is finite",
    "string_too_short": "it is too short",
    "string_too_long": "it has {max_length} characters at most",
    "too_short": "it has {min_length} entries or more",
    "too_long": "it has {max_length} entries at most",
    "float_parsing": "it has to be a number",
    "float_type": "it has to be a number",
    "int_parsing": "it has to be a whole number",
    "int_type": "it has to be a whole number",
    "int_from_float": "it has to be a whole number",
    "string_type": "it has to be text",
    "literal_error": "it has to be one of {expected}",
}
"""By pydantic's name for what is wrong; only limits that the schema states are filled in."""
_NAMES = r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$"


def _in_words(error: Exception) -> str:
    """Every field that does not fit, without repeating the value: it may be a secret or a person's."""
    if not isinstance(error, ValidationError):
        return f"{error}."
    details = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, detail['loc'])) or 'it'}: {_said(detail)}" for detail in details) + "."


def _said(detail: ErrorDetails) -> str:
    limits = detail.get("ctx", {})
    if detail["type"] == "string_pattern_mismatch" and limits.get("pattern") == _NAMES:
        return "it has to be lower-case letters, digits and hyphens, 40 at most"
    words = _SAID.get(detail["type"])
    return words.format(**limits) if words else detail["msg"]


def _line_of_cell(error: BaseException) -> int | None:
    """Where in a notebook's cell it happened."""
    step, found = error.__traceback__, None
    while step is not None:
        name = step.tb_frame.f_code.co_filename
        found = step.tb_lineno if "ipykernel_" in name or name.startswith("<ipython-input") else found
        step = step.tb_next
    return found


class SignatureError(PublicError):
    """A signature does not verify."""

    code = "bad_signature"
    usual_mend = "Have it signed and sent again; if it stays, compare keys with its sender."


class SpecError(PublicError):
    """A job, or a release request, breaks rules. All of its violations are in ``violations``."""

    code = "bad_spec"

    def __init__(self, violations: Sequence[Violation]) -> None:
        self.violations = tuple(violations)
        lines = "\n".join(f"  • {v.where}: {v.message} {v.mend}".rstrip() for v in violations)
        super().__init__(f"This cannot be accepted as it is:\n{lines}")


class ModelError(PublicError):
    """A torch module cannot cross the boundary."""

    code = "bad_model"


class ModelTooLargeError(ModelError):
    """A model is over one of the limits of ``contract.graph.Limits``."""

    code = "model_too_large"


class SecureSumError(PublicError):
    """Keys or numbers of a secure sum do not fit together."""

    code = "bad_sum"
    usual_mend = "Submit the job again; if it stays, tell the hub's operator."


class RosterError(SecureSumError):
    """The signed public keys of a job do not fit together, or are not this job's."""

    code = "bad_roster"


class PeerUnknownError(RosterError):
    """A public key is signed by an identity key that is not confirmed here."""

    code = "peer_unknown"


class EncodingError(SecureSumError):
    """Numbers, or their noise, cannot be summed as integers."""

    code = "bad_encoding"


class NotAllowedError(PublicError):
    """Policy says no."""

    code = "not_allowed"


class NotFoundError(PublicError):
    """No such thing, or not for you."""

    code = "not_found"


class ConnectionFailedError(PublicError):
    """The hub cannot be reached, or does not know who is asking."""

    code = "no_connection"


class ExtraMissingError(PublicError, ImportError):
    """Packages that only some work needs are not installed.

    Attributes:
        extra: which extra of flip-sdk brings them.
    """

    code = "extra_missing"

    def __init__(self, what: str, module: str, extra: str) -> None:
        self.extra = extra
        super().__init__(
            f"{what} needs {module}, which is not installed here.", f'Run: pip install "flip-sdk[{extra}]"'
        )


class SetupError(PublicError):
    """What a call needs is not installed here, or does not run."""

    code = "not_set_up"


class JobFailedError(PublicError):
    """A job ended without a result.

    Attributes:
        reason: why, as the hub says it.
        refusals: what each Trust that refused says.
    """

    code = "job_failed"

    def __init__(self, message: str, mend: str = "", reason: str = "", refusals: Sequence[RefusalView] = ()) -> None:
        self.reason = reason
        self.refusals = tuple(refusals)
        super().__init__(message, mend)
