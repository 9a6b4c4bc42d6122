"""What a wheel holds besides the package: the policies that lie beside it in the repository, and the pages' styles.

The design system comes by npm, into ``hub/node_modules``; whoever installs the wheel needs neither Node nor the hub.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BESIDE = {f"policies/{name}": f"flip_trust/policies/{name}" for name in ("deidentification", "disclosure", "trust")}
BESIDE["policies/retention.yaml"] = "flip_trust/policies/retention.yaml"
STYLES = Path("hub", "node_modules", "nhsuk-frontend")
STYLED = {
    STYLES / "dist" / "nhsuk" / "nhsuk-frontend.min.css": "flip_trust/console/nhsuk/nhsuk-frontend.min.css",
}


class BesideThePackage(BuildHookInterface[Any]):
    """An editable install reads them where they are; a copy of them would grow old."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the folders and the styles to a real wheel."""
        if version != "standard":
            return
        repository = Path(self.root).parent
        if missing := [str(path) for path in STYLED if not (repository / path).is_file()]:
            raise FileNotFoundError(f"The console's styles are not there: {', '.join(missing)}. Run: make install")
        together = {**BESIDE, **STYLED}
        build_data["force_include"].update({str(repository / name): inside for name, inside in together.items()})
