"""Made-up people in the shape of a catalogue, and people out of public arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.notices import CatalogueConcept
from flip_sdk.contract.twins import Twin
from flip_sdk.errors import NotFoundError
from flip_sdk.testing.patients import Patients

if TYPE_CHECKING:
    from flip_sdk.catalogue import Catalogue, Concept

Array = npt.NDArray[np.float64]
_FIRST_FEATURE, _LABEL, _APART = 2_000_001_001, 2_000_001_999, 10_000_000
_MISSING, _FACTORS = 0.02, 3


def synthetic(
    catalogue: Catalogue, persons: Mapping[str, int] | int | None = None, *, share: float = 0.4, seed: int = 0
) -> dict[str, Patients]:
    """Made-up people for every Trust of a catalogue: its concepts and bounds, and nobody's data.

    Where a Trust published a synthetic twin, its people are made up from that: as many of each age, with values as
    common and as related as the twin's noise lets through, and conditions as frequent. The others are invented:

    Every condition has a severity of its own behind it, and every measurement follows some of them and some factors
    that say nothing, with noise: so that measurements go together as real ones do and do not tell everything.

    Args:
        catalogue: ``project.catalogue()``.
        persons: how many at each Trust; as many as the Trusts say they hold when left out.
        share: of the people, who have a condition.
        seed: the same seed makes the same people.
    """
    told = {row["trust"]: row["persons"] or 0 for row in catalogue.trusts.iter_rows(named=True)}
    counts = dict.fromkeys(told, persons) if isinstance(persons, int) else dict(persons or told)
    concepts = list(catalogue)
    shape, twins = shape_of(concepts, np.random.default_rng(seed)), catalogue.twins
    found = {}
    for number, (name, count) in enumerate(sorted(counts.items())):
        random = np.random.default_rng([seed, number])
        made = people_of(concepts, shape, count, share, number, random)
        found[name] = _after_twin(made, *twins[name], random) if name in twins else made
    return found


def _after_twin(people: Patients, twin: Twin, persons: int, random: np.random.Generator) -> Patients:
    """The same number of people, with what a twin tells; what it does not tell stays invented."""
    from flip_sdk.simulate.twins import made_up

    values, genders = made_up(twin, persons, len(people), random)
    measurements, conditions = dict(people.measurements), dict(people.conditions)
    ages, onset = people.ages, dict(people.onset_days)
    begun = np.floor(random.uniform(0, 200, len(people)))
    for place, column in enumerate(twin.columns):
        if column.concept_id is None:
            ages = np.floor(values[place]).astype(np.int64)
        elif column.kind == "condition":
            conditions[column.concept_id] = values[place] > 0
            onset[column.concept_id] = np.where(values[place] > 0, begun, np.nan)
        else:
            measurements[column.concept_id] = values[place]
    return replace(people, ages=ages, sexes=genders, measurements=measurements, conditions=conditions, onset_days=onset)


def concepts_of(catalogue: Catalogue) -> tuple[CatalogueConcept, ...]:
    """A catalogue's concepts as a pretend Trust publishes them."""
    fields = ("concept_id", "name", "domain", "unit", "low", "high")
    return tuple(CatalogueConcept(**{name: getattr(concept, name) for name in fields}) for concept in catalogue)


def from_arrays(
    trusts: Mapping[str, tuple[Any, Any]], bounds: Sequence[tuple[float, float]] | None, names: Sequence[str] | None
) -> tuple[dict[str, Patients], tuple[CatalogueConcept, ...]]:
    """People out of public rows and labels, and the concepts that they are told by.

    Raises:
        NotFoundError: there are none, or they do not fit together.
    """
    rows = {name: np.asarray(x, dtype=np.float64) for name, (x, _) in trusts.items()}
    widths = {x.shape[1] for x in rows.values() if x.ndim == 2}
    if len(widths) != 1 or any(x.ndim != 2 for x in rows.values()):
        raise NotFoundError("The Trusts' rows do not fit together.", "Give each Trust (rows × features, labels).")
    width = widths.pop()
    pooled = np.concatenate(list(rows.values()))
    limits = bounds or list(
        zip(_wider(np.nanmin(pooled, axis=0), -1), _wider(np.nanmax(pooled, axis=0), 1), strict=True)
    )
    titles = list(names or (f"feature {number}" for number in range(1, width + 1)))
    measured = tuple(
        CatalogueConcept(concept_id=_FIRST_FEATURE + i, name=titles[i], domain="Measurement", low=low, high=high)
        for i, (low, high) in enumerate(limits)
    )
    condition = CatalogueConcept(concept_id=_LABEL, name="label", domain="Condition")
    people = {
        name: _of_rows(rows[name], np.asarray(labels) > 0, measured, number)
        for number, (name, (_, labels)) in enumerate(trusts.items())
    }
    return people, (*measured, condition)


