"""Where pip finds packages inside, and where it puts them: for kernels alone, never for the server itself."""

from __future__ import annotations

import sysconfig
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

PLACE = Path(".local", "share", "flip", "packages")


def environment(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """What kernels, and pip in them, are told; set once the server's own Python runs, which looks there for nothing.

    Args:
        environ: what the workspace was told: the hub's API, the project, the workspace's own narrow token.
        home: the person's home in the project, where packages stay.
    """
    prefix = home / PLACE
    places = sysconfig.get_path("purelib", "posix_prefix", {"base": str(prefix), "platbase": str(prefix)})
    told = {
        "PYTHONPATH": places,
        "PIP_PREFIX": str(prefix),
        "PIP_ONLY_BINARY": ":all:",
        "PIP_NO_INPUT": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_WARN_SCRIPT_LOCATION": "1",
    }
    api, project, token = (environ.get(name, "") for name in ("FLIP_HUB_API", "FLIP_PROJECT", "JUPYTERHUB_API_TOKEN"))
    if not (api and project and token):
        return told
    hub = urlsplit(api)
    path = f"{hub.path}/projects/{quote(project)}/packages/simple/"
    return told | {
        "PIP_INDEX_URL": f"{hub.scheme}://workspace:{quote(token)}@{hub.netloc}{path}",
        # between workspace and hub, where containers have a network of their own without certificates
        "PIP_TRUSTED_HOST": hub.netloc,
    }
