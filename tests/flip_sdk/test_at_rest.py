from __future__ import annotations

import os
from pathlib import Path

import pytest
from flip_sdk.at_rest import is_encrypted

LUKS = "CRYPT-LUKS2-0123456789abcdef-home\n"
LVM = "LVM-abcdef\n"


@pytest.fixture
def disks(tmp_path: Path) -> Path:
    """A kernel's devices: each name a folder, with what lies below it linked."""
    return tmp_path / "sys"


def device(disks: Path, name: str, *below: str, uuid: str = "") -> Path:
    made = disks / "devices" / name
    (made / "slaves").mkdir(parents=True)
    if uuid:
        (made / "dm").mkdir()
        (made / "dm" / "uuid").write_text(uuid)
    for each in below:
        (made / "slaves" / each).symlink_to(disks / "devices" / each)
    return made


def holding(disks: Path, folder: Path, top: Path) -> Path:
    """The devices, with one of them below a folder; and mounts that name nothing else."""
    number = folder.stat().st_dev
    (disks / "dev" / "block").mkdir(parents=True)
    (disks / "dev" / "block" / f"{os.major(number)}:{os.minor(number)}").symlink_to(top)
    return disks


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on a disk of its own number, whatever this machine's temporary folder lies on."""
    real, place = Path.stat, tmp_path / "home"
    place.mkdir()

    def stat(path: Path, **options: bool) -> os.stat_result:
        found = real(path, **options)
        if path != place:
            return found
        return os.stat_result((*found[:2], os.makedev(253, 7), *found[3:10]))

    monkeypatch.setattr(Path, "stat", stat)
    return place


def test_luks_below_a_folder_is_seen(disks: Path, folder: Path) -> None:
    device(disks, "sda2")
    assert is_encrypted(folder, sysfs=holding(disks, folder, device(disks, "dm-0", "sda2", uuid=LUKS)))


def test_luks_below_lvm_is_seen_and_a_volume_over_a_plain_disk_too_is_not_encrypted(disks: Path, folder: Path) -> None:
    device(disks, "sda2")
    device(disks, "sdb")
    device(disks, "dm-0", "sda2", uuid=LUKS)
    over_one = device(disks, "dm-1", "dm-0", uuid=LVM)
    over_two = device(disks, "dm-2", "dm-0", "sdb", uuid=LVM)
    (disks / "dev" / "block").mkdir(parents=True)
    link = disks / "dev" / "block" / "253:7"
    link.symlink_to(over_one)
    assert is_encrypted(folder, sysfs=disks)
    link.unlink()
    link.symlink_to(over_two)
    assert not is_encrypted(folder, sysfs=disks)


def test_a_plain_disk_and_one_that_the_kernel_does_not_show_are_not(disks: Path, folder: Path) -> None:
    assert not is_encrypted(folder, sysfs=disks)
    assert not is_encrypted(folder, sysfs=holding(disks, folder, device(disks, "sda2")))


def test_memory_and_a_file_system_without_a_disk_are_not(tmp_path: Path, disks: Path) -> None:
    memory = Path("/dev/shm")
    if not memory.is_dir() or os.major(memory.stat().st_dev):
        pytest.skip("no file system in memory here")
    assert not is_encrypted(memory, sysfs=disks)
