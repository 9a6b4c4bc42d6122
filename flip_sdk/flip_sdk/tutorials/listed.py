"""The tutorials: what each is about, how long it takes, what it costs and what it needs."""

from __future__ import annotations

from dataclasses import dataclass

from flip_sdk.contract.jobs import JobKind


@dataclass(frozen=True)
class Tutorial:
    """One notebook of ``notebooks/tutorials``.

    Attributes:
        number: with which its name begins.
        file: its name, without ``.ipynb``.
        title: as its heading says.
        minutes: to read and run it.
        epsilon: what all of its jobs ask for together, at each Trust.
        largest: what its most expensive job asks for.
        kinds: of jobs.
        trusts: fewest that have to take part.
        images: whether the project has to be about images.
    """

    number: int
    file: str
    title: str
    minutes: int
    epsilon: float
    largest: float
    kinds: tuple[JobKind, ...]
    trusts: int = 1
    images: bool = False


_MODEL: tuple[JobKind, ...] = ("train", "evaluate")
TUTORIALS = (
    Tutorial(1, "01_first_federated_model", "Your first federated model", 10, 5.5, 3.0, ("count", *_MODEL)),
    Tutorial(2, "02_cohorts_and_the_catalogue", "Cohorts and the catalogue", 10, 2.0, 1.0, ("count", "statistics")),
    Tutorial(3, "03_what_epsilon_means", "What ε means", 15, 0.49, 0.25, ("count",)),
    Tutorial(4, "04_medical_images", "A network for images", 15, 5.0, 3.0, _MODEL, trusts=3, images=True),
    Tutorial(5, "05_statistics_and_survival", "Statistics and survival", 10, 2.5, 1.0, ("statistics",)),
    Tutorial(6, "06_your_own_network", "Bring your own network", 15, 2.0, 1.0, _MODEL, trusts=3),
    Tutorial(7, "07_from_model_to_release", "From a model to a dashboard to a release", 15, 2.0, 1.0,
             _MODEL, trusts=3),
    Tutorial(8, "08_more_from_less", "More from less", 10, 3.0, 1.0, ("statistics", *_MODEL), trusts=3),
)  # fmt: skip
