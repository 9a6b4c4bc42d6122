"""Images for made-up people: phantoms of the geometry that a Trust's twin tells of. Nobody's image goes into them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.twins import GRIDS, IMAGING, Twin, TwinImages
from flip_sdk.errors import NotFoundError
from flip_sdk.simulate.phantoms import Hounsfield, Scanner, chest, scan

if TYPE_CHECKING:
    from flip_sdk.catalogue import Catalogue
    from flip_sdk.testing.patients import Patients

Array = npt.NDArray[np.float64]
_USUAL = Scanner()
_WIDEST = 700.0
_SURE = 4.0
"""A cell counts by as much as it is beyond so many standard deviations of the noise: there are hundreds."""


@dataclass(frozen=True)
class MadeUpSeries:
    """One made-up person's series.

    Attributes:
        person_id: of the made-up person.
        modality: what the geometry is of. The picture is a CT-like chest, whatever the modality.
        scanner: slices, rows, columns, spacing and thickness.
        ill: whether there is a mass in a lung.
        seed: the same one makes the same images.
    """

    person_id: int
    modality: str
    scanner: Scanner
    ill: bool
    seed: tuple[int, ...]

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres between slices, rows and columns."""
        return self.scanner.thickness, self.scanner.step, self.scanner.step

    def volume(self) -> Hounsfield:
        """``[slices, rows, columns]`` in Hounsfield units; made anew by each call, as it may be large."""
        random = np.random.default_rng(self.seed)
        return scan(chest(random, lesion=self.ill), self.scanner, random)


def images(
    catalogue: Catalogue,
    people: Mapping[str, Patients],
    *,
    lesion: str | int | None = None,
    modality: str = "CT",
    seed: int = 0,
) -> dict[str, list[MadeUpSeries]]:
    """A series for each made-up person: phantoms, of the geometry that each Trust's twin tells of.

    Rows, columns, spacing, slices and gap are drawn independently of each other, as they are told; columns follow rows
    where that is as likely. A Trust without a twin, or one that does not tell of images, has 8 slices of 128 x 128.

    Args:
        catalogue: ``project.catalogue()``.
        people: what :func:`flip_sdk.simulate.synthetic` made.
        lesion: the condition whose carriers have a mass in a lung; half of the people where left out.
        modality: whose geometry.
        seed: the same seed makes the same images.

    Raises:
        NotFoundError: the catalogue has no such condition, or twins do not tell of such a modality.
    """
    if modality not in IMAGING:
        raise NotFoundError(f"Twins do not tell of {modality!r}.", f"Choose one of {', '.join(IMAGING)}.")
    concept = catalogue.condition(lesion).concept_id if lesion is not None else None
    found = {}
    for number, (name, patients) in enumerate(sorted(people.items())):
        random = np.random.default_rng([seed, number])
        twin = catalogue.twins[name][0] if name in catalogue.twins else None
        half = random.random(len(patients)) < 0.5
        ill = patients.conditions.get(concept, np.zeros(len(patients), dtype=bool)) if concept is not None else half
        scanners = scanners_of(twin, modality, len(patients), random)
        found[name] = [
            MadeUpSeries(int(person_id), modality, scanner, bool(has), (seed, number, place))
            for place, (person_id, scanner, has) in enumerate(zip(patients.person_ids, scanners, ill, strict=True))
        ]
    return found


def scanners_of(twin: Twin | None, modality: str, count: int, random: np.random.Generator) -> Iterator[Scanner]:
    """So many geometries as a twin tells of; the usual one where it tells nothing.

    Args:
        twin: what a Trust published, if anything.
        modality: one of :data:`IMAGING`.
        count: how many.
        random: where chance comes from.
    """
    shares: dict[str, Array] = {part.told: _shares(part, modality) for part in twin.images} if twin else {}
    drawn = {told: random.random(count) for told in GRIDS}
    # columns are drawn at the quantile of rows: most pictures are square
    drawn["columns"] = drawn["rows"]
    usual = {"rows": _USUAL.rows, "columns": _USUAL.columns, "spacing": np.nan}
    usual |= {"slices": _USUAL.slices, "gap": _USUAL.thickness}
    values = {told: _values(told, shares.get(told), drawn[told], usual[told]) for told in GRIDS}
    for place in range(count):
        own = {told: float(values[told][place]) for told in GRIDS}
        rows, columns = int(own["rows"]), int(own["columns"])
        # a chest is to be seen whole: a picture that is wider than any scanner's is drawn as narrow as one
        widest = _WIDEST / max(rows, columns)
        spacing = min(own["spacing"], widest) if np.isfinite(own["spacing"]) else None
        yield Scanner(int(own["slices"]), rows, columns, spacing, own["gap"])


def _shares(part: TwinImages, modality: str) -> Array:
    """Of the persons with this value known, the share at each value; zeros where noise left nobody."""
    grid = len(GRIDS[part.told])
    start = IMAGING.index(modality) * (grid + 1)
    cells = np.array(part.cells[start : start + grid], dtype=np.float64)
    return np.maximum(cells - _doubt(part), 0.0)


def _doubt(part: TwinImages) -> float:
    """What noise alone makes of empty cells: most cells are empty, and about half of those are below zero."""
    cells = np.array(part.cells, dtype=np.float64)
    below = cells[cells < 0]
    return _SURE * float(np.sqrt(np.square(below).mean())) if len(below) else 0.0


def _values(told: str, shares: Array | None, uniform: Array, usual: float) -> Array:
    grid = np.array(GRIDS[told], dtype=np.float64)
    if shares is None or shares.sum() <= 0:
        return np.full(len(uniform), usual)
    ends = np.cumsum(shares) / shares.sum()
    found: Array = grid[np.minimum(np.searchsorted(ends, uniform, side="right"), len(grid) - 1)]
    return found
