"""What one release did to privacy, as it is stored. Unit: person; adjacency: one person added or removed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from flip_sdk.contract.records import Epsilon, Record
from flip_sdk.errors import RecordError

NoiseMultiplier = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
Steps = Annotated[int, Field(ge=1, le=10_000_000)]


class Gaussian(Record):
    """``steps`` releases, each with Gaussian noise of ``noise_multiplier`` times its L2 sensitivity."""

    mechanism: Literal["gaussian"] = "gaussian"
    noise_multiplier: NoiseMultiplier
    steps: Steps = 1
    unit: Literal["person"] = "person"


class PoissonGaussian(Record):
    """``steps`` releases over a fresh Poisson sample of persons each, with Gaussian noise."""

    mechanism: Literal["poisson_gaussian"] = "poisson_gaussian"
    noise_multiplier: NoiseMultiplier
    sampling_rate: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
    steps: Steps
    unit: Literal["person"] = "person"


class Pure(Record):
    """One release that is epsilon-DP with delta 0 (discrete Laplace of scale sensitivity/epsilon)."""

    mechanism: Literal["pure"] = "pure"
    epsilon: Epsilon
    unit: Literal["person"] = "person"


Event = Annotated[Gaussian | PoissonGaussian | Pure, Field(discriminator="mechanism")]
AnyEvent = Gaussian | PoissonGaussian | Pure
_ADAPTER: TypeAdapter[AnyEvent] = TypeAdapter(Event)


def parse_event(content: str | bytes) -> AnyEvent:
    """Read an event as it was stored.

    Raises:
        RecordError: it is none.
    """
    try:
        return _ADAPTER.validate_json(content)
    except ValidationError as error:
        raise RecordError("ledger event", error) from error
