"""A Trust's home with de-identified series of a phantom: a ball of known size and place, in Hounsfield units."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from flip_trust.deidentification import files
from flip_trust.deidentification.engine import Engine
from flip_trust.deidentification.keyed import Keyed
from flip_trust.imaging.cleaned import Place, profile_of
from flip_trust.imaging.files import keep
from flip_trust.imaging.index import Index
from flip_trust.imaging.spool import Spool
from flip_trust.ingest import links, store
from pydicom.dataset import Dataset

from tests.trust.imaging.senders import Study

AIR, BALL, INTERCEPT = -1000, 200, -1024


@dataclass(frozen=True)
class Ball:
    """Where and how large, in millimetres of DICOM's axes (left, back, up)."""

    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    radius: float = 20.0


@dataclass(frozen=True)
class Scan:
    """How a series looks at it. ``orientation``: along a row, along a column; slices go along the normal."""

    orientation: tuple[float, ...] = (1, 0, 0, 0, 1, 0)
    spacing: tuple[float, float] = (4.0, 4.0)
    gap: float = 5.0
    size: int = 24
    slices: int = 12

    def grid(self) -> np.ndarray:
        """``[slices, rows, columns, 3]``: the place of every element, the middle one at the origin."""
        row, column = np.array(self.orientation[:3], float), np.array(self.orientation[3:], float)
        steps = [np.arange(n) - (n - 1) / 2 for n in (self.slices, self.size, self.size)]
        along = np.cross(row, column) * self.gap, column * self.spacing[0], row * self.spacing[1]
        k, j, i = (step[:, None] * axis for step, axis in zip(steps, along, strict=True))
        return k[:, None, None] + j[None, :, None] + i[None, None, :]


class Hospital:
    """A home, and what is sent to it."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        (home / "trust.toml").write_text('name = "aldgate"\ntitle = "Aldgate"\n')
        self.home = home
        self.keyed = Keyed.load(home)

    def send(self, person: int, day: date, datasets: Sequence[Dataset]) -> None:
        """Instances of a person, into the raw store and the index."""
        number = f"NUMBER-{person}"
        links.add(self.home, [(links.NUMBER, links.key_of(self.keyed, number), person)])
        with Spool(self.home / "imaging", floor=0) as spool:
            for dataset in datasets:
                dataset.PatientID, dataset.StudyDate = number, f"{day:%Y%m%d}"
                stream = io.BytesIO()
                dataset.save_as(stream, enforce_file_format=True)
                keep(spool, [stream.getvalue()])
        Index(self.home).run()

    def clean(self) -> None:
        """De-identify what is not yet."""
        place = Place(self.home, profile_of(self.home))
        engine, quarantine = Engine(place.profile, self.keyed), self.home / "quarantine" / "deid"
        known = set(place.records.frame().collect()["file"])
        rows = []
        for source in sorted((self.home / "imaging" / "raw").rglob("*.dcm")):
            if source.name not in known:
                [outcome] = files.process(engine, [source], place.folder, quarantine)
                rows.append((source.name, outcome.path, place.profile.digest, outcome.reason))
        with store.writing(place.records.folder):
            place.records.add(pl.DataFrame(rows, schema=["file", "path", "profile", "reason"], orient="row"))


def series(ball: Ball = Ball(), scan: Scan = Scan(), *, study: Study | None = None, **others: object) -> list[Dataset]:
    """The ball as a CT series, its slices in an order that tells nothing."""
    study = study or Study()
    places = scan.grid()
    inside = ((places - np.array(ball.centre)) ** 2).sum(-1) <= ball.radius**2
    stored = np.where(inside, BALL - INTERCEPT, AIR - INTERCEPT).astype(np.uint16)
    made = [
        study.instance(
            Rows=scan.size, Columns=scan.size, PixelSpacing=list(scan.spacing), SliceThickness=scan.gap,
            ImageOrientationPatient=list(scan.orientation),
            ImagePositionPatient=[round(float(x), 4) for x in places[k, 0, 0]],
            RescaleSlope=1, RescaleIntercept=INTERCEPT, PixelData=stored[k].tobytes(), **others,
        )
        for k in range(scan.slices)
    ]  # fmt: skip
    return [made[at] for at in np.random.default_rng(5).permutation(len(made))]
