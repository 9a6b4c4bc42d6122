"""Mechanisms by a clear name, with numbers that need no tuning.

The numbers are the same for every data set; what noise there is decides the rest by itself
(``mechanisms.aggregate.automatic_rate``). ``python -m benchmarks presets`` chooses them again on data that no other
benchmark uses (docs/privacy.md).
"""

from __future__ import annotations

from dataclasses import dataclass

from flip_sdk.contract.jobs import (
    DPSGD,
    DistributedNoise,
    FedAdam,
    FedProx,
    FullBatch,
    LocalNoise,
    Mechanism,
    Scaffold,
    SufficientStatistics,
    TrustModel,
)
from flip_sdk.contract.records import Record
from flip_sdk.contract.violations import Violation
from flip_sdk.errors import SpecError

_STATISTICS, _COUNT, _SUMMED_COUNT = 0.2, 0.05, 0.02


@dataclass(frozen=True)
class Preset:
    """A mechanism as it is to be used.

    Attributes:
        name: what ``flip.Privacy(mechanism=…)`` takes.
        mechanism: with its numbers.
        rounds: how many it needs.
        trust_models: those that it is valid with.
        when: when to use it, in a line.
    """

    name: str
    mechanism: Mechanism
    rounds: int
    trust_models: tuple[str, ...]
    when: str

    @staticmethod
    def share(scaling: str, trust_model: TrustModel | Record) -> float:
        """Share of the budget for what comes before the training.

        Statistics need more than a number of persons alone. That one decides at each Trust whether it is over its
        floor; with shared noise, the Trust has a number of its own for that.
        """
        alone = _SUMMED_COUNT if isinstance(trust_model, DistributedNoise) else _COUNT
        return _STATISTICS if scaling == "dp_statistics" else alone


_LOCAL = DPSGD(max_grad_norm=1.0, learning_rate=0.5, sampling_rate=0.2, local_steps=5)
_BOTH, _OWN = ("local", "distributed"), ("local",)


def _federated(name: str, mechanism: DPSGD, when: str) -> Preset:
    return Preset(name, mechanism, 20, _OWN, when)


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("full_batch", FullBatch(), 40, _BOTH, "tables and small models: the preset; with three Trusts or more "
               "and a small epsilon, together with trust_model='distributed'"),
        Preset("sufficient_statistics", SufficientStatistics(), 1, _BOTH,
               "a linear layer on few features and many persons, in one round"),
        _federated("dp_sgd", _LOCAL, "larger models where every Trust has thousands of persons; few, long rounds"),
        _federated("fedadam", _LOCAL.model_copy(update={"aggregation": FedAdam()}),
                   "the same, for models whose layers need steps of unlike size"),
        _federated("fedprox", _LOCAL.model_copy(update={"aggregation": FedProx()}),
                   "the same, for Trusts whose patients are unlike each other"),
        _federated("scaffold", _LOCAL.model_copy(update={"aggregation": Scaffold()}),
                   "the same, for Trusts that are very unlike each other, at a large epsilon"),
    )
}  # fmt: skip

TRUST_MODELS: dict[str, TrustModel] = {"local": LocalNoise(), "distributed": DistributedNoise()}


def mechanism_of(asked: str | Record) -> Mechanism | Record:
    """A mechanism by its name; a record stays what it is.

    Raises:
        SpecError: there is none of that name; the error lists those that there are.
    """
    if not isinstance(asked, str):
        return asked
    if asked in PRESETS:
        return PRESETS[asked].mechanism
    lines = "".join(f"\n      {name}: {preset.when}" for name, preset in PRESETS.items())
    where, message = "privacy.mechanism", f"There is no mechanism {asked!r}."
    raise SpecError([Violation(rule="unknown_mechanism", where=where, message=message, mend=f"There are:{lines}")])


def trust_model_of(asked: str | Record) -> TrustModel | Record:
    """A trust model by its name; a record stays what it is.

    Raises:
        SpecError: there is none of that name.
    """
    if not isinstance(asked, str):
        return asked
    if asked in TRUST_MODELS:
        return TRUST_MODELS[asked]
    where, message = "privacy.trust_model", f"There is no trust model {asked!r}."
    mend = f"Say {' or '.join(map(repr, TRUST_MODELS))}."
    raise SpecError([Violation(rule="unknown_trust_model", where=where, message=message, mend=mend)])


def preset_of(mechanism: Mechanism) -> Preset:
    """The preset that a mechanism is, or is nearest to."""
    kind = mechanism.aggregation.kind if isinstance(mechanism, DPSGD) else mechanism.kind
    return PRESETS.get(kind, PRESETS["dp_sgd"])


def valid_with(trust_model: str) -> list[str]:
    """Names of the mechanisms that a trust model is valid with."""
    return [name for name, preset in PRESETS.items() if trust_model in preset.trust_models]
