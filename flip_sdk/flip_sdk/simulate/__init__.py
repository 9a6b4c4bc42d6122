"""Jobs over pretend Trusts, in the notebook, before any budget is spent.

    from flip_sdk import simulate

    sim = simulate.project(simulate.synthetic(project.catalogue()))    # made-up people, in the shape of the Trusts'
    scans = simulate.images(catalogue, people)                          # and CT-like images of the Trusts' geometry,
    sim = simulate.project(people, catalogue, images=scans)             # which models are trained on
    sim = simulate.project({"a": (rows, labels), "b": (rows, labels)})  # or public data

    sim.train(model, features=…, label=…, privacy=flip.Privacy(epsilon=1, trust_model="distributed"))

It is a project like a real one: the same calls, the same errors, the same budgets. The Trusts' own mechanisms compute,
with the noise that a Trust adds and the floors that it keeps; integers and shares of the noise as in a secure sum; the
hub's arithmetic over it. What is left out is what needs no trying: signatures, sandboxes, masks, the wire. The data are
yours, so give it made-up or public data only: nothing guards them here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flip_sdk.extras import needed

with needed("learning", "A simulation"):
    from flip_sdk.simulate.people import synthetic
    from flip_sdk.simulate.pretraining import Pretrained, pretrain
    from flip_sdk.simulate.twin_images import MadeUpSeries, images

if TYPE_CHECKING:
    from flip_sdk.catalogue import Catalogue
    from flip_sdk.project import Project
    from flip_sdk.testing.patients import Patients
    from flip_sdk.testing.shown import Series

__all__ = ["MadeUpSeries", "Pretrained", "images", "pretrain", "project", "synthetic"]


def project(
    trusts: Mapping[str, Patients] | Mapping[str, tuple[Any, Any]],
    catalogue: Catalogue | None = None,
    *,
    epsilon: float = 10.0,
    delta: float = 1e-5,
    bounds: Sequence[tuple[float, float]] | None = None,
    names: Sequence[str] | None = None,
    images: Mapping[str, Sequence[Series]] | None = None,
) -> Project:
    """A project over pretend Trusts.

    Args:
        trusts: by name, what :func:`synthetic` made, or public ``(rows, labels)``: persons × features, and 1 for
            whoever has the label. Their concepts are then called ``feature 1`` …, and ``label``.
        catalogue: whose concepts the made-up people have.
        epsilon: each pretend Trust's budget.
        delta: of that budget.
        bounds: of public rows' features; what the rows hold when left out, as they are public.
        names: of public rows' features.
        images: by Trust, a series for each person who has one, as :func:`images` makes them. People without one take
            no part in jobs with images.

    Raises:
        NotFoundError: rows and labels do not fit together.
    """
    from flip_sdk.simulate.running import pretend

    return pretend(trusts, catalogue, epsilon=epsilon, delta=delta, bounds=bounds, names=names, images=images)
