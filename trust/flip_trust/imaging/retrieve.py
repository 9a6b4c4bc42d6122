"""A PACS by DIMSE: C-FIND at the study's level, then C-MOVE to our own port, or C-GET (PS3.4 annex C)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, StoragePresentationContexts, build_role, evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association

from flip_trust.deidentification.pixels import hush
from flip_trust.errors import ImagingError
from flip_trust.imaging.pacs import DimsePacs, context
from flip_trust.imaging.part10 import file_start, is_uid
from flip_trust.imaging.pulling import Fetched, Pace, PacsAwayError, PacsRefusesError, Study
from flip_trust.imaging.spool import Spool, SpoolFullError, SpoolRefusedError

Find, Move, Get = (f"1.2.840.10008.5.1.4.1.2.2.{number}" for number in (1, 2, 3))
"""Study Root Query/Retrieve Information Models."""
_PENDING, _SUCCESS, _SOME_FAILED, _NO_DESTINATION, _NOT_AUTHORISED = {0xFF00, 0xFF01}, 0x0000, 0xB000, 0xA801, 0x0124
_OUT_OF_RESOURCES, _CANNOT_UNDERSTAND = 0xA700, 0xC000
_PERMANENT = 1
_MOST_CLASSES = 120


class DimseSource:
    """A PACS; each question and each study has an association of its own.

    Args:
        home: the Trust's home.
        pacs: its description.
        spool: where C-GET's instances go; those of C-MOVE go to whoever listens on our port.
        pace: how fast.
    """

    def __init__(self, home: Path, pacs: DimsePacs, spool: Spool, pace: Pace) -> None:
        hush()
        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)  # it quotes identifiers
        self._pacs, self._spool, self._pace = pacs, spool, pace
        secure = pacs.tls or pacs.authority or pacs.certificate
        self._tls = (context(home, pacs.authority, pacs.certificate, pacs.key), pacs.host) if secure else None

    def find(self, accession: str) -> list[Study]:
        """The studies with exactly this accession number."""
        wanted = Dataset()
        wanted.QueryRetrieveLevel, wanted.AccessionNumber = "STUDY", accession
        wanted.StudyInstanceUID, wanted.NumberOfStudyRelatedInstances = "", None
        found: dict[str, Study] = {}
        with self._associated(self._ae(Find)) as association:
            for status, answer in association.send_c_find(wanted, Find):
                code = _code(status)
                if code in _PENDING and answer is not None:
                    study = _study(answer, accession)
                    found |= {study.uid: study} if study else {}
                elif code != _SUCCESS:
                    raise PacsRefusesError(f"C-FIND status {code:04X}")
        return list(found.values())

    def fetch(self, study: Study) -> Fetched:
        """Fetch a study."""
        wanted = Dataset()
        wanted.QueryRetrieveLevel, wanted.StudyInstanceUID = "STUDY", study.uid
        if self._pacs.retrieve == "get":
            return self._got(wanted)
        with self._associated(self._ae(Move)) as association:
            fetched = self._followed(association.send_c_move(wanted, self._pacs.our_ae_title, Move), study)
        self._pace.take(fetched.completed)
        return fetched

    def _got(self, wanted: Dataset) -> Fetched:
        ae, classes = self._ae(Get), [str(each.abstract_syntax) for each in StoragePresentationContexts[:_MOST_CLASSES]]
        for each in classes:
            ae.add_requested_context(each, ALL_TRANSFER_SYNTAXES)
        roles = [build_role(each, scp_role=True) for each in classes]
        kept = _Kept(self._spool, self._pace)
        with self._associated(ae, roles, [(evt.EVT_C_STORE, kept.take)]) as association:
            fetched = self._followed(association.send_c_get(wanted, Get), None)
        return Fetched(len(kept.names), fetched.failed, fetched.why)

    def _followed(self, answers: Iterator[tuple[Dataset, Dataset | None]], study: Study | None) -> Fetched:
        completed = failed = 0
        for status, _ in answers:
            code = _code(status)
            completed = _number(status, "NumberOfCompletedSuboperations", completed)
            failed = _number(status, "NumberOfFailedSuboperations", failed)
            warned = _number(status, "NumberOfWarningSuboperations", 0)
            if code in _PENDING:
                continue
            if code == _NO_DESTINATION:
                raise ImagingError(
                    f"The PACS does not know {self._pacs.our_ae_title} as a destination.",
                    f"Ask its operators to register it with this machine's address and port {self._pacs.receive_port}.",
                )
            if code == _NOT_AUTHORISED:
                raise PacsRefusesError(f"status {code:04X}")
            if code == _SUCCESS and not completed + failed + warned and study:
                return Fetched(study.instances or 0)  # the counts are optional
            good = code == _SUCCESS or (code == _SOME_FAILED and not failed)
            return Fetched(
                completed + warned, failed if good or failed else 1, "" if good else self._why(code, completed)
            )
        raise PacsAwayError

    def _why(self, code: int, completed: int) -> str:
        unreached = self._pacs.retrieve == "move" and not completed
        port = self._pacs.receive_port
        return f"status {code:04X}" + (f": does it reach our port {port} as {self._pacs.our_ae_title}?" * unreached)

    def _ae(self, model: str) -> ApplicationEntity:
        ae = AE(ae_title=self._pacs.our_ae_title)
        ae.connection_timeout = ae.acse_timeout = 30
        ae.dimse_timeout = ae.network_timeout = self._pacs.patience
        ae.add_requested_context(model)
        return ae

    @contextmanager
    def _associated(
        self,
        ae: ApplicationEntity,
        roles: list[Any] | None = None,
        handlers: list[Any] | None = None,
    ) -> Iterator[Association]:
        pacs = self._pacs
        association = ae.associate(
            pacs.host,
            pacs.port,
            ae_title=pacs.ae_title,
            ext_neg=roles or [],
            tls_args=self._tls,
            evt_handlers=handlers or [],
        )
        if not association.is_established:
            raise self._not_associated(association)
        try:
            yield association
        except (ValueError, RuntimeError) as error:
            # no context for the question was accepted; or the association broke before it was asked
            if association.is_established:
                raise ImagingError(
                    "The PACS does not offer this service.", "Set retrieve, or ask its operators."
                ) from error
            raise PacsAwayError from error
        finally:
            if association.is_established:
                association.release()
            else:
                association.abort()

    def _not_associated(self, association: Association) -> Exception:
        answer = association.acceptor.primitive
        if association.is_rejected and answer is not None and answer.result == _PERMANENT:
            return ImagingError(
                f"The PACS refuses {self._pacs.our_ae_title}, or does not call itself {self._pacs.ae_title}.",
                "Compare the AE titles in pacs.toml with what its operators registered.",
            )
        return PacsAwayError()


class _Kept:
    """C-GET's instances, each on the disk before it is acknowledged."""

    def __init__(self, spool: Spool, pace: Pace) -> None:
        self._spool, self._pace = spool, pace
        self.names: set[str] = set()

    def take(self, event: evt.Event) -> int:
        request: Any = event.request
        sop_class, instance = str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID)
        if not (is_uid(sop_class) and is_uid(instance)):
            return _CANNOT_UNDERSTAND
        self._pace.take()
        try:
            incoming = self._spool.begin()
            incoming.write(file_start(sop_class, instance, str(event.context.transfer_syntax)))
            incoming.write(request.DataSet.getbuffer())
            self.names.add(incoming.commit(instance).name)
        except SpoolRefusedError:
            return _CANNOT_UNDERSTAND
        except (SpoolFullError, OSError):
            return _OUT_OF_RESOURCES
        return _SUCCESS


def _study(answer: Dataset, accession: str) -> Study | None:
    """A match; None where a PACS that does not know the question answers with whatever it has."""
    uid, number = str(answer.get("StudyInstanceUID", "")), str(answer.get("AccessionNumber", ""))
    if number.strip() != accession.strip() or not is_uid(uid):
        return None
    count = answer.get("NumberOfStudyRelatedInstances")
    return Study(uid, int(count) if count is not None and str(count).isdigit() else None)


def _code(status: Dataset) -> int:
    """A status.

    Raises:
        PacsAwayError: there is none, because the PACS fell silent or broke off.
    """
    if "Status" not in status:
        raise PacsAwayError
    return int(status.Status)


def _number(status: Dataset, name: str, before: int) -> int:
    value = status.get(name)
    return before if value is None else int(value)
