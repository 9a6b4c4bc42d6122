"""Backups that are not whole, keys that do not open, disks that are full, hubs that run: nothing is put in place."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from flip_hub.backup import Saved, restore
from flip_hub.config import HubConfig
from flip_hub.database import Database, upgrade
from flip_hub.errors import ConfigError, ConflictError
from flip_hub.running import in_use
from flip_sdk.archives import ArchiveError, BrokenArchiveError, PassphraseError, open_archive, write_archive

from tests.hub.backup.conftest import PHRASE, content, opened, saved, told
from tests.hub.conftest import Hub

DATABASES = ("sqlite",)


def _restore(path: Path, home: Path, **options: object) -> object:
    given = {"by": "olga", "told": told, "passphrase": PHRASE, "database_url": ""} | options
    return restore(path, home, **given)  # type: ignore[arg-type]


def _refused(error: type[Exception], path: Path, home: Path, **options: object) -> None:
    """Refused, and the home is as empty as it was."""
    with pytest.raises(error):
        _restore(path, home, **options)
    assert [entry.name for entry in home.iterdir()] in ([], ["running.lock"]) if home.exists() else True


@pytest.fixture(scope="module")
def _first() -> list[tuple[Saved, bytes, dict[str, list[bytes]]]]:
    return []


@pytest.fixture
def made(
    request: pytest.FixtureRequest, database_kind: str, tmp_path: Path, _first: list[tuple[Saved, bytes, object]]
) -> Saved:
    """A backup, made once and copied for each test; with what was in the database."""
    if not _first:
        full = request.getfixturevalue("full")
        done = saved(full, tmp_path / "first.backup")
        _first.append((done, done.path.read_bytes(), content(full.office.database)))
    (tmp_path / "hub.backup").write_bytes(_first[0][1])
    return replace(_first[0][0], path=tmp_path / "hub.backup")


@pytest.fixture
def before(made: Saved, _first: list[tuple[Saved, bytes, dict[str, list[bytes]]]]) -> dict[str, list[bytes]]:
    return _first[0][2]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "new"


def test_a_truncated_backup(made: Saved, home: Path) -> None:
    whole = made.path.read_bytes()
    for part in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        made.path.write_bytes(whole[:part])
        _refused(BrokenArchiveError, made.path, home)


def test_a_changed_byte_is_found_wherever_it_is(made: Saved, before: dict[str, list[bytes]], home: Path) -> None:
    """Some bytes of a ZIP mean nothing (a time, a hint): with those changed the hub is the same."""
    whole, draw = made.path.read_bytes(), random.Random(1)
    refused = 0
    for turn in range(20):
        at = draw.randrange(len(whole))
        made.path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        target = home / str(turn)
        try:
            _restore(made.path, target)
        except ArchiveError:
            refused += 1
        else:
            _same(before, target)
    assert refused >= 15


def _same(before: dict[str, list[bytes]], home: Path) -> None:
    database = opened(home)
    after = content(database)
    database.close()
    assert all(after[name] == before[name] for name in before if name not in {"audit", "audit_head"})


def test_another_backup_than_the_one_meant(made: Saved, home: Path) -> None:
    _refused(BrokenArchiveError, made.path, home, digest="sha256:" + "0" * 64)


def test_wrong_passphrases(made: Saved, full: Hub, home: Path, tmp_path: Path) -> None:
    for given in ("another passphrase", ""):
        _refused(PassphraseError, made.path, home, passphrase=given)
    with pytest.raises(PassphraseError):
        saved(full, tmp_path / "other", passphrase="short")
    assert not list(tmp_path.glob("*other*"))


def test_a_backup_is_never_written_over(made: Saved, full: Hub) -> None:
    before = made.path.read_bytes()
    with pytest.raises(ArchiveError):
        saved(full, made.path)
    assert made.path.read_bytes() == before


def test_what_is_no_backup_and_whose_it_is_not(home: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no archive")
    with write_archive(tmp_path / "trusts", "trust", "1"):
        pass
    for name in ("text", "trusts", "nothing"):
        _refused(ArchiveError, tmp_path / name, home)


def test_a_newer_versions_backup(made: Saved, home: Path, tmp_path: Path) -> None:
    _again(made.path, tmp_path / "newer", revision="9999")
    _refused(ConfigError, tmp_path / "newer", home)


@pytest.mark.parametrize(
    ("name", "line"),
    [("audit", b""), ("person", b'["eve"]'), ("person", b"no JSON"), ("review", b"[]")],
)
def test_a_backup_whose_rows_were_forged(made: Saved, home: Path, tmp_path: Path, name: str, line: bytes) -> None:
    """With digests that fit: the audit chain, and the tables' own rules, still have a say."""
    _again(made.path, tmp_path / "forged", changes={f"database/{name}.jsonl": line})
    _refused(BrokenArchiveError, tmp_path / "forged", home)


