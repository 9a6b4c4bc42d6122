"""The ledger's events. They cross the wire, so the contract defines them."""

from flip_sdk.contract.events import (
    INTEGERS,
    AnyEvent,
    Event,
    Gaussian,
    PoissonGaussian,
    Pure,
    SharedGaussian,
    parse_event,
)

__all__ = ["INTEGERS", "AnyEvent", "Event", "Gaussian", "PoissonGaussian", "Pure", "SharedGaussian", "parse_event"]
