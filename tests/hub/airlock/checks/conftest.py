"""Real files in a folder, checked as a request of project ``hearts``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from flip_hub.airlock.checks import Past, examine, load
from flip_sdk.contract.airlock import Examined, Finding, OutputStatement
from flip_sdk.contract.records import digest

Content = str | bytes
Checking = Callable[..., dict[str, Examined]]


def statement(path: str, content: Content, **stated: Any) -> OutputStatement:
    return OutputStatement(path=path, content=digest(as_bytes(content)), title="An output", **stated)


def as_bytes(content: Content) -> bytes:
    return content.encode() if isinstance(content, str) else content


def rules(examined: Examined) -> set[str]:
    """Rules of what is more than a note."""
    return {finding.rule for finding in examined.findings if finding.severity != "note"}


def notes(examined: Examined) -> set[str]:
    return {finding.rule for finding in examined.findings if finding.severity == "note"}


def found(examined: Examined, rule: str) -> Finding:
    (only,) = (finding for finding in examined.findings if finding.rule == rule)
    return only


@pytest.fixture
def past() -> Past:
    return Past(project="hearts", limits=load("nhs-england"))


@pytest.fixture
def check(tmp_path: Path, past: Past) -> Checking:
    """Check files: ``check({"a.csv": "…"}, {"a.csv": {"counts": ("n",)}}, past)``."""
    usual = past

    def checked(
        files: Mapping[str, Content], stated: Mapping[str, Mapping[str, Any]] | None = None, past: Past = usual
    ) -> dict[str, Examined]:
        folder = tmp_path / "request"
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(as_bytes(content))
        statements = [statement(path, content, **(stated or {}).get(path, {})) for path, content in files.items()]
        return {examined.path: examined for examined in examine(folder, statements, past)}

    return checked
