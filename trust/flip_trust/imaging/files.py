"""Instances that come as whole DICOM files, from a folder or over DICOMweb, into the raw store."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from flip_trust.errors import TrustError
from flip_trust.imaging.part10 import has_prefix, is_uid
from flip_trust.imaging.spool import Spool, Stored

_HEADER = ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID"]
_CHUNK = 1 << 20


class NotDicomError(TrustError):
    """A file that is not a DICOM instance.

    Attributes:
        reason: why, in fixed words without anything of the file's content.
        other_study: whether it is one, but of another study than was said.
    """

    def __init__(self, reason: str, *, other_study: bool = False) -> None:
        self.reason, self.other_study = reason, other_study
        super().__init__(reason)


@dataclass(frozen=True)
class Kept:
    """A file that is kept.

    Attributes:
        sop_class: its SOP Class UID.
        sop_instance: its SOP Instance UID.
        study: its Study Instance UID.
        stored: where.
    """

    sop_class: str
    sop_instance: str
    study: str
    stored: Stored


def keep(spool: Spool, content: Iterable[bytes], expected_study: str = "") -> Kept:
    """Keep a file that comes in pieces, byte for byte.

    Raises:
        NotDicomError: it is not one, or of another study than the expected; nothing is kept.
        SpoolFullError: there is no room.
        SpoolRefusedError: too many different instances claim its UID.
    """
    incoming = spool.begin()
    try:
        for piece in content:
            incoming.write(piece)
        if not has_prefix(incoming.start(132)):
            raise NotDicomError("no DICOM file (there is no DICM prefix)")
        sop_class, sop_instance, study = identity(incoming.path)
        if expected_study not in {"", study}:
            raise NotDicomError("an instance of another study", other_study=True)
        return Kept(sop_class, sop_instance, study, incoming.commit(sop_instance))
    finally:
        incoming.discard()


def keep_file(spool: Spool, path: Path) -> Kept:
    """Keep a file of a folder.

    Raises:
        OSError: it cannot be read.
        NotDicomError: see :func:`keep`.
        SpoolFullError: likewise.
        SpoolRefusedError: likewise.
    """
    with path.open("rb") as stream:
        return keep(spool, iter(lambda: stream.read(_CHUNK), b""))


def identity(path: Path) -> tuple[str, str, str]:
    """SOP Class, SOP Instance and Study Instance UID.

    Raises:
        NotDicomError: they cannot be read, or are none.
    """
    try:
        # a warning would quote the value
        with warnings.catch_warnings(action="ignore"):
            header = dcmread(path, specific_tags=_HEADER, stop_before_pixels=True)
            found = [str(header.get(name, "") or "").strip() for name in _HEADER]
    except InvalidDicomError as error:
        raise NotDicomError("no DICOM file") from error
    except OSError:
        raise
    except Exception as error:  # damaged files raise whatever their damage leads to
        raise NotDicomError(f"the header cannot be read ({type(error).__name__})") from error
    if not (is_uid(found[0]) and is_uid(found[1])):
        raise NotDicomError("no SOP Class or SOP Instance UID (a directory or a damaged file)")
    return found[0], found[1], found[2]
