"""A workspace as a container of Docker, on one server: an internal network, a read-only root, no privileges."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dockerspawner import DockerSpawner

from flip_hub.airlock.incoming import NAME
from flip_hub.config import HubConfig
from flip_hub.governance.profiles import Profile
from flip_hub.jupyterhub import containers
from flip_hub.jupyterhub.containers import ContainerWorkspace
from flip_hub.jupyterhub.home import incoming_of
from flip_hub.jupyterhub.spawner import CONFIGURATION, RefusedError

ISOLATED = "com.docker.network.bridge.enable_icc"
MOST_PROCESSES = 1024


class DockerWorkspace(ContainerWorkspace, DockerSpawner):  # type: ignore[misc]
    """A container that is made for each start and removed at each stop; the home stays."""

    def prepare(self) -> None:
        """The home, for the container's account, and the places that the container sees."""
        super().prepare()
        config = self.flip_config
        own(self.home, config.workspace_uid, config.workspace_uid)
        incoming, _ = incoming_of(config, self.name, self.user.name)
        self.cmd = containers.command()
        self.port = containers.PORT
        self.image, self.network_name = config.workspace_image, config.workspace_network
        self.use_internal_ip = self.remove = True
        self.volumes = {str(self.home): {"bind": str(containers.HOME), "mode": "rw"}}
        self.read_only_volumes = {
            str(CONFIGURATION): str(containers.SETTINGS),
            str(incoming): str(containers.HOME / NAME),
        }
        account = f"{config.workspace_uid}:{config.workspace_uid}"
        self.extra_create_kwargs = {"user": account, "working_dir": str(containers.HOME)}

    def limit(self, profile: Profile) -> None:
        """Give the container what its profile says, and no more."""
        self.mem_limit, self.cpu_limit = profile.memory, profile.cpu
        self.extra_host_config = confined(profile)

    async def start(self) -> Any:
        """Start it, once it is known that its network leads nowhere else.

        Raises:
            RefusedError: Docker has no such network, or it leads out.
        """
        named = await self.docker("networks", names=[self.network_name])
        found = [one for one in named if one["Name"] == self.network_name]
        wrong = [word for one in found for word in open_ways(one)]
        if not found or wrong:
            self.log.error("Docker's network %s: %s", self.network_name, ", ".join(wrong) or "there is none")
            raise RefusedError("The network of workspaces is not closed. Tell the hub's operator (docs/workspaces.md).")
        return await super().start()


def confined(profile: Profile) -> dict[str, Any]:
    """The part of a container's settings that keeps it small and without rights."""
    host: dict[str, Any] = {
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "pids_limit": MOST_PROCESSES,
        "memswap_limit": profile.memory,
        "ipc_mode": "private",
        "init": True,
        "tmpfs": {"/tmp": f"rw,nosuid,nodev,size={containers.LARGEST_TEMPORARY}"},  # noqa: S108 - the container's
    }
    if profile.gpus:
        wanted = {"DeviceIDs": list(profile.devices)} if profile.devices else {"Count": profile.gpus}
        host["device_requests"] = [{"Driver": "nvidia", "Capabilities": [["gpu"]], **wanted}]
    return host


def open_ways(network: dict[str, Any]) -> list[str]:
    """Ways out of a network of Docker's; none where it is internal and its containers do not see each other."""
    found = []
    if not network.get("Internal"):
        found.append("it is not internal")
    if network.get("Options", {}).get(ISOLATED) != "false":
        found.append("its containers reach each other")
    return found


def own(home: Path, uid: int, gid: int) -> None:
    """Give a home to the account that works in it, where the hub may do that."""
    if os.geteuid() != 0 or home.stat().st_uid == uid:
        return
    for folder, folders, files in os.walk(home):
        for name in (*folders, *files):
            os.chown(Path(folder, name), uid, gid, follow_symlinks=False)
    # last: what is seen first says whether all of it was done
    os.chown(home, uid, gid)


def faults(config: HubConfig) -> Iterator[str]:
    """What is wrong with the settings."""
    yield from containers.faults(config)
    if not config.workspace_network:
        yield "workspace_network is empty: make an internal network and name it (docs/workspaces.md)."
    if os.geteuid() not in {0, config.workspace_uid}:
        yield f"workspace_uid is {config.workspace_uid}, and the hub runs as {os.geteuid()}: set it to that."
