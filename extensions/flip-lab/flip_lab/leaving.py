"""Files that are to leave, and notebooks that are to be shown: checked first, then asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from flip_sdk.airlock import Output
from flip_sdk.contract.airlock import Audience, Examined
from flip_sdk.contract.records import Line, Name, Record, Text, Token
from flip_sdk.errors import NotFoundError
from flip_sdk.project import Project
from pydantic import Field

from flip_lab import shown
from flip_lab.files import MEND, inside

MOST_FILES = 20


class AskedFiles(Record):
    """Files that a researcher chose in the file browser.

    Attributes:
        files: by their paths there.
        purpose: which planned output they are, and who will see them; a check goes without.
        context: variables, population, how they were made.
        jobs: whose results they are made of.
        audience: who may fetch them then.
        dashboard: of one notebook, the published dashboard that is released with it.
    """

    files: Annotated[tuple[Line, ...], Field(min_length=1, max_length=MOST_FILES)]
    purpose: Text = ""
    context: Text = ""
    jobs: Annotated[tuple[Token, ...], Field(max_length=50)] = ()
    audience: Audience = "project"
    dashboard: Name | None = None


class AskedDashboard(Record):
    """A notebook that becomes a dashboard.

    Attributes:
        file: its path in the file browser.
        name: in addresses; the same name replaces the dashboard.
        jobs: whose results it may read.
    """

    file: Line
    name: Name
    jobs: Annotated[tuple[Token, ...], Field(max_length=50)] = ()


def check(project: Project, root: Path, asked: AskedFiles) -> list[dict[str, Any]]:
    """What the airlock's own checks say of the files. Nothing is submitted."""
    return [_examined(found) for found in project.airlock.examine(*_outputs(root, asked))]


def request(project: Project, root: Path, asked: AskedFiles) -> shown.Shown:
    """Ask for the files' release."""
    outputs = _outputs(root, asked)
    return shown.release(project.airlock.request(*outputs, purpose=asked.purpose, audience=asked.audience).view)


def publish(project: Project, root: Path, asked: AskedDashboard) -> shown.Shown:
    """Render a notebook for the project's team."""
    file = inside(root, asked.file)
    if file.suffix != ".ipynb":
        raise NotFoundError(f"{asked.file} is not a notebook.", MEND)
    return shown.dashboard(project.publish(file, asked.name, asked.jobs).view)


def _outputs(root: Path, asked: AskedFiles) -> list[Output]:
    told: dict[str, Any] = {"context": asked.context, "jobs": asked.jobs, "dashboard": asked.dashboard}
    return [Output(inside(root, path), **told) for path in asked.files]


def _examined(found: Examined) -> dict[str, Any]:
    return {
        "path": found.path,
        "kind": found.kind,
        "bytes": found.bytes,
        "verdict": found.verdict,
        "findings": [
            {"rule": f.rule, "severity": f.severity, "message": f.message, "mend": f.mend, "cells": len(f.cells)}
            for f in found.findings
        ],
    }
