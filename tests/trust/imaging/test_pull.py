"""Fetching from a real PACS, Debian's Orthanc, by C-MOVE, C-GET and DICOMweb; and what happens when it will not."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from flip_trust.errors import ImagingError
from flip_trust.imaging import pulling
from flip_trust.imaging.dicomweb import WebSource
from flip_trust.imaging.negotiation import Rules
from flip_trust.imaging.pacs import DimsePacs, WebPacs
from flip_trust.imaging.pulling import Journal, Outcome, Pace, Puller
from flip_trust.imaging.receiver import Receiver
from flip_trust.imaging.retrieve import DimseSource, Find, Move
from flip_trust.imaging.spool import Spool
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from tests.trust.imaging import orthanc
from tests.trust.imaging.orthanc import NAME, PASSWORD, Orthanc
from tests.trust.imaging.senders import Study
from tests.trust.world import wait_until

pytestmark = pytest.mark.processes
WAYS = ("move", "get", "web")
MANY = 150


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A PACS with two studies of one accession number, and one of another."""
    folder = tmp_path_factory.mktemp("pacs")
    with orthanc.running(folder / "orthanc") as pacs:
        studies = [Study(accession="A1"), Study(accession="A1"), Study(accession="A2", patient_id="other")]
        pacs.take(folder / "out", *([study.instance() for _ in range(3)] for study in studies))
        yield pacs


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(pulling, "PAUSES", (0.05, 0.05))


@pytest.fixture
def at(tmp_path):
    """What a Trust pulls with, in a home of its own: a function of the PACS and the way."""
    opened: list[Spool | Receiver] = []

    def puller(pacs: Orthanc, way: str, *, floor: int = 0, rate: float = 0.0, again: bool = False, **others) -> Puller:
        home = tmp_path / way
        home.mkdir(exist_ok=True)
        spool = Spool(home / "imaging", floor)
        opened.append(spool)
        return Puller(source(home, pacs, way, spool, Pace(rate), **others), spool, Journal(home), again)

    def source(home, pacs, way, spool, pace, **others):
        if way == "web":
            return WebSource(home, web(home, pacs, **others), spool, pace)
        dimse = {"our_ae_title": "FLIP", "ae_title": "PACS", **others}
        described = DimsePacs(protocol="dimse", host="127.0.0.1", port=pacs.port, retrieve=way, patience=30, **dimse)
        if way == "move":
            rules = Rules(described.our_ae_title, frozenset({"PACS"}))
            opened.append(Receiver(spool, rules, "127.0.0.1", pacs.flip_port))
        return DimseSource(home, described, spool, pace)

    yield puller
    for each in reversed(opened):
        each.close()


def web(home: Path, pacs: Orthanc, secret: str = f"{NAME}:{PASSWORD}") -> WebPacs:
    (home / "secret").write_text(secret)
    (home / "secret").chmod(0o600)
    return WebPacs(protocol="dicomweb", url=pacs.url, secret_file="secret", patience=30)


def outcomes(puller: Puller, *accessions: str, associations: int = 1):
    return {one.accession: one.outcome for one in puller.pull(accessions, associations)}


@pytest.mark.parametrize("way", WAYS)
def test_what_is_asked_for_comes_once_and_whole(filled, at, way):
    puller = at(filled, way)
    done = {one.accession: one for one in puller.pull(["A1", "A2", "none", "A*", "A1"], 2)}

    assert {name: one.outcome for name, one in done.items()} == {
        "A1": Outcome.PULLED, "A2": Outcome.PULLED, "none": Outcome.NOT_FOUND, "A*": Outcome.NO_NUMBER,
    }  # fmt: skip
    assert (done["A1"].expected, done["A1"].came) == (6, 6)
    names = list(puller.spool.names())
    assert len(names) == 9
    kept = [pydicom.dcmread(puller.spool.raw / name) for name in names]
    assert {str(one.AccessionNumber) for one in kept} == {"A1", "A2"}
    assert all(len(one.PixelData) == 512 for one in kept)
    again = Puller(puller.source, puller.spool, Journal(puller.spool.raw.parents[1]))
    assert set(outcomes(again, "A1", "A2").values()) == {Outcome.HELD}


@pytest.mark.parametrize("way", WAYS)
def test_instances_that_were_added_since_are_fetched(filled, at, way, tmp_path):
    study = Study(accession=f"GROWS-{way}")
    filled.take(tmp_path / "first", [study.instance() for _ in range(2)])
    puller = at(filled, way)
    assert outcomes(puller, study.accession) == {study.accession: Outcome.PULLED}
    filled.take(tmp_path / "second", [study.instance()])
    [later] = puller.pull([study.accession])

    assert (later.outcome, later.came) == (Outcome.PULLED, 3)
    assert len(list(puller.spool.names())) == 3


