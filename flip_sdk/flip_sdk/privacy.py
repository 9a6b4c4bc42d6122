"""The guarantee a researcher asks for, in the form a person types it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from flip_sdk.contract import jobs
from flip_sdk.contract.features import AnyFeature
from flip_sdk.contract.jobs import Mechanism, TrustModel
from flip_sdk.contract.records import Record
from flip_sdk.errors import PublicError, RecordError
from flip_sdk.presets import Preset, mechanism_of, trust_model_of

SomeRecord = TypeVar("SomeRecord", bound=Record)


class Privacy(jobs.Privacy):
    """How much the whole job may reveal about any one person, at each Trust.

    ``epsilon`` bounds how much more likely any result can become because one person's record is in the data (a factor
    of e^epsilon); smaller is more private. ``delta`` is the probability outside that bound. The unit is a person.

    Args:
        epsilon: for the whole job, noisy counts and feature statistics included.
        delta: keep it well below one over the number of persons.
        mechanism: a preset by its name, or a record with numbers of your own, such as ``flip.FullBatch(...)``:
            ``"full_batch"`` for tables and small models; ``"sufficient_statistics"`` for a linear layer in one round;
            ``"dp_sgd"``, ``"fedadam"``, ``"fedprox"`` or ``"scaffold"`` for larger models and cohorts.
        trust_model: ``"local"``: each Trust adds its whole noise and depends on nobody. ``"distributed"``: three Trusts
            or more share the noise of one secure sum, which needs far less of it together.
        scaling: ``"dp_statistics"``: all Trusts measure noisy means and spreads of the features, for a part of the
            budget. ``"public_bounds"``: the bounds alone. ``"given"``: ``train(scaling=…)`` brings them.
        scaling_share: the part of the budget for that and for a noisy number of persons; left out, 0.2 for statistics
            and 0.05 for the number alone (0.02 with shared noise).

    Raises:
        SpecError: there is no mechanism or trust model of that name; the error lists those that there are.
        RecordError: a number is out of its range.
    """

    def __init__(
        self,
        epsilon: float = 3.0,
        delta: float = 1e-5,
        mechanism: str | Mechanism = "full_batch",
        trust_model: str | TrustModel = "local",
        scaling: Literal["public_bounds", "dp_statistics", "given"] = "dp_statistics",
        scaling_share: float | None = None,
        **more: Any,
    ) -> None:
        how, whom = mechanism_of(mechanism), trust_model_of(trust_model)
        try:
            super().__init__(
                epsilon=epsilon,
                delta=delta,
                mechanism=how,
                trust_model=whom,
                scaling=scaling,
                scaling_share=Preset.share(scaling, whom) if scaling_share is None else scaling_share,
                **more,
            )
        except ValidationError as error:
            raise RecordError("Privacy", error) from error

    def record(self) -> jobs.Privacy:
        """As the contract's own record."""
        return jobs.Privacy.parse(self.canonical())


def guarantee(asked: Privacy | None, features: Sequence[AnyFeature]) -> jobs.Privacy:
    """What is asked, as the contract's record; without features there is nothing to measure for their scaling.

    Raises:
        PublicError: what is asked is no guarantee.
    """
    if asked is not None and not isinstance(asked, Privacy):
        raise PublicError(
            f"{asked!r} is no guarantee.", "Give one such as privacy=flip.Privacy(epsilon=3, delta=1e-5)."
        )
    given = asked or Privacy()
    if features or given.scaling != "dp_statistics":
        return given.record()
    share = Preset.share("public_bounds", given.trust_model)
    # a share that somebody chose stays; the preset for statistics would buy nothing
    chosen = given.scaling_share != Preset.share("dp_statistics", given.trust_model)
    changes = {"scaling": "public_bounds"} | ({} if chosen else {"scaling_share": share})
    return given.record().model_copy(update=changes)


def told_of(spec: jobs.TrainSpec, asked: Privacy | None) -> list[str]:
    """Where a job differs from what was asked, in words."""
    if asked is None or asked.scaling == spec.privacy.scaling:
        return []
    return ["There are no features to scale: images are scaled by their own bounds (scaling='public_bounds')."]


def build(record: type[SomeRecord], **fields: Any) -> SomeRecord:
    """A record out of what a person gave.

    Raises:
        RecordError: with every field that does not fit.
    """
    try:
        return record(**fields)
    except ValidationError as error:
        raise RecordError(record.__name__, error) from error
