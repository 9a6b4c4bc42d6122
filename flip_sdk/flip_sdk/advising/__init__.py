"""``flip_sdk.advise``: which model to train, and how, before any budget is spent.

    advice = flip.advise(
        {"linear": torch.nn.Linear(30, 1), "net": net},
        catalogue=project.catalogue(), label="malignant", privacy=flip.Privacy(epsilon=1),
    )
    project.train(advice.module, privacy=advice.privacy, rounds=advice.rounds, features=…, label="malignant")

Every candidate is trained by the engine, presets, noise and floors of real Trusts, on people who are nobody's secret:
made up in the shape of a catalogue or of pictures, in two worlds (``advising.worlds``), or public ones that are given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flip_sdk.advising.advice import Advice
from flip_sdk.extras import needed

if TYPE_CHECKING:
    from torch import nn

    from flip_sdk.asking import FeatureLike, LabelLike
    from flip_sdk.catalogue import Catalogue
    from flip_sdk.contract.graph import Loss
    from flip_sdk.privacy import Privacy

__all__ = ["Advice", "advise"]


def advise(  # noqa: PLR0913 (a researcher's form: everything by name, all but the models with a preset)
    models: Mapping[str, nn.Module] | Sequence[nn.Module],
    *,
    catalogue: Catalogue | None = None,
    features: Sequence[FeatureLike] | None = None,
    label: LabelLike | None = None,
    shape: Sequence[int] | None = None,
    public: tuple[Any, ...] | None = None,
    bounds: tuple[float, float] | Sequence[tuple[float, float]] | None = None,
    trusts: Mapping[str, int] | Sequence[int] | None = None,
    privacy: Privacy | None = None,
    trust_models: Sequence[str] = (),
    loss: Loss = "binary_cross_entropy",
    rounds: int | None = None,
    max_records_per_person: int = 1,
    tries: int = 3,
    seed: int = 0,
    quiet: bool = False,
) -> Advice:
    """Try candidate models on made-up or public people, and say which one to train and how.

    Give one of ``catalogue``, ``shape`` and ``public``. No budget is spent and nothing of a Trust is touched: the
    Trusts' sizes are the noisy ones that they publish.

    Args:
        models: by name, or in a row: ordinary torch modules as for ``project.train``.
        catalogue: ``project.catalogue()``, for people made up after it.
        features: of the catalogue, the models' inputs; all that every Trust holds when left out.
        label: of the catalogue, what is told; its first condition when left out.
        shape: of one record: ``(features,)`` for a table, ``(channels, height, width)`` for pictures.
        public: ``(rows, labels)`` or ``(rows, labels, persons)``: records × features, classes from 0, whose they are.
        bounds: public bounds of every value, or of each; 0 to 1 for made-up records, what they hold for public ones.
        trusts: persons of the cohort at each Trust, noisy; a catalogue's own numbers when left out. Seven in ten are
            trained on.
        privacy: the guarantee, and by which mechanism.
        trust_models: which to try; when left out, all that the mechanism is valid with over so many Trusts.
        loss: what is made small; with ``cross_entropy`` there are as many classes as outputs.
        rounds: the mechanism's preset when left out.
        max_records_per_person: records (images, visits) of a person at most.
        tries: in each world, with people and noise of their own.
        seed: of the people; noise is always fresh.
        quiet: whether to show no progress.

    Raises:
        SpecError: the arguments do not fit together: all that is wrong.
        ModelError: a candidate cannot cross, or does not fit the data; the error names it.
        NotFoundError: a name is not in the catalogue.
    """
    with needed("learning", "Advice"):
        from flip_sdk.advising.asked import Asked
        from flip_sdk.advising.running import run

    asked = Asked.of(
        models,
        catalogue=catalogue,
        features=features,
        label=label,
        shape=shape,
        public=public,
        bounds=bounds,
        trusts=trusts,
        privacy=privacy,
        trust_models=trust_models,
        loss=loss,
        rounds=rounds,
        max_records_per_person=max_records_per_person,
        seed=seed,
    )
    return run(asked, max(1, tries), quiet=quiet)