def _again(path: Path, target: Path, revision: str = "", changes: dict[str, bytes] | None = None) -> None:
    """The same archive with something else in it; a changed table loses its last row for another line."""
    with open_archive(path, "hub") as archive, write_archive(target, "hub", "1") as draft:
        for member in archive.manifest.members:
            found = archive.read(member.name)
            if changes and member.name in changes:
                found = b"".join(line + b"\n" for line in [*found.splitlines()[:-1], changes[member.name]] if line)
            draft.add(member.name, [found], mode=member.mode)
        draft.facts |= archive.manifest.facts | ({"revision": revision} if revision else {})


def test_a_home_that_is_not_empty_is_kept_or_left(made: Saved, home: Path) -> None:
    home.mkdir()
    (home / "hub.toml").write_text('title = "Before"\n')
    with pytest.raises(ConflictError):
        _restore(made.path, home)
    assert HubConfig.load(home, {}).title == "Before"

    done = _restore(made.path, home, replaces=True)

    assert HubConfig.load(home, {}).title == "Kept"
    assert HubConfig.load(done.kept, {}).title == "Before"  # type: ignore[attr-defined]


def test_a_hub_that_runs_is_not_replaced_and_does_not_start_meanwhile(made: Saved, home: Path) -> None:
    _restore(made.path, home)
    with in_use(home), in_use(home), pytest.raises(ConflictError):
        _restore(made.path, home, replaces=True)
    _restore(made.path, home, replaces=True)


def test_a_database_that_is_not_empty_is_left_alone(made: Saved, home: Path, postgres_of: Callable[[], str]) -> None:
    url = postgres_of()
    other = Database(url)
    upgrade(other)
    before = content(other)
    _refused(ConflictError, made.path, home, database_url=url)
    assert content(other) == before
    other.close()


@contextmanager
def _largest_file(size: int) -> Iterator[None]:
    """No file may become larger, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_is_full(made: Saved, full: Hub, home: Path, tmp_path: Path) -> None:
    with _largest_file(20_000), pytest.raises(ArchiveError):
        saved(full, tmp_path / "second")
    with _largest_file(20_000):
        _refused(ArchiveError, made.path, home)
    assert not list(tmp_path.glob("*second*"))
    _restore(made.path, home)


_VICTIM = """
import sys, os, signal
from pathlib import Path
from flip_hub.backup import restore
def told(what, done, of):
    if what == sys.argv[3] and done:
        os.kill(os.getpid(), signal.SIGKILL)
restore(Path(sys.argv[1]), Path(sys.argv[2]), by="olga", told=told, passphrase=sys.argv[4], database_url="")
"""


@pytest.mark.parametrize("step", [pytest.param("files", marks=pytest.mark.slow), "rows"])
def test_a_restore_that_was_killed_is_begun_anew(
    made: Saved, before: dict[str, list[bytes]], home: Path, step: str
) -> None:
    ended = subprocess.run([sys.executable, "-c", _VICTIM, made.path, home, step, PHRASE], check=False)
    assert ended.returncode == -signal.SIGKILL
    with pytest.raises(ConfigError):
        HubConfig.load(home, {})
    _restore(made.path, home)
    _same(before, home)
    assert not [name for name in os.listdir(home) if name.startswith(".restoring")]
