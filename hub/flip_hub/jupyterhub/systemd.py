"""A workspace as a unit of systemd, on one server: another account, limits that the kernel holds, and the sandbox.

The unit runs the same sandbox as a local workspace, which shows it nothing but Python and its home.
"""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterator
from typing import Any

from systemdspawner import SystemdSpawner

from flip_hub.config import HubConfig
from flip_hub.governance.profiles import Profile
from flip_hub.jupyterhub import local
from flip_hub.jupyterhub.docker import own
from flip_hub.jupyterhub.local import SandboxedWorkspace

MOST_PROCESSES = 1024
CONFINED = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "IPAddressDeny": "any",
    "IPAddressAllow": "localhost",
    "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "LockPersonality": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "SystemCallArchitectures": "native",
    "UMask": "0077",
    "TasksMax": str(MOST_PROCESSES),
    "MemorySwapMax": "0",
}
"""Properties of each unit; namespaces stay allowed, since the sandbox makes them."""


class SystemdWorkspace(SandboxedWorkspace, SystemdSpawner):  # type: ignore[misc]
    """A transient unit for each person and project."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # a name may have dots, and no project's name has an underscore: no two units are called the same
        self.unit_name = f"flip-{self.name}_{self.user.name}"

    def prepare(self) -> None:
        """The home, for the account of workspaces, and the unit's properties."""
        super().prepare()
        account = pwd.getpwnam(self.flip_config.workspace_account)
        own(self.home, account.pw_uid, account.pw_gid)
        self.username_template = account.pw_name
        self.user_workingdir = str(self.home)
        self.slice = self.flip_config.workspace_slice
        self.isolate_tmp = self.disable_user_sudo = True
        self.unit_extra_properties = dict(CONFINED)

    def limit(self, profile: Profile) -> None:
        """Give the unit what its profile says, and no more."""
        super().limit(profile)
        # the spawner formats each word
        self.cmd = [word.replace("{", "{{").replace("}", "}}") for word in self.sandboxed()]


def faults(config: HubConfig) -> Iterator[str]:
    """What is wrong with the settings, and with this machine."""
    yield from local.faults(config)
    if not config.workspace_account:
        yield "workspace_account is empty: make a Unix account for workspaces (docs/workspaces.md) and name it."
    else:
        yield from _of_account(config.workspace_account)
    if not config.workspace_slice.endswith(".slice"):
        yield "workspace_slice is no name of a slice: write it as flip-workspaces.slice."
    if os.geteuid() != 0:
        yield "The hub does not run as root, who alone starts units for another account."
    if shutil.which("systemd-run") is None:
        yield "systemd-run is not installed on this machine."


def _of_account(name: str) -> Iterator[str]:
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        yield f"workspace_account names {name}, whom this machine does not know."
        return
    if account.pw_uid == 0:
        yield "workspace_account is root: make another account."
