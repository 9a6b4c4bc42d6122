"""What the demo's Trusts measure: the 30 measurements of the Wisconsin data, their concepts and public bounds.

Street, Wolberg and Mangasarian (1993, SPIE 1905, 861-870) describe ten properties of the cell nuclei in a digitised
fine needle aspirate, and take the mean, the standard error and the mean of the three worst (largest) of each.

The bounds are what a data steward would declare without looking at the patients. They are round numbers that follow
from what is measured and from how that paper measures it:

- radius, in pixels of the paper's images: a nucleus is 5 to 30 wide, 40 for the worst;
- perimeter and area follow from the radius (2πr, πr²) with room for irregular outlines;
- texture is a standard deviation of grey values out of 256, so 5 to 40, 50 for the worst;
- smoothness, compactness, concavity, concave points, symmetry and fractal dimension are ratios near 0: their ranges are
  those of near-circular outlines with up to one deep notch;
- a standard error is a fraction of its measurement: about a tenth.

A value outside is clamped, which costs accuracy but never privacy.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST_MEASUREMENT = 2_000_000_001
MALIGNANT = 2_000_000_101
BENIGN = 2_000_000_102
FEMALE = 2_000_000_201
MEASUREMENT_TYPE = 2_000_000_301
CONDITION_TYPE = 2_000_000_302
OBSERVATION_TYPE = 2_000_000_303
NO_CONCEPT = 0
"""OMOP's own "No matching concept": the data says nothing of race or ethnicity."""


@dataclass(frozen=True)
class Measurement:
    """One measurement concept: its name, unit and public bounds."""

    concept_id: int
    name: str
    unit: str
    low: float
    high: float


_PROPERTIES: tuple[tuple[str, str, tuple[float, float], tuple[float, float], tuple[float, float]], ...] = (
    # property, unit, bounds of: mean, standard error, worst
    ("radius", "pixel", (5, 30), (0, 3), (5, 40)),
    ("texture", "grey level", (5, 40), (0, 5), (10, 50)),
    ("perimeter", "pixel", (30, 200), (0, 20), (30, 260)),
    ("area", "square pixel", (75, 2500), (0, 300), (75, 4500)),
    ("smoothness", "", (0.05, 0.17), (0, 0.03), (0.05, 0.25)),
    ("compactness", "", (0, 0.35), (0, 0.15), (0, 1.1)),
    ("concavity", "", (0, 0.45), (0, 0.4), (0, 1.3)),
    ("concave points", "", (0, 0.2), (0, 0.05), (0, 0.3)),
    ("symmetry", "", (0.1, 0.3), (0, 0.08), (0.15, 0.7)),
    ("fractal dimension", "", (0.05, 0.1), (0, 0.03), (0.05, 0.2)),
)
_STATISTICS = ("mean {}", "{} error", "worst {}")

MEASUREMENTS: tuple[Measurement, ...] = tuple(
    Measurement(
        concept_id=FIRST_MEASUREMENT + len(_PROPERTIES) * i + j,
        name=statistic.format(name),
        unit=unit,
        low=bounds[i][0],
        high=bounds[i][1],
    )
    for i, statistic in enumerate(_STATISTICS)
    for j, (name, unit, *bounds) in enumerate(_PROPERTIES)
)
"""In scikit-learn's order of features, under scikit-learn's names."""
