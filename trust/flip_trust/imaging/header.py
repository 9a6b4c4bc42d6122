"""What the index keeps of an instance: read from its header alone, never its pixels, names or free text."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.sequence import Sequence as Items

from flip_trust.deidentification.keyed import Keyed
from flip_trust.imaging.files import NotDicomError
from flip_trust.imaging.spool import is_conflict, name_of

_TAGS = [
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PatientID", "StudyDate", "SeriesDate",
    "Modality", "BodyPartExamined", "Rows", "Columns", "NumberOfFrames", "PixelSpacing", "ImagerPixelSpacing",
    "SliceThickness", "ImageOrientationPatient", "ImagePositionPatient", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]  # fmt: skip
_CODE = re.compile(r"[A-Z0-9_ ]{1,16}")


@dataclass(frozen=True)
class Header:
    """One instance. UIDs are the keyed ones, as its de-identified copy has them; lengths are in mm.

    Attributes:
        file: its name in the raw store.
        person_id: of the OMOP tables.
        image_occurrence_id: of its series.
        study_uid: keyed; so are ``series_uid`` and ``instance_uid``.
        day: of the series, else of the study.
        positions: of its frames along the normal of the image plane.
        conflict: whether a different instance came first under its SOP Instance UID.
    """

    file: str
    person_id: int
    image_occurrence_id: int
    study_uid: str
    series_uid: str
    instance_uid: str
    day: date | None
    modality: str
    body_part: str
    sop_class: str
    transfer_syntax: str
    rows: int | None
    columns: int | None
    frames: int
    spacing_row: float | None
    spacing_column: float | None
    thickness: float | None
    orientation: list[float] | None
    positions: list[float]
    conflict: bool


class Reader:
    """Reads headers for one Trust.

    Args:
        keyed: the Trust's pseudonyms.
        known: linked numbers' keys with their ``person_id``.
    """

    def __init__(self, keyed: Keyed, known: dict[int, int]) -> None:
        self._keyed, self._known = keyed, known

    def read(self, path: Path) -> Header:
        """The header of a file of the raw store.

        Raises:
            NotDicomError: it cannot be read, or lacks what an index entry needs.
            OSError: the disk does not give it.
        """
        try:
            # a warning would quote the value
            with warnings.catch_warnings(action="ignore"):
                return self._header(dcmread(path, specific_tags=_TAGS, stop_before_pixels=True), path)
        except (NotDicomError, OSError):
            raise
        except InvalidDicomError as error:
            raise NotDicomError("no DICOM file") from error
        except Exception as error:  # damaged files raise whatever their damage leads to
            raise NotDicomError(f"the header cannot be read ({type(error).__name__})") from error

    def _header(self, dataset: Dataset, path: Path) -> Header:
        from flip_trust.ingest.links import person_of

        patient, instance, study, series = (
            _needed(dataset, name) for name in ("PatientID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
        )
        if path.name.partition("-")[0].removesuffix(".dcm") != name_of(instance):
            raise NotDicomError("its SOP Instance UID is not the one that it was sent under")
        plane = _Plane(dataset)
        keyed = self._keyed
        return Header(
            file=path.name,
            person_id=person_of(keyed, patient, self._known),
            image_occurrence_id=keyed.number("image", series),
            study_uid=keyed.uid(study),
            series_uid=keyed.uid(series),
            instance_uid=keyed.uid(instance),
            day=_day(dataset.get("SeriesDate")) or _day(dataset.get("StudyDate")),
            modality=_code(dataset.get("Modality")),
            body_part=_code(dataset.get("BodyPartExamined")),
            sop_class=str(dataset.get("SOPClassUID", "")),
            transfer_syntax=str(dataset.file_meta.get("TransferSyntaxUID", "")),
            rows=_whole(dataset.get("Rows")),
            columns=_whole(dataset.get("Columns")),
            frames=_whole(dataset.get("NumberOfFrames")) or 1,
            spacing_row=plane.spacing[0] if plane.spacing else None,
            spacing_column=plane.spacing[1] if plane.spacing else None,
            thickness=plane.thickness,
            orientation=plane.orientation,
            positions=plane.positions,
            conflict=is_conflict(path.name),
        )


class _Plane:
    """Where an image's frames lie (PS3.3 C.7.6.2), told once, or per frame in enhanced instances (C.7.6.16.2)."""

    def __init__(self, dataset: Dataset) -> None:
        shared = _item(dataset, "SharedFunctionalGroupsSequence")
        frames: Sequence[Dataset] = dataset.get("PerFrameFunctionalGroupsSequence") or []
        first = frames[0] if frames else Dataset()
        measures = [_item(group, "PixelMeasuresSequence") for group in (shared, first)]
        planes = [_item(group, "PlaneOrientationSequence") for group in (shared, first)]
        self.spacing = _numbers([dataset, *measures], "PixelSpacing", 2) or _numbers([dataset], "ImagerPixelSpacing", 2)
        thickness = _numbers([dataset, *measures], "SliceThickness", 1)
        self.thickness = thickness[0] if thickness else None
        self.orientation = _numbers([dataset, *planes], "ImageOrientationPatient", 6)
        places = [dataset, *(_item(frame, "PlanePositionSequence") for frame in frames)]
        found = (_numbers([place], "ImagePositionPatient", 3) for place in places)
        self.positions = [_along(self.orientation, place) for place in found if place] if self.orientation else []


def _item(dataset: Dataset, name: str) -> Dataset:
    items = dataset.get(name)
    return items[0] if isinstance(items, Items) and items else Dataset()


def _numbers(places: Sequence[Dataset], name: str, count: int) -> list[float] | None:
    for place in places:
        value = place.get(name)
        if value is None or value == "":
            continue
        found = [float(one) for one in ([value] if count == 1 else value)]
        if len(found) == count:
            return found
    return None


def _along(orientation: list[float], position: list[float]) -> float:
    (a, b, c), (d, e, f), (x, y, z) = orientation[:3], orientation[3:], position
    return round((b * f - c * e) * x + (c * d - a * f) * y + (a * e - b * d) * z, 3)


def _needed(dataset: Dataset, name: str) -> str:
    value = str(dataset.get(name) or "").strip()
    if not value:
        raise NotDicomError(f"no {name}")
    return value


def _day(value: Any) -> date | None:
    try:
        return datetime.strptime(str(value or "").replace(".", "")[:8], "%Y%m%d").date()  # noqa: DTZ007 (a day has no zone)
    except ValueError:
        return None


def _whole(value: Any) -> int | None:
    return None if value in {None, ""} else int(value)


def _code(value: Any) -> str:
    """A coded word; anything else might be free text, and is left out."""
    text = str(value or "").strip().upper()
    return text if _CODE.fullmatch(text) else ""
