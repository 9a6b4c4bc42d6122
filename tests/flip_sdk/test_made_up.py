from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner
from flip_sdk.cli import app
from flip_sdk.made_up import shared

import flip_sdk as flip


def test_an_offline_hub_is_asked_like_a_real_one() -> None:
    hub = flip.offline()
    project = hub.project()
    assert "nobody's data" in repr(hub)
    assert project.id in hub.projects()["project"].to_list()
    counts = {tuple(project.count(epsilon=0.2)["persons"].to_list()) for _ in range(4)}
    assert len(counts) > 1, "the noise of real Trusts is in it"
    assert project.budget()["spent"].to_list()[0] > 0


def test_two_offline_hubs_know_nothing_of_each_other() -> None:
    first, second = flip.offline(), flip.offline()
    first.project().count(epsilon=0.2)
    assert second.project().jobs().is_empty()


def test_connecting_offline_is_one_hub_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    shared.cache_clear()
    monkeypatch.setenv("FLIP_HUB_API", "offline")
    flip.connect().project().count(epsilon=0.2)
    assert len(flip.connect("offline").project().jobs()) == 1
    assert "breast-cytology" in CliRunner().invoke(app, ["projects"]).stdout


def test_a_script_runs_unchanged() -> None:
    program = "import flip_sdk as flip; print(len(flip.connect().project().budget()))"
    environment = {**os.environ, "FLIP_HUB_API": "offline"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "4"


def test_the_command_answers_other_terminals() -> None:
    done = CliRunner().invoke(app, ["offline", "--for", "0"], catch_exceptions=False)
    assert "export FLIP_HUB_API=http://127.0.0.1:" in done.stdout
    with flip.offline().serve() as environment:
        asked = CliRunner().invoke(app, ["budget", "--json"], env=environment, catch_exceptions=False)
    assert len(json.loads(asked.stdout)) == 4
