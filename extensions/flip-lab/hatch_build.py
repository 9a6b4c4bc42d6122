"""A wheel brings the built scripts; while they are worked on, `make install` puts them where JupyterLab finds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILT = Path("flip_lab") / "labextension"
PLACE = "share/jupyter/labextensions/@flip/lab"


class BundleHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the built scripts into a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add them, and refuse a wheel without them."""
        if version == "editable":
            return
        if not (Path(self.root) / BUILT / "package.json").is_file():
            raise FileNotFoundError("The scripts are not built: run `npm ci && npm run build` in extensions/flip-lab.")
        build_data["shared_data"][str(BUILT)] = PLACE
