"""A played hub with the noise of real Trusts, behind an ordinary project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flip_sdk.client import connect
from flip_sdk.simulate.noise import LOUD
from flip_sdk.simulate.people import concepts_of, from_arrays
from flip_sdk.testing.hub import FakeHub
from flip_sdk.testing.patients import CONCEPTS, Patients
from flip_sdk.testing.shown import Series, Shelf
from flip_sdk.testing.trusts import FakeTrust

if TYPE_CHECKING:
    from flip_sdk.catalogue import Catalogue
    from flip_sdk.project import Project

NAME = "simulation"


def pretend(
    trusts: Mapping[str, Any],
    catalogue: Catalogue | None,
    *,
    epsilon: float,
    delta: float,
    bounds: Sequence[tuple[float, float]] | None,
    names: Sequence[str] | None,
    images: Mapping[str, Sequence[Series]] | None = None,
) -> Project:
    """See :func:`flip_sdk.simulate.project`."""
    people: Mapping[str, Patients]
    if all(isinstance(one, Patients) for one in trusts.values()):
        people, concepts = trusts, concepts_of(catalogue) if catalogue else CONCEPTS
    else:
        people, concepts = from_arrays(trusts, bounds, names)
    most = max(10.0, epsilon)
    played = [
        FakeTrust(
            name,
            one,
            concepts=concepts,
            epsilon=epsilon,
            delta=delta,
            max_epsilon_per_job=most,
            total_epsilon=10 * most,
            shelf=Shelf((images or {}).get(name, ())),
        )
        for name, one in people.items()
    ]
    hub = FakeHub(played, project_id=NAME, noise=LOUD)
    summary = f"A simulation over {len(played)} pretend Trusts. Nobody's data is in it."
    told = {"title": "Simulation", "lay_summary": summary, "public_benefit": "A job is right before a budget is spent."}
    hub.view = hub.view.model_copy(update={"application": hub.view.application.model_copy(update=told)})
    return connect(hub.api, hub.token, transport=hub.transport).project(NAME)
