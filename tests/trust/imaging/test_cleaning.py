"""De-identifying what was received: all of it, once, under the current profile, whatever happens on the way."""

from __future__ import annotations

import io
import json
import stat
import threading

import pydicom
import pytest
from flip_trust.deidentification.keyed import Keyed
from flip_trust.deidentification.refusals import Reason
from flip_trust.errors import ImagingError, SetupError
from flip_trust.imaging import cleaning as module
from flip_trust.imaging.cleaned import cleaned
from flip_trust.imaging.cleaning import QUARANTINE, Cleaning
from flip_trust.imaging.files import keep
from flip_trust.imaging.index import Index
from flip_trust.imaging.spool import name_of
from flip_trust.scaleout import HERE, LOCAL


@pytest.fixture
def home(tmp_path):
    (tmp_path / "trust.toml").write_text('name = "aldgate"\ntitle = "Aldgate"\n')
    return tmp_path


def put(home, spool, *datasets):
    for dataset in datasets:
        stream = io.BytesIO()
        dataset.save_as(stream, enforce_file_format=True)
        keep(spool, [stream.getvalue()])
    Index(home).run()


def printed(home):
    return {path.name for path in (home / "quarantine" / QUARANTINE).glob("*")}


def burned(study):
    return study.instance(BurnedInAnnotation="YES")


def test_what_is_indexed_is_de_identified_and_told(home, spool, study):
    put(home, spool, *(study.instance() for _ in range(3)))
    cleaning, seen = Cleaning(home), []
    tally = cleaning.run(HERE, seen.append)

    rows = cleaned(home).collect().rows(named=True)
    keyed = Keyed.load(home)
    assert (tally.done, sum(seen), len(rows), cleaning.waiting()) == (3, 3, 3, [])
    assert {row["file"] for row in rows} == set(Index(home).instances().collect()["file"])
    for row in rows:
        dataset = pydicom.dcmread(row["path"])
        assert name_of_original(home, row["file"]) == str(dataset.SOPInstanceUID)
        assert dataset.PatientID == keyed.person_key(study.patient_id)
        assert "Doe" not in str(dataset)
        assert not stat.S_IMODE((home / row["path"]).stat().st_mode) & 0o077


def name_of_original(home, file):
    raw = pydicom.dcmread(home / "imaging" / "raw" / file[:2] / file, stop_before_pixels=True)
    return Keyed.load(home).uid(str(raw.SOPInstanceUID))


def test_a_refused_one_is_in_quarantine_with_its_reason_and_the_raw_one_stays(home, spool, study):
    put(home, spool, study.instance(), burned(study))
    cleaning = Cleaning(home)
    tally = cleaning.run(HERE)

    [told] = (home / "quarantine" / QUARANTINE).glob("*.json")
    assert tally.refused == {Reason.BURNED_IN_FLAG.name: 1}
    assert json.loads(told.read_text())["reason"] == Reason.BURNED_IN_FLAG.name
    assert told.with_suffix("").stat().st_nlink == 2
    assert cleaned(home).collect().height == 1
    assert cleaning.waiting(again=True) == []
    assert (cleaning.figures().done, cleaning.figures().refused) == (1, {Reason.BURNED_IN_FLAG.name: 1})


def test_instances_in_conflict_are_left_alone(home, spool, study):
    first = study.instance()
    put(home, spool, first, study.instance(sop_instance=first.SOPInstanceUID, seed=9))
    Cleaning(home).run(HERE)

    assert cleaned(home).collect()["file"].to_list() == [f"{name_of(first.SOPInstanceUID)}.dcm"]
    assert Cleaning(home).waiting() == []


def test_another_profile_does_everything_again_and_lets_the_former_be_removed(home, spool, study, monkeypatch):
    put(home, spool, study.instance(), study.instance())
    Cleaning(home).run(HERE)
    before = set(cleaned(home).collect()["path"])
    monkeypatch.setenv("FLIP_TRUST_DEIDENTIFICATION_PROFILE", "retain-uids")

    cleaning = Cleaning(home)
    assert len(cleaning.waiting()) == 2
    with pytest.raises(ImagingError):
        cleaning.remove_former()
    cleaning.run(HERE)
    after = set(cleaned(home).collect()["path"])
    assert len(after) == 2
    assert before.isdisjoint(after)
    assert str(pydicom.dcmread(min(after)).StudyInstanceUID) == study.uid
    assert cleaning.remove_former() == 1
    assert not [path for path in before if (home / path).exists()]
    assert len([path for path in after if (home / path).exists()]) == 2


