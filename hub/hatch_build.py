"""What a wheel holds besides the package: the policies and notebooks that lie beside it in the repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BESIDE = {
    "policies/hub": "flip_hub/policies",
    "policies/disclosure": "flip_hub/disclosure",
    "policies/agreements": "flip_hub/agreements",
    "notebooks": "flip_hub/notebooks",
}


class BesideThePackage(BuildHookInterface[Any]):
    """An editable install reads them where they are; a copy of them would grow old."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the folders to a real wheel."""
        if version == "standard":
            repository = Path(self.root).parent
            build_data["force_include"].update({str(repository / name): inside for name, inside in BESIDE.items()})
