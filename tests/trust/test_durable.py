from __future__ import annotations

import errno
import os

import pytest
from flip_trust import durable
from flip_trust.durable import Together, tidied, write


def names(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_nothing_has_its_name_before_all_are_on_the_disk(tmp_path, monkeypatch) -> None:
    flushed, real = [], os.fsync
    monkeypatch.setattr(durable.os, "fsync", lambda descriptor: (real(descriptor), flushed.append(descriptor)))
    with Together() as batch:
        for number in range(6):
            batch.write(tmp_path / f"{number}.dcm", [b"one", b"two"])
        assert not names(tmp_path) & {f"{number}.dcm" for number in range(6)}
        assert batch.name() == set()
        assert len(flushed) == 6

    assert names(tmp_path) == {f"{number}.dcm" for number in range(6)}
    assert (tmp_path / "3.dcm").read_bytes() == b"onetwo"


def test_what_has_no_name_at_the_end_is_removed(tmp_path) -> None:
    with Together() as batch:
        batch.write(tmp_path / "a", [b"a"])
        assert len(names(tmp_path)) == 1

    assert names(tmp_path) == set()


def test_what_will_lie_under_a_name_is_known_before_it_does(tmp_path) -> None:
    (tmp_path / "old").write_bytes(b"old")
    with Together() as batch:
        batch.write(tmp_path / "new", [b"first"])
        batch.write(tmp_path / "new", [b"second"], replace=True)
        found = [batch.content(tmp_path / name) for name in ("old", "new", "none")]

    assert found == [b"old", b"second", None]


@pytest.mark.parametrize(("theirs", "taken"), [(b"mine", False), (b"other", True)])
def test_a_name_that_another_process_took_meanwhile_is_left_to_it(tmp_path, theirs, taken) -> None:
    path = tmp_path / "a"
    with Together() as batch:
        batch.write(path, [b"mine"])
        write(path, theirs)
        assert batch.name() == ({path} if taken else set())

    assert path.read_bytes() == theirs
    assert names(tmp_path) == {"a"}


def test_a_replacing_one_takes_the_name(tmp_path) -> None:
    write(tmp_path / "a", b"old")
    write(tmp_path / "a", b"new")

    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_file_system_without_links_is_renamed_on(tmp_path, monkeypatch) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.EPERM, "no links")

    monkeypatch.setattr(durable.os, "link", none)
    with Together() as batch:
        batch.write(tmp_path / "a", [b"a"])
        batch.name()

    assert names(tmp_path) == {"a"}


def test_a_disk_that_is_found_full_when_flushed_names_nothing(tmp_path, monkeypatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    with Together() as batch:
        batch.write(tmp_path / "a", [b"a"])
        monkeypatch.setattr(durable.os, "fsync", full)
        batch.write(tmp_path / "b", [b"b"])
        with pytest.raises(OSError, match="full"):
            batch.name()

    assert names(tmp_path) == set()


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path) -> None:
    inner = tmp_path / "deep"
    inner.mkdir()
    left = [inner / ".1.2.3.dcm.4711.part", tmp_path / f".a.{'0f' * 8}.part"]
    kept = [inner / "1.2.3.dcm", tmp_path / ".hidden", tmp_path / "film.part"]
    for path in left + kept:
        path.write_bytes(b"half")
    with tidied(tmp_path):
        assert not any(path.exists() for path in left)
    assert all(path.exists() for path in kept)


def test_nothing_is_removed_beside_somebody_who_is_at_work(tmp_path) -> None:
    with tidied(tmp_path):
        at_work = tmp_path / ".1.2.3.dcm.4711.part"
        at_work.write_bytes(b"half")
        with tidied(tmp_path):
            assert at_work.exists()
    with tidied(tmp_path):
        assert not at_work.exists()
