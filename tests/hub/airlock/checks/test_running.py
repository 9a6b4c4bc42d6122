from __future__ import annotations

import sys
from pathlib import Path

import pytest
from flip_hub import sandbox
from flip_hub.airlock.checks import Past, examine, examine_apart, running
from flip_hub.errors import UnavailableError

from tests.hub.airlock.checks.conftest import rules, statement

FILES = {"a.csv": "sex,persons\nwomen,120\nmen,5\n", "b.csv": b"\x80\x04K\x01.", "c.txt": "A result."}
PLAYED = """
import json, os, signal, sys
order = json.load(sys.stdin)
def say(line): print(json.dumps(line), flush=True)
for path in order["wanted"]:
    say({"at": path})
    if path.startswith("hangs"): signal.pause()
    if path.startswith("falls"): os.abort()
    if path.startswith("grows"): raise MemoryError
    if path.startswith("babbles"): print("{" * 100, flush=True)
    content = next(s["content"] for s in order["statements"] if s["path"] == path)
    named = "other" if path.startswith("lies") else path
    say({"examined": {"path": named, "content": content, "bytes": 1, "kind": "text", "verdict": "pass"}})
"""
"""A worker that does to itself what hostile files might do to one."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path, content in FILES.items():
        (tmp_path / path).write_bytes(content if isinstance(content, bytes) else content.encode())
    return tmp_path


def test_a_worker_finds_what_is_found_here(folder: Path, past: Past) -> None:
    statements = [statement(path, content) for path, content in FILES.items()]
    apart = examine_apart(folder, statements, past, sandboxed=sandbox.usable())

    timeless = [examined.model_copy(update={"seconds": 0.0}) for examined in apart]
    assert timeless == [e.model_copy(update={"seconds": 0.0}) for e in examine(folder, statements, past)]
    assert [examined.verdict for examined in apart] == ["flag", "block", "pass"]


def test_a_file_by_which_the_worker_falls_costs_no_other_its_checks(
    tmp_path: Path, past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "COMMAND", (sys.executable, "-c", PLAYED))
    names = ("first", "falls", "second", "hangs", "grows", "babbles", "lies", "last")
    quick = past.model_copy(update={"limits": past.limits.model_copy(update={"seconds": 1})})
    examined = examine_apart(tmp_path, [statement(f"{name}.txt", "x") for name in names], quick, sandboxed=False)

    assert [file.path for file in examined] == [f"{name}.txt" for name in names]
    passed = {file.path.removesuffix(".txt") for file in examined if file.verdict == "pass"}
    assert passed == {"first", "second", "last"}
    assert rules(examined[3]) == {"check.too_long"}
    assert all(rules(examined[place]) == {"check.fell"} for place in (1, 4, 5, 6))


def test_a_worker_that_does_not_start_is_the_hubs_fault_and_no_files(
    tmp_path: Path, past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "COMMAND", (sys.executable, "-c", "raise SystemExit(3)"))

    with pytest.raises(UnavailableError):
        examine_apart(tmp_path, [statement("a.txt", "x")], past, sandboxed=False)


@pytest.mark.slow
def test_what_takes_too_much_memory_is_blocked(tmp_path: Path, past: Past) -> None:
    (tmp_path / "a.csv").write_text("n,m,o,p\n" + "12,13,14,15\n" * 400_000)
    (tmp_path / "b.txt").write_text("text")
    small = past.model_copy(
        update={"limits": past.limits.model_copy(update={"memory_bytes": 2**28 + 2**27, "table_cells": 10**7})}
    )
    statements = [statement(name, (tmp_path / name).read_bytes()) for name in ("a.csv", "b.txt")]
    examined = examine_apart(tmp_path, statements, small, sandboxed=sandbox.usable())

    assert [file.verdict for file in examined] == ["block", "pass"]
    assert rules(examined[0]) == {"check.fell"}
