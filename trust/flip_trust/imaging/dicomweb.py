"""A PACS by DICOMweb: QIDO-RS, then WADO-RS as multipart (PS3.18 sections 10.6 and 10.4), in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import Any

import httpx

from flip_trust.errors import ImagingError
from flip_trust.imaging.files import NotDicomError, keep
from flip_trust.imaging.multipart import BadBodyError, Parts, boundary_of
from flip_trust.imaging.pacs import WebPacs, context, secret
from flip_trust.imaging.part10 import is_uid
from flip_trust.imaging.pulling import Fetched, Pace, PacsAwayError, PacsRefusesError, Study
from flip_trust.imaging.spool import Spool, SpoolRefusedError, name_of

_JSON = {"Accept": "application/dicom+json"}
_FILES = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
_STUDY, _SERIES, _INSTANCE, _ACCESSION, _COUNT = "0020000D", "0020000E", "00080018", "00080050", "00201208"
_OVERLOADED = {429, 500, 502, 503, 504}
_PAGE = 1000


class WebSource:
    """A PACS.

    Args:
        home: the Trust's home.
        pacs: its description.
        spool: where instances go.
        pace: how fast.

    Raises:
        ImagingError: the secret or the authority cannot be read.
    """

    def __init__(self, home: Path, pacs: WebPacs, spool: Spool, pace: Pace) -> None:
        self._url, self._spool, self._pace = pacs.url.rstrip("/"), spool, pace
        said = secret(home, pacs)
        bearer = said.lower().startswith("bearer ")
        name, _, password = said.partition(":")
        self._client = httpx.Client(
            headers={"Authorization": said} if bearer else {},
            auth=httpx.BasicAuth(name, password) if said and not bearer else None,
            verify=context(home, pacs.authority) if pacs.url.startswith("https") else True,
            timeout=httpx.Timeout(pacs.patience, connect=30),
            trust_env=False,
        )

    def find(self, accession: str) -> list[Study]:
        """The studies with exactly this accession number."""
        asked = {"AccessionNumber": accession, "includefield": _COUNT}
        found: dict[str, Study] = {}
        for answer in self._asked("studies", asked):
            uid, count = _value(answer, _STUDY), _value(answer, _COUNT)
            if _value(answer, _ACCESSION) == accession and is_uid(uid):
                found[uid] = Study(uid, int(count) if count.isdigit() else None)
        return list(found.values())

    def fetch(self, study: Study) -> Fetched:
        """Fetch what is not held of a study yet: whole where that is everything, else instance by instance."""
        known = self._instances(study)
        missing = [(series, uid) for series, uid in known if not self._holds(uid)]
        if known and not missing:
            return Fetched(len(known))
        here = f"studies/{study.uid}"
        whole = len(missing) == len(known)
        paths = [here] if whole else [f"{here}/series/{series}/instances/{uid}" for series, uid in missing]
        came: set[str] = set()
        failed = 0
        for path in paths:
            failed += self._got(path, study, came)
        held = sum(self._holds(uid) for _, uid in known)
        return Fetched(max(held, len(came)), failed)

    def _instances(self, study: Study) -> list[tuple[str, str]]:
        """Series and instances of a study; none where the PACS does not tell."""
        found: dict[str, str] = {}
        while True:
            asked = {"limit": str(_PAGE), "offset": str(len(found)), "includefield": _SERIES}
            before = len(found)
            try:
                answers = self._asked(f"studies/{study.uid}/instances", asked)
            except PacsRefusesError:
                return []
            pairs = ((_value(one, _INSTANCE), _value(one, _SERIES)) for one in answers)
            found |= {uid: series for uid, series in pairs if is_uid(uid) and is_uid(series)}
            if len(found) - before < _PAGE:
                return [(series, uid) for uid, series in found.items()]

    def _holds(self, uid: str) -> bool:
        name = name_of(uid)
        return (self._spool.raw / name[:2] / f"{name}.dcm").exists()

    def _asked(self, path: str, asked: dict[str, str]) -> list[dict[str, Any]]:
        with self._response(path, _JSON, asked) as response:
            if response.status_code == 204:
                return []
            try:
                response.read()
                answers = response.json()
            except ValueError as error:
                raise PacsRefusesError("its answer is no DICOM JSON") from error
            return answers if isinstance(answers, list) else []

    def _got(self, path: str, study: Study, came: set[str]) -> int:
        """Keep every instance of an answer; how many could not be kept."""
        failed = 0
        with self._response(path, _FILES) as response:
            headers = Message()
            headers["Content-Type"] = response.headers.get("Content-Type", "")
            boundary = boundary_of(headers)
            if boundary is None:
                raise PacsRefusesError("its answer is no multipart of DICOM files")
            pieces = response.iter_bytes(1 << 18)
            parts = Parts(lambda _: next(pieces, b""), boundary)
            for _ in parts:
                self._pace.take()
                try:
                    came.add(keep(self._spool, parts.content(), study.uid).sop_instance)
                except (NotDicomError, SpoolRefusedError):
                    failed += 1
        return failed

    @contextmanager
    def _response(
        self, path: str, headers: dict[str, str], asked: dict[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        try:
            with self._client.stream("GET", f"{self._url}/{path}", headers=headers, params=asked) as response:
                _check(response.status_code)
                yield response
        except (httpx.TransportError, BadBodyError) as error:
            raise PacsAwayError from error


def _check(status: int) -> None:
    if status in {401, 403}:
        raise ImagingError("The PACS does not take our credentials.", "Correct the file that secret_file names.")
    if status in _OVERLOADED:
        raise PacsAwayError
    if status >= 300:
        raise PacsRefusesError(f"HTTP status {status}")


def _value(answer: Any, tag: str) -> str:
    """The first value of an attribute in DICOM JSON (PS3.18 annex F); empty where there is none."""
    values = answer.get(tag, {}).get("Value") if isinstance(answer, dict) else None
    return str(values[0]).strip() if values else ""