def shape_of(concepts: Sequence[Concept], random: np.random.Generator) -> dict[int, tuple[float, float, Array]]:
    """How each measurement follows severities and factors: its middle, its spread, its loads."""
    conditions = sum(concept.domain == "Condition" for concept in concepts)
    found = {}
    for concept in concepts:
        if concept.domain == "Measurement" and concept.low is not None and concept.high is not None:
            width = concept.high - concept.low
            loads = random.normal(0, 1, conditions + _FACTORS) * (random.random(conditions + _FACTORS) < 0.6)
            found[concept.concept_id] = (concept.low + random.uniform(0.2, 0.5) * width, 0.12 * width, loads)
    return found


def people_of(
    concepts: Sequence[Concept],
    shape: Mapping[int, tuple[float, float, Array]],
    count: int,
    share: float,
    number: int,
    random: np.random.Generator,
) -> Patients:
    """So many made-up persons of one Trust.

    Args:
        concepts: what the catalogue names.
        shape: by measurement, its middle, its spread and how strongly each hidden factor moves it.
        count: persons.
        share: of them, who has each condition.
        number: of the Trust: ids of its persons begin there.
        random: where chance comes from.
    """
    ids = {domain: [c.concept_id for c in concepts if c.domain == domain] for domain in ("Condition", "Gender")}
    bounds = {c.concept_id: (c.low, c.high) for c in concepts}
    sick = random.random((len(ids["Condition"]), count)) < share
    hidden = np.concatenate(
        [np.where(sick, 1.0, 0.0) + random.normal(0, 0.4, sick.shape), random.normal(size=(_FACTORS, count)) / 2]
    )
    measurements = {}
    for concept_id, (middle, spread, loads) in shape.items():
        values = middle + spread * (loads @ hidden + random.normal(0, 0.5, count))
        missing = random.random(count) < _MISSING
        measurements[concept_id] = np.where(missing, np.nan, np.clip(values, *bounds[concept_id]))
    onset = np.floor(random.uniform(0, 200, count))
    return Patients(
        person_ids=np.arange(count) + (number + 1) * _APART,
        ages=random.integers(18, 95, count),
        sexes=random.choice(ids["Gender"] or [0], count),
        measurements=measurements,
        conditions=dict(zip(ids["Condition"], sick, strict=True)),
        observed_days=np.floor(random.uniform(500, 3000, count)),
        onset_days={c: np.where(has, onset, np.nan) for c, has in zip(ids["Condition"], sick, strict=True)},
        death_days=np.floor(onset + random.exponential(4000, count)),
    )


def _of_rows(rows: Array, labels: npt.NDArray[np.bool_], measured: Sequence[CatalogueConcept], number: int) -> Patients:
    count = len(rows)
    if len(labels) != count:
        raise NotFoundError("A Trust has another number of labels than of rows.", "Give one label for each row.")
    return Patients(
        person_ids=np.arange(count) + (number + 1) * _APART,
        ages=np.full(count, 50),
        sexes=np.zeros(count, dtype=np.int64),
        measurements={concept.concept_id: rows[:, i] for i, concept in enumerate(measured)},
        conditions={_LABEL: labels},
        observed_days=np.full(count, 1000.0),
        onset_days={_LABEL: np.where(labels, 0.0, np.nan)},
        death_days=np.full(count, np.nan),
    )


def _wider(limits: Array, way: int) -> list[float]:
    """Bounds of public data, a little wider than the data, and never empty."""
    return [float(limit + way * (0.01 * abs(limit) + 1e-6)) for limit in limits]
