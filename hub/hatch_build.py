"""What a wheel holds besides the package: policies and notebooks out of the repository, and the tests' results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BESIDE = {
    "policies/hub": "flip_hub/policies",
    "policies/disclosure": "flip_hub/disclosure",
    "policies/agreements": "flip_hub/agreements",
    "policies/people": "flip_hub/people",
    "policies/workspaces": "flip_hub/workspaces",
    "policies/satre.yaml": "flip_hub/satre.yaml",
    "policies/retention.yaml": "flip_hub/retention.yaml",
    "notebooks": "flip_hub/notebooks",
}


class BesideThePackage(BuildHookInterface[Any]):
    """An editable install reads them where they are; a copy of them would grow old."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the folders to a real wheel."""
        if version == "standard":
            repository = Path(self.root).parent
            build_data["force_include"].update({str(repository / name): inside for name, inside in BESIDE.items()})
            if (results := repository / "build" / "evidence.json").is_file():
                build_data["force_include"][str(results)] = "flip_hub/evidence.json"