def test_a_profile_that_lets_it_pass_takes_it_out_of_quarantine(home, spool, study, monkeypatch):
    put(home, spool, burned(study))
    Cleaning(home).run(HERE)
    assert len(printed(home)) == 2
    own = "extends: basic\ntitle: Ours\nmasks: [{manufacturer: '', boxes: [[0, 0, 16, 4]]}]\n"
    (home / "own.yaml").write_text(own)
    monkeypatch.setenv("FLIP_TRUST_DEIDENTIFICATION_PROFILE", "own.yaml")
    monkeypatch.setattr("flip_trust.deidentification.burned_in.check", lambda *_: None)
    Cleaning(home).run(HERE)

    assert cleaned(home).collect().height == 1
    assert printed(home) == set()


def test_a_run_that_was_cut_short_is_gone_on_with(home, spool, study, monkeypatch):
    put(home, spool, *(study.instance() for _ in range(4)))
    with monkeypatch.context() as patched:
        patched.setattr(module, "BATCH", 2)
        patched.setattr(Cleaning, "_write", lambda *_: None)
        Cleaning(home).run(HERE)
    written = {path: path.stat().st_mtime_ns for path in home.rglob("deidentified/**/*.dcm")}

    assert len(written) == 4
    assert cleaned(home).collect().is_empty()
    least = min(written)
    least.write_bytes(b"of an older release")
    half = Cleaning(home).place.parts / ".half.dcm.1.part"
    half.write_bytes(b"half a file")
    assert Cleaning(home).run(HERE).done == 4
    assert pydicom.dcmread(least)
    assert not half.exists()
    assert all(path.stat().st_mtime_ns == at for path, at in written.items() if path != least)


def test_what_failed_outside_itself_is_tried_again_when_asked_for(home, spool, study, monkeypatch):
    put(home, spool, study.instance())
    with monkeypatch.context() as patched:
        patched.setattr("flip_trust.deidentification.part10.opened", lambda _: 1 / 0)
        assert Cleaning(home).run(HERE).refused == {Reason.FAILED.name: 1}
    cleaning = Cleaning(home)

    assert cleaning.waiting() == []
    assert len(cleaning.waiting(again=True)) == 1
    assert cleaning.run(HERE, again=True).done == 1
    assert printed(home) == set()


def test_no_more_than_asked_for_is_done_in_one_go(home, spool, study):
    put(home, spool, *(study.instance() for _ in range(3)))
    cleaning = Cleaning(home)

    assert cleaning.run(HERE, most=2).done == 2
    assert len(cleaning.waiting()) == 1


def test_two_at_a_time_do_not_do_the_same(home, spool, study):
    put(home, spool, *(study.instance() for _ in range(6)))
    tallies = []
    threads = [threading.Thread(target=lambda: tallies.append(Cleaning(home).run(HERE))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(tally.done for tally in tallies) == [0, 6]


def test_a_nearly_full_disk_stops_it_and_is_said(home, spool, study):
    put(home, spool, study.instance())
    cleaning = Cleaning(home, keep_free=1 << 60)

    with pytest.raises(ImagingError):
        cleaning.run(HERE)
    assert len(cleaning.waiting()) == 1


def test_a_folder_that_cannot_be_written_stops_it_and_loses_nothing(home, spool, study):
    put(home, spool, study.instance())
    (home / "imaging" / "deidentified").write_text("a file, not a folder")

    with pytest.raises((SetupError, OSError)):
        Cleaning(home).run(HERE)


@pytest.mark.processes
def test_an_instance_that_takes_its_worker_down_is_refused_and_stops_nothing(home, spool, study, monkeypatch):
    from tests.trust.imaging import killing

    deadly = study.instance()
    put(home, spool, study.instance(), deadly, study.instance())
    monkeypatch.setattr(module, "clean", killing.clean)
    monkeypatch.setenv(killing.DEADLY, f"{name_of(deadly.SOPInstanceUID)}.dcm")

    tally = Cleaning(home).run(LOCAL)
    assert (tally.done, tally.refused) == (2, {Reason.FAILED.name: 1})
