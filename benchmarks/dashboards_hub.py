"""Two released dashboards at a hub, one without controls and one with, for a benchmark of dashboards."""

from __future__ import annotations

import secrets
from pathlib import Path

import nbformat
from flip_hub.config import HubConfig
from flip_hub.dashboards import versions
from flip_hub.database import Release, Routine, now
from flip_hub.governance import dashboards
from flip_hub.governance.office import Office, identify
from flip_hub.models import allow_blob
from flip_sdk.contract.airlock import OutputStatement
from flip_sdk.contract.api import PublishDashboard

from benchmarks.workspaces_hub import LOGIN, PROJECT
from benchmarks.workspaces_hub import make_home as make

PLAIN, CONTROLS = "plain", "controls"
_CHART = """
import math
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 3))
axes.plot(range(200), [math.exp(-round / 60) for round in range(200)])
axes.set(xlabel="round", ylabel="loss")
plt.show()
"""
_TABLE = """
import polars
polars.DataFrame({"Trust": ["aldgate", "brookfield"] * 20, "persons": range(40)})
"""
_SLIDER = """
import ipywidgets
ipywidgets.interact(lambda persons: print(2 / persons), persons=ipywidgets.IntSlider(value=100, min=10, max=1000));
"""


def notebook(name: str) -> str:
    """A dashboard's notebook: words, a chart, a table, and controls where it is the one with them."""
    cells = [nbformat.v4.new_markdown_cell("# How the model was trained\n\nWords for a committee.")]
    sources = [_CHART, _TABLE, *([_SLIDER] if name == CONTROLS else [])]
    cells += [nbformat.v4.new_code_cell(source.strip()) for source in sources]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return str(nbformat.writes(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})))


def make_home(path: Path, warm: int) -> HubConfig:
    """Make it, with so many warm kernels for each dashboard that has controls."""
    config = make(path, {"dashboards_warm": warm, "dashboard_kernels": 4 * warm})
    office = Office.of(config)
    for name in (PLAIN, CONTROLS):
        content = notebook(name).encode()
        digest = office.blobs.put(content)
        with office.database.write(Routine("made by a benchmark")) as session:
            allow_blob(session, PROJECT, digest, len(content), LOGIN.name, inside=True, outside=False)
            subject = identify(session, LOGIN.name)
        dashboards.publish(office, subject, PROJECT, PublishDashboard(notebook=digest, name=name))
        _release(office, name)
    office.database.close()
    return config


def _release(office: Office, name: str) -> None:
    """As the airlock does once two checkers agree."""
    with office.database.write(Routine("made by a benchmark")) as session:
        row = versions.newest(session, PROJECT, name)
        if row is None:
            raise RuntimeError("it was not published")
        made = Release(release_id=secrets.token_hex(12), project_id=PROJECT, content=row.notebook, audience="project")
        made.statement = OutputStatement(path=f"{name}.ipynb", content=row.notebook, title=name, dashboard=name)
        made.released_at = now()
        versions.show_release(session, made, now())
