"""What the documents say exists: links, commands with their options, make targets, settings and states."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest
import typer
from flip_hub.cli import app as hub_app
from flip_sdk.cli import app as sdk_app
from flip_trust.cli import app as trust_app

ROOT = Path(__file__).resolve().parents[1]
APPS = {"flip": sdk_app, "flip-hub": hub_app, "flip-trust": trust_app}
WRITTEN = ("*.md", "docs/*.md", "docs/adr/*.md", "flip_sdk/*.md", "hub/*.md", "trust/*.md")
PAGES = [page for pattern in WRITTEN for page in sorted(ROOT.glob(pattern))]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@cache
def program_of(program: str) -> click.Command:
    app = APPS[program]
    return app if isinstance(app, click.Group) else typer.main.get_command(app)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text("utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_exist_with_their_options(page: Path) -> None:
    for program, words in commands(page.read_text("utf-8")):
        command = program_of(program)
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            assert words[0] in command.commands, f"{program}: {words}"
            command = command.commands[words.pop(0)]
        known = {one for parameter in command.params for one in (*parameter.opts, *parameter.secondary_opts)} | {
            "--help"
        }
        assert {word for word in words if word.startswith("--")} <= known, f"{program}: {words}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    asked = re.findall(r"(?:^ {4}|`)make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE)

    assert set(asked) <= targets


def test_generated_documents_are_current() -> None:
    subprocess.run([sys.executable, "docs/generate.py", "--check"], cwd=ROOT, check=True)


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Commands in code, in blocks or in a line: the program, and its words without comments."""
    blocks = re.findall(r"^(?: {4}|)(?:\.venv/bin/)?(flip(?:-hub|-trust)?) (.+)$", text, re.MULTILINE)
    inline = re.findall(r"`(flip(?:-hub|-trust)?) ([^`]+)`", text)
    for program, rest in [*blocks, *inline]:
        words = shlex.split(rest.replace("…", ""), comments=True)
        if words and re.fullmatch(r"[a-z-]+|--[a-z]+", words[0]):
            yield program, words
