"""Writes which tests ran and how they ended, where FLIP_EVIDENCE names a file: `flip-hub satre report` reads it.

Several runs on one commit add up. A run on another commit begins anew.
"""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
_WORST_FIRST = ("failed", "skipped", "passed")


class Recorder:
    """Gathers the outcomes of one run: of a test with parameters, the worst of them.

    Args:
        path: the file to write when the run ends.
        commit: of the sources.
        changed: whether they differ from it.
    """

    def __init__(self, path: Path, commit: str, changed: bool) -> None:
        self._path = path
        self._head = {"commit": commit, "changed": changed}
        self.outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase of a test: a failure while setting up counts as much."""
        if report.when != "call" and report.outcome == "passed":
            return
        # xdist adds the group to the name
        test = report.nodeid.partition("[")[0].partition("@")[0]
        seen = (report.outcome, self.outcomes.get(test, "passed"))
        self.outcomes[test] = min(seen, key=_WORST_FIRST.index)

    def pytest_sessionfinish(self) -> None:
        """Write, through a file of another name: one that is cut short is none."""
        before = self._before()
        told = self._head | {
            "ended_at": datetime.now(UTC).isoformat(),
            "outcomes": dict(sorted((before | self.outcomes).items())),
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(told, indent=0) + "\n", "utf-8")
        new.replace(self._path)

    def _before(self) -> dict[str, str]:
        if not self._path.is_file():
            return {}
        told = json.loads(self._path.read_text("utf-8"))
        same = {name: told.get(name) for name in self._head} == self._head
        return told["outcomes"] if same else {}


def recorder(config: pytest.Config) -> Recorder | None:
    """The recorder that this run wants: the controller's alone, where workers share the tests."""
    path = os.environ.get("FLIP_EVIDENCE")
    if not path or hasattr(config, "workerinput"):
        return None
    commit = _git("rev-parse", "HEAD")
    return Recorder(ROOT / path, commit, not commit or bool(_git("status", "--porcelain")))


def _git(*arguments: str) -> str:
    """What git says; nothing where there is no repository."""
    try:
        done = subprocess.run(("git", *arguments), cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
