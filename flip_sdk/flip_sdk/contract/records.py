"""The base of every record that crosses a wire: frozen, closed to unknown fields, canonical in JSON."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final, Self

import rfc8785
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from flip_sdk.errors import RecordError

SCHEMA_VERSION: Final = 1

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
"""``sha256:`` and 64 hexadecimal digits, over the exact bytes."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$")]
"""A project id or a Trust's name: lower case, digits and hyphens, at most 40 characters."""

Token = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""An identifier made by a program (job id, task id): URL-safe, at most 64 characters."""

Text = Annotated[str, StringConstraints(max_length=4000)]
Line = Annotated[str, StringConstraints(max_length=200)]
ConceptId = Annotated[int, Field(ge=0, le=2**53 - 1)]
Epsilon = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
Delta = Annotated[float, Field(gt=0, lt=0.01, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Instant = AwareDatetime


def digest(content: bytes) -> str:
    """The content address of some bytes: ``sha256:…``."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Record(BaseModel):
    """A frozen record. Two records are the same when their canonical JSON is.

    Canonical JSON is RFC 8785 (JCS), so a digest or a signature made in one place holds in another.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_timedelta="float", allow_inf_nan=False)

    def canonical(self) -> bytes:
        """RFC 8785 bytes of this record."""
        return rfc8785.dumps(self.model_dump(mode="json"))

    def digest(self) -> str:
        """Content address of :meth:`canonical`."""
        return digest(self.canonical())

    @classmethod
    def parse(cls, content: bytes | str | dict[str, Any]) -> Self:
        """Validate outside content against the schema.

        Raises:
            RecordError: with every violation of the schema, not just the first.
        """
        try:
            if isinstance(content, dict):
                return cls.model_validate_json(rfc8785.dumps(content))
            return cls.model_validate_json(content)
        except (ValidationError, rfc8785.CanonicalizationError) as error:
            raise RecordError(cls.__name__, error) from error
