"""What one release did to privacy, as it is stored. Unit: person; adjacency: one person added or removed."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from flip_sdk.contract.records import Epsilon, Record
from flip_sdk.errors import RecordError

NoiseMultiplier = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
Steps = Annotated[int, Field(ge=1, le=10_000_000)]


INTEGERS = 9e-6
"""Shares of noise are integers, in steps of which one person can move a sum by 1,000 or more. A discrete Gaussian of
variance σ² is a continuous one of σ² - 9, rounded at random, but for a factor within 10^-76 of 1 (Peikert, "An
Efficient and Parallel Gaussian Sampler for Lattices", CRYPTO 2010, theorem 3.1); a sum of such shares is one of them,
and rounding is no further look at the data. So (3 / 1,000)² off the squared noise multiplier lets continuous bounds
hold."""
NO_NOISE = 1e-100
"""A noise multiplier that protects nobody."""


class Gaussian(Record):
    """``steps`` releases, each with Gaussian noise of ``noise_multiplier`` times its L2 sensitivity."""

    mechanism: Literal["gaussian"] = "gaussian"
    noise_multiplier: NoiseMultiplier
    steps: Steps = 1
    unit: Literal["person"] = "person"

    @property
    def squared_noise(self) -> float:
        """The noise multiplier, squared."""
        return self.noise_multiplier**2


class SharedGaussian(Record):
    """``steps`` sums over several Trusts, each Trust with its share of the Gaussian noise.

    Attributes:
        noise_multiplier: of one Trust's share alone: its standard deviation over the sum's L2 sensitivity.
        honest: how many shares of honest Trusts are in every sum, this Trust's own included: the stated assumption.
    """

    mechanism: Literal["shared_gaussian"] = "shared_gaussian"
    noise_multiplier: NoiseMultiplier
    honest: Annotated[int, Field(ge=2, le=200)]
    steps: Steps = 1
    unit: Literal["person"] = "person"

    @property
    def together(self) -> float:
        """Noise multiplier of the honest Trusts' shares together."""
        return self.noise_multiplier * math.sqrt(self.honest)

    @property
    def squared_noise(self) -> float:
        """Of the honest shares together: the square of the Gaussian noise that they are at least as good as."""
        return self.honest * self.noise_multiplier**2 - INTEGERS

    @property
    def alone(self) -> Gaussian:
        """What is left if every other Trust worked with the hub: this Trust's own share."""
        own = self.noise_multiplier**2 - INTEGERS
        return Gaussian(noise_multiplier=math.sqrt(own) if own > 0 else NO_NOISE, steps=self.steps)


class PoissonGaussian(Record):
    """``steps`` releases over a fresh Poisson sample of persons each, with Gaussian noise."""

    mechanism: Literal["poisson_gaussian"] = "poisson_gaussian"
    noise_multiplier: NoiseMultiplier
    sampling_rate: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
    steps: Steps
    unit: Literal["person"] = "person"

    @property
    def squared_noise(self) -> float:
        """The noise multiplier, squared."""
        return self.noise_multiplier**2


class Pure(Record):
    """One release that is epsilon-DP with delta 0 (discrete Laplace of scale sensitivity/epsilon)."""

    mechanism: Literal["pure"] = "pure"
    epsilon: Epsilon
    unit: Literal["person"] = "person"


Event = Annotated[Gaussian | SharedGaussian | PoissonGaussian | Pure, Field(discriminator="mechanism")]
AnyEvent = Gaussian | SharedGaussian | PoissonGaussian | Pure
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