@pytest.mark.parametrize("way", ["move", "web", pytest.param("get", marks=pytest.mark.slow)])
def test_a_pacs_that_dies_on_the_way_is_told_and_the_rest_comes_later(at, way, tmp_path):
    with orthanc.running(tmp_path / "orthanc") as pacs:
        large = Study(accession="LARGE", size=256 if way == "web" else 64)
        pacs.take(tmp_path / "large", [large.instance() for _ in range(MANY)])
        puller = at(pacs, way, rate=0 if way == "move" else 100)
        told: list[object] = []

        def pull() -> None:
            try:
                told.extend(puller.pull(["LARGE"]))
            except ImagingError as error:
                told.append(error)

        thread = threading.Thread(target=pull)
        thread.start()
        wait_until(lambda: sum(1 for _ in puller.spool.names()) >= 5)
        pacs.kill()
        thread.join()
        before = len(list(puller.spool.names()))

        assert before < MANY
        assert isinstance(told[0], ImagingError) or told[0].outcome is Outcome.INCOMPLETE
        with pytest.raises(ImagingError):
            list(puller.pull(["LARGE"]))
        pacs.start()
        assert outcomes(puller, "LARGE") == {"LARGE": Outcome.PULLED}
        assert len(list(puller.spool.names())) == MANY


@pytest.mark.parametrize("way", WAYS)
def test_a_nearly_full_disk_stops_it_before_anything_is_asked_for(filled, at, way):
    puller = at(filled, way, floor=1 << 60)

    with pytest.raises(ImagingError):
        list(puller.pull(["A1"]))
    assert list(puller.spool.names()) == []


@pytest.mark.parametrize("way", WAYS)
def test_a_disk_that_runs_full_on_the_way_stops_it_and_is_said(filled, at, way, monkeypatch):
    puller = at(filled, way)
    room = iter([True, True, True])
    monkeypatch.setattr(puller.spool, "has_room", lambda more=0: next(room, False))

    with pytest.raises(ImagingError):
        list(puller.pull(["A1"]))
    assert not (puller.spool.raw.parent / "pulled.jsonl").exists()


@pytest.mark.parametrize("titles", [{"our_ae_title": "STRANGER"}, {"ae_title": "ANOTHER"}])
@pytest.mark.parametrize("way", ["move", "get"])
def test_a_pacs_that_does_not_know_us_is_said_at_once(filled, at, way, titles):
    with pytest.raises(ImagingError):
        list(at(filled, way, **titles).pull(["A1", "A2"]))


def test_a_pacs_that_cannot_reach_us_is_told_by_its_status(filled, at):
    puller = at(filled, "get")
    puller.source._pacs = puller.source._pacs.model_copy(update={"retrieve": "move"})
    [one] = puller.pull(["A2"])

    assert (one.outcome, one.came) == (Outcome.INCOMPLETE, 0)
    assert "C000" in one.why


@pytest.fixture
def odd(filled):
    """A PACS that answers every question with all it has, does not count, and knows no destination."""

    def find(event):
        for number in ("A1", "A9"):
            answer = Dataset()
            answer.QueryRetrieveLevel, answer.StudyInstanceUID, answer.AccessionNumber = "STUDY", "1.2.3", number
            yield 0xFF00, answer

    ae = AE("PACS")
    for model in (Find, Move):
        ae.add_supported_context(model)
    handlers = [(evt.EVT_C_FIND, find), (evt.EVT_C_MOVE, lambda _: iter([(None, None)]))]
    listening = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    yield replace(filled, port=listening.socket.getsockname()[1])
    listening.shutdown()


def test_a_destination_that_the_pacs_does_not_know_ends_the_run(odd, at):
    with pytest.raises(ImagingError):
        list(at(odd, "move").pull(["A1"]))


def test_only_answers_to_what_was_asked_count(odd, at):
    assert outcomes(at(odd, "move"), "A2") == {"A2": Outcome.NOT_FOUND}
    assert at(odd, "get").source.find("A1") == [pulling.Study("1.2.3", None)]


@pytest.mark.parametrize("secret", ["reader:wrong", "Bearer wrong"])
def test_credentials_that_the_pacs_does_not_take_are_said(filled, at, secret):
    with pytest.raises(ImagingError):
        list(at(filled, "web", secret=secret).pull(["A1"]))


def test_nobody_there_is_said(at, tmp_path):
    nobody = Orthanc(tmp_path)
    for way in WAYS:
        with pytest.raises(ImagingError):
            list(at(nobody, way).pull(["A1"]))


def test_only_what_is_missing_of_a_study_is_fetched_over_the_web(filled, at, monkeypatch):
    puller = at(filled, "web")
    outcomes(puller, "A2")
    [lost] = list(puller.spool.names())[:1]
    (puller.spool.raw / lost).unlink()
    asked: list[str] = []
    real = WebSource._got
    monkeypatch.setattr(WebSource, "_got", lambda self, path, *rest: asked.append(path) or real(self, path, *rest))
    again = Puller(puller.source, puller.spool, puller.journal, again=True)

    assert outcomes(again, "A2") == {"A2": Outcome.PULLED}
    assert len(asked) == 1
    assert "/instances/" in asked[0]
    assert (puller.spool.raw / lost).exists()
