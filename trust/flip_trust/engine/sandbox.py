"""The box a worker runs in (bubblewrap): no network, no files but the Python installation and its own slot."""

from __future__ import annotations

import shutil
from typing import Literal

SandboxKind = Literal["bubblewrap", "none"]


def sandbox_available() -> bool:
    """Whether bubblewrap is installed and this kernel lets it make its namespaces."""
    return shutil.which("bwrap") is not None
