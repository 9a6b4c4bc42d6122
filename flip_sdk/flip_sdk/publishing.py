"""Dashboards: a notebook, without stored outputs, that the hub shows to its project's team, and released to others."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flip_sdk.contract.api import DashboardView
from flip_sdk.errors import NotFoundError

if TYPE_CHECKING:
    from flip_sdk.frames import Frame


@dataclass(frozen=True, repr=False)
class Dashboard:
    """A version of a dashboard: a draft for the project's team until it is released."""

    view: DashboardView

    @property
    def address(self) -> str:
        """Where it is shown."""
        return self.view.address

    def __repr__(self) -> str:
        view = self.view
        return f"Dashboard {view.name} of {view.project_id} ({view.state.value.replace('_', ' ')}): {self.address}"

    def _repr_html_(self) -> str:
        from flip_sdk import looks

        view = self.view
        who = f"version {view.version}" if view.shown else f"a draft for the team of {escape(view.project_id)}"
        return looks.card(
            f"Dashboard {view.name}",
            f"<p>{looks.link('Open it', self.address)}: {who}.</p>",
            looks.tip("project.release(…)", "asks for its release to others"),
            state=(view.state.value.replace("_", " "), looks.tone_of(view.state)),
        )


class Dashboards(list[Dashboard]):
    """Published dashboards, in a list."""

    def table(self) -> Frame:
        """One row a dashboard."""
        from flip_sdk.frames import frame

        rows = [{**one.view.model_dump(), "state": one.view.state.value} for one in self]
        kinds = {
            "project_id": str,
            "name": str,
            "title": str,
            "state": str,
            "published_by": str,
            "published_at": datetime,
            "address": str,
        }
        return frame(rows, kinds, "Dashboards")

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def without_outputs(notebook: Path) -> bytes:
    """The notebook's bytes without stored outputs: a dashboard shows what it computes, nothing left over.

    Raises:
        NotFoundError: no such file, or not a notebook.
    """
    try:
        content = json.loads(notebook.read_text("utf-8"))
        for cell in content["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"], cell["execution_count"] = [], None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotFoundError(
            f"{notebook} is not a notebook that can be read.", "Give the path of a saved .ipynb file."
        ) from error
    return json.dumps(content, ensure_ascii=False, indent=1).encode()


def said_of(notebook: bytes) -> dict[str, Any]:
    """What a notebook says of itself as a dashboard, in its metadata ``flip``: title, kind, whether it is personal."""
    said = json.loads(notebook).get("metadata", {}).get("flip", {})
    return {name: said[name] for name in ("title", "kind", "personal") if name in said}
