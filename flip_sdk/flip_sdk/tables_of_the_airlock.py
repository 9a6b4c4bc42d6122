"""What the airlock tells, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from flip_sdk.contract.airlock import Examined, OutputView, ReleasedFile, ReleaseView
from flip_sdk.contract.ingress import IngressView
from flip_sdk.frames import Frame, frame

_CLEAN = "passes every check"


def findings(examined: Iterable[Examined]) -> Frame:
    """One row a finding; a file without one has a row that says so."""
    schema: dict[str, Any] = {**dict.fromkeys(("file", "verdict", "found", "mend", "cells"), str)}
    rows = [row for one in examined for row in _findings(one)]
    return frame(rows, schema, "What the checks found (block: never released; flag: a person decides)")


def outputs(view: ReleaseView) -> Frame:
    """One row a file of a request."""
    schema = {**dict.fromkeys(("file", "state", "checks"), str), "decided": int, "reason": str}
    return frame([_output(output) for output in view.outputs], schema, f"Release request {view.request_id}")


def requests(views: Sequence[ReleaseView]) -> Frame:
    """One row a file of each request."""
    schema: dict[str, Any] = {"request": str, **dict.fromkeys(("file", "state", "checks"), str), "decided": int}
    schema |= {"reason": str, "asked": datetime}
    rows = [
        {"request": view.request_id, **_output(output), "asked": view.requested_at}
        for view in views
        for output in view.outputs
    ]
    return frame(rows, schema, "Release requests")


def releases(files: Sequence[ReleasedFile]) -> Frame:
    """One row a released file."""
    schema: dict[str, Any] = {"release": str, "file": str, "title": str, "bytes": int, "audience": str}
    schema |= {"released": datetime, "revoked": datetime, "because": str}
    rows = [
        {
            "release": one.release_id,
            "file": one.path,
            "title": one.title,
            "bytes": one.bytes,
            "audience": one.audience,
            "released": one.released_at,
            "revoked": one.revoked_at,
            "because": one.revoked_because,
        }
        for one in files
    ]
    return frame(rows, schema, "Released files")


def incoming(views: Sequence[IngressView]) -> Frame:
    """One row a file on its way in."""
    schema = {"file": str, "state": str, "kind": str, "bytes": int, "asked": datetime, "reason": str}
    rows = [
        {
            "file": one.path,
            "state": one.state.value,
            "kind": one.kind,
            "bytes": one.bytes,
            "asked": one.requested_at,
            "reason": one.reason,
        }
        for one in views
    ]
    return frame(rows, schema, "Files brought in")


def _findings(examined: Examined) -> list[Mapping[str, Any]]:
    found = [
        {
            "file": examined.path,
            "verdict": finding.severity,
            "found": finding.message,
            "mend": finding.mend,
            "cells": "; ".join(f"row {cell.row + 1}, column {cell.column + 1}" for cell in finding.cells[:5]),
        }
        for finding in examined.findings
    ]
    return list(found) or [{"file": examined.path, "verdict": "pass", "found": _CLEAN, "mend": "", "cells": ""}]


def _output(output: OutputView) -> Mapping[str, Any]:
    verdicts = {None: "run at present", "pass": _CLEAN, "flag": "flagged", "block": "blocked"}
    return {
        "file": output.statement.path,
        "state": output.state.value.replace("_", " "),
        "checks": verdicts[output.verdict],
        "decided": output.decided,
        "reason": output.reason,
    }
