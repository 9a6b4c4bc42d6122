"""Images of made-up patients, as a played Trust shows them to a model: by the code that a real one runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from flip_sdk.contract.images import AnyImages, SeriesImages

if TYPE_CHECKING:
    from flip_sdk.mechanisms.snapshot import Images, Snapshot


class Series(Protocol):
    """One made-up person's series (``flip_sdk.simulate.MadeUpSeries`` is one)."""

    @property
    def person_id(self) -> int:
        """Whose it is."""
        ...

    @property
    def modality(self) -> str:
        """DICOM's code."""
        ...

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres between slices, rows and columns."""
        ...

    def volume(self) -> np.ndarray:
        """``[slices, rows, columns]`` in the modality's units."""
        ...


@dataclass
class Shelf:
    """A played Trust's series, and what was made of them already."""

    series: Sequence[Series] = ()
    _made: dict[tuple[str, int], Images] = field(default_factory=dict)

    def serves(self, asked: AnyImages) -> bool:
        """Whether such images can be played: series without dates, and without a body part or a plane told."""
        if not isinstance(asked, SeriesImages) or asked.window is not None or asked.which == "nearest":
            return False
        return any(one.modality == asked.modality for one in self.series)

    def beside(self, snapshot: Snapshot, asked: SeriesImages, person_ids: Sequence[int], most: int) -> Snapshot:
        """The rows of persons with a series, one for each image, ``most`` of a person."""
        from flip_sdk.mechanisms.snapshot import Snapshot

        known = {one.person_id: one for one in self.series if one.modality == asked.modality}
        places = [place for place, person in enumerate(person_ids) if int(person) in known]
        images = [self._images(asked, known[int(person_ids[place])])[:most] for place in places]
        counts = [len(each) for each in images]
        rows, owners = np.repeat(places, counts).astype(np.int64), np.repeat(np.arange(len(places)), counts)
        shown = np.concatenate(images) if images else np.empty((0, asked.values), np.float16)
        return Snapshot(snapshot.features[rows], snapshot.labels[rows], owners.astype(np.int64), shown)

    def _images(self, asked: SeriesImages, one: Series) -> Images:
        from flip_sdk.previewing import preview_series

        place = asked.digest(), one.person_id
        if place not in self._made:
            made = preview_series(asked, one.volume(), one.spacing)
            self._made[place] = made.reshape(len(made), -1).astype(np.float16)
        return self._made[place]
