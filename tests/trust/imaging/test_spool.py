"""The raw store: durable before it says so, never overwritten, never half-written."""

from __future__ import annotations

import errno
import os
import stat

import pytest
from flip_trust.errors import ImagingError
from flip_trust.imaging import spool as spools
from flip_trust.imaging.part10 import file_start
from flip_trust.imaging.spool import Spool, SpoolFullError, SpoolRefusedError, is_conflict
from pydicom import dcmread

UID = "1.2.826.0.1.42"
CT, LITTLE = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
DATA = b"\x10\x00\x20\x00LO\x04\x00P-1 "


def put(spool, content, uid=UID, sender="MODALITY"):
    incoming = spool.begin()
    incoming.write(file_start(CT, uid, LITTLE, sender))
    incoming.write(content)
    return incoming.commit(uid)


def write_and_commit(incoming):
    incoming.write(DATA)
    incoming.commit(UID)


def leftovers(spool):
    return [path for path in (spool.raw.parent / "incoming").rglob("*") if path.is_file()]


def test_what_is_kept_is_a_dicom_file_that_only_its_owner_reads(spool):
    stored = put(spool, DATA)
    path = spool.raw / stored.name

    dataset = dcmread(path)
    assert (stored.outcome, dataset.PatientID) == ("new", "P-1")
    assert dataset.file_meta.MediaStorageSOPInstanceUID == UID
    assert dataset.file_meta.SourceApplicationEntityTitle == "MODALITY"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (spool.raw, spool.raw.parent, path.parent)} == {0o700}
    assert leftovers(spool) == []


def test_a_second_sending_changes_nothing_whoever_sends(spool):
    first = put(spool, DATA)
    again = put(spool, DATA, sender="PACS")

    assert again.outcome == "same"
    assert again.name == first.name
    assert list(spool.names()) == [first.name]
    assert leftovers(spool) == []


def test_another_instance_under_the_same_uid_is_kept_beside_the_first_and_marked(spool):
    other = DATA.replace(b"P-1", b"P-2")
    names = [put(spool, content).name for content in (DATA, other, other, DATA)]

    assert names == [names[0], names[1], names[1], names[0]]
    assert [is_conflict(name) for name in names[:2]] == [False, True]
    assert sorted(dcmread(spool.raw / name).PatientID for name in spool.names()) == ["P-1", "P-2"]


def test_a_transfer_syntax_of_its_own_is_another_instance(spool):
    put(spool, DATA)
    incoming = spool.begin()
    incoming.write(file_start(CT, UID, "1.2.840.10008.1.2.4.50") + DATA)

    assert incoming.commit(UID).outcome == "conflict"


def test_endless_conflicts_end(spool, monkeypatch):
    monkeypatch.setattr(spools, "MOST_CONFLICTS", 1)
    for number in range(2):
        put(spool, DATA + bytes([number]))

    with pytest.raises(SpoolRefusedError):
        put(spool, DATA + bytes([2]))
    assert leftovers(spool) == []


def test_below_the_floor_nothing_is_begun(tmp_path):
    with Spool(tmp_path / "imaging", floor=1 << 60) as spool, pytest.raises(SpoolFullError):
        spool.begin()


def test_a_disk_that_runs_low_under_way_leaves_nothing(spool, monkeypatch):
    incoming = spool.begin()
    monkeypatch.setattr(spools, "_CHECK_EVERY", 10)
    monkeypatch.setattr(spool, "_floor", 1 << 60)

    with pytest.raises(SpoolFullError):
        incoming.write(DATA)
    assert leftovers(spool) == []


@pytest.mark.parametrize("call", ["write", "fsync", "link"])
def test_a_full_disk_leaves_nothing(spool, monkeypatch, call):
    def full(*_):
        raise OSError(errno.ENOSPC, "no space")

    incoming = spool.begin()
    monkeypatch.setattr(os, call, full)
    with pytest.raises(SpoolFullError):
        write_and_commit(incoming)
    monkeypatch.undo()

    assert leftovers(spool) == []
    assert list(spool.names()) == []


def test_everything_is_synchronised_before_it_is_said_to_be_kept(spool, monkeypatch):
    calls = []
    for call in ("fsync", "link"):
        real = getattr(os, call)
        monkeypatch.setattr(os, call, lambda *a, real=real, call=call: (calls.append((call, *a)), real(*a))[1])
    incoming = spool.begin()
    incoming.write(DATA)
    file = incoming._descriptor
    incoming.commit(UID)

    assert [call[0] for call in calls] == ["link", "fsync", "fsync"]
    assert file in {call[1] for call in calls[1:]}
    assert len({call[1] for call in calls[1:]}) == 2


def test_leftovers_of_dead_processes_are_removed_and_those_of_living_ones_are_not(tmp_path):
    folder = tmp_path / "imaging"
    with Spool(folder, 0) as living:
        under_way = living.begin()
        dead = folder / "incoming" / "0123456789abcdef"
        dead.mkdir()
        (dead / "x.part").write_bytes(DATA)
        with Spool(folder, 0):
            assert not dead.exists()
            under_way.write(DATA)
            assert under_way.commit(UID).outcome == "new"


def died_between_its_name_and_the_disk(folder, monkeypatch):
    """A spool whose process died after the link and before anything was synchronised."""
    spool = Spool(folder, 0)
    incoming = spool.begin()
    incoming.write(DATA)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda _: 1 / 0)
        patched.setattr(incoming, "discard", lambda: None)
        with pytest.raises(ZeroDivisionError):
            incoming.commit(UID)
    os.close(spool._lock)
    os.close(incoming._descriptor)
    [name] = spool.names()
    return spool, spool.raw / name


def test_what_was_linked_and_is_whole_is_kept_and_listed_by_the_next_start(tmp_path, monkeypatch):
    dead, kept = died_between_its_name_and_the_disk(tmp_path / "imaging", monkeypatch)
    with Spool(tmp_path / "imaging", 0) as spool:
        assert kept.read_bytes() == DATA
        assert [path.name for path in spool.todo.iterdir()] == [kept.name]
    assert leftovers(dead) == []


@pytest.mark.parametrize("torn", [b"", DATA[:5], b"\0" * len(DATA)])
def test_what_was_linked_and_is_torn_is_removed_by_the_next_start(tmp_path, monkeypatch, torn):
    dead, kept = died_between_its_name_and_the_disk(tmp_path / "imaging", monkeypatch)
    kept.write_bytes(torn)
    with Spool(tmp_path / "imaging", 0) as spool:
        assert list(spool.names()) == []
        assert list(spool.todo.iterdir()) == []
    assert leftovers(dead) == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "imaging").write_text("a file")

    with pytest.raises(ImagingError):
        Spool(tmp_path / "imaging")
