"""Whether what lies in a folder is encrypted on its disks, as far as Linux tells.

dm-crypt is seen (LUKS, also below LVM and RAID): the kernel's ``sysfs-block-dm`` has a device's ``uuid``, which
cryptsetup begins with ``CRYPT-``, and what lies below a device is in its ``slaves``. What a hypervisor or a disk does
by itself is not seen from inside the machine.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

SYSFS: Final = Path("/sys")
MOUNTS: Final = Path("/proc/self/mountinfo")


def is_encrypted(folder: Path, *, sysfs: Path = SYSFS, mounts: Path = MOUNTS) -> bool:
    """Whether dm-crypt lies below a folder, on every disk that is.

    Args:
        folder: one that exists.
        sysfs: where the kernel's devices are.
        mounts: this process's ``mountinfo``.

    Raises:
        OSError: the folder cannot be looked at.
    """
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    if not os.major(device):
        # a file system over several disks, or over none, has a number of its own
        number = _source(number, mounts)
    return bool(number) and _all_below(sysfs / "dev" / "block" / number)


def _all_below(block: Path) -> bool:
    try:
        if (block / "dm" / "uuid").read_text("ascii").startswith("CRYPT-"):
            return True
    except OSError:
        pass  # no device of the device mapper: only what lies below it can be encrypted
    below = list((block / "slaves").iterdir()) if (block / "slaves").is_dir() else []
    return bool(below) and all(_all_below(each) for each in below)


def _source(number: str, mounts: Path) -> str:
    """The number of the device that a file system names as its source; empty where it names none."""
    for line in mounts.read_text("utf-8").splitlines():
        about, _, rest = line.partition(" - ")
        if about.split()[2] == number and (named := Path(rest.split()[1])).is_block_device():
            device = named.stat().st_rdev
            return f"{os.major(device)}:{os.minor(device)}"
    return ""
