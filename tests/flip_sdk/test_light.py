"""What ``pip install flip-sdk`` brings, and what it can do without any extra."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest
from flip_sdk.extras import EXTRAS, installed, needed
from flip_sdk.frames import frame
from flip_sdk.testing import FakeHub

import flip_sdk as flip

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    *("numpy", "polars", "pandas", "torch", "scipy", "dp_accounting", "opendp", "safetensors", "monai", "cryptography"),
    *("joserfc", "IPython", "ipywidgets", "anywidget", "matplotlib"),
)
"""What the extras bring."""
WITHOUT = f"import sys; sys.modules.update(dict.fromkeys({HEAVY!r}))\n"
"""The beginning of a program on whose machine none of them is installed."""
MEGABYTE = 1_000_000


def without_extras(program: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT + program],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_cohort_is_counted_and_asked_about_without_any_extra() -> None:
    program = """
import flip_sdk as flip
hub = flip.connect()
project = hub.project()
shown = [hub.projects(), project.budget(), project.catalogue().concepts, project.catalogue().imaging()]
cohort = flip.Cohort(flip.has_condition("malignant"), flip.age_between(40, 70))
shown += [project.count(cohort), project.describe(), project.jobs(), project.job("job-1").events()]
shown += [project.airlock.releases(), project.airlock.requests(), project.dashboards()]
project.job("job-1").result()._repr_html_(), project._repr_html_(), project.catalogue()._repr_html_()
print(sum(len(repr(one)) > 0 for one in shown), shown[0]["project"])
"""
    with FakeHub().serve() as environment:
        assert without_extras(program, **environment).strip() == "11 ['breast-cytology']"


def test_a_budget_that_does_not_cover_a_job_is_told_by_the_hub_then() -> None:
    program = """
import flip_sdk as flip
try:
    flip.connect().project().count(epsilon=9.9)
    flip.connect().project().count(epsilon=9.9)
except flip.PublicError as error:
    print(type(error).__name__, bool(error.mend))
"""
    with FakeHub().serve() as environment:
        assert without_extras(program, **environment).strip() in ("SpecError True", "JobFailedError True")


@pytest.mark.parametrize(
    ("program", "extra"),
    [
        ("import flip_sdk.simulate", "learning"),
        ("import flip_sdk.testing", "learning"),
        ("import flip_sdk.dashboards", "notebook"),
        ("import flip_sdk as flip; flip.advise({})", "learning"),
        ("from flip_sdk.models import export_model; export_model(None, 1, 'mse')", "learning"),
        ("from flip_sdk.frames import frame; frame([], {'a': int}).filter(1)", "tables"),
        ("import flip_sdk as flip; flip.images('CT').window(1, 2).size(3, 3).preview([[1]])", "imaging"),
    ],
    ids=["simulate", "testing", "dashboards", "advise", "model", "table", "preview"],
)
def test_what_needs_an_extra_says_the_line_to_run(program: str, extra: str) -> None:
    told = without_extras(
        f"import flip_sdk\ntry:\n    exec({program!r})\nexcept flip_sdk.PublicError as error:\n    print(error.mend)"
    )
    assert told.strip() == f'Run: pip install "flip-sdk[{extra}]"'


def test_every_extra_that_is_named_exists() -> None:
    told = tomllib.loads((ROOT / "flip_sdk" / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    source = "".join(path.read_text("utf-8") for path in (ROOT / "flip_sdk" / "flip_sdk").rglob("*.py"))
    assert set(told) == set(EXTRAS)
    assert set(re.findall(r'needed\("(\w+)"', source)) <= set(told)


def test_a_fault_of_our_own_is_not_taken_for_a_missing_extra() -> None:
    with pytest.raises(ModuleNotFoundError) as caught, needed("learning", "This"):
        import flip_sdk.nowhere  # noqa: F401
    assert not isinstance(caught.value, flip.PublicError)
    assert installed("json")
    assert not installed("nowhere_at_all")


def test_a_table_without_polars_shows_itself_the_same() -> None:
    rows, kinds = [{"trust": "a", "persons": 5}, {"trust": "b", "persons": None}], {"trust": str, "persons": int}
    here = frame(rows, kinds, "Persons", ("persons",))
    program = f"""
from flip_sdk.frames import frame
made = frame({rows!r}, {{"trust": str, "persons": int}}, "Persons", ("persons",))
print(repr(made) + made._repr_html_() + str(made["persons"]) + made.write_json())
"""
    assert without_extras(program).strip() == repr(here) + here._repr_html_() + "[5, None]" + here.write_json()


def test_no_dependency_is_heavy() -> None:
    told = tomllib.loads((ROOT / "flip_sdk" / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    names = {re.split(r"[^\w-]", line)[0].lower().replace("-", "_") for line in told}
    assert not names & {name.lower() for name in HEAVY}


@pytest.mark.slow
def test_an_empty_environment_stays_small_and_the_import_is_quick(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    pip = [sys.executable, "-m", "pip"]
    subprocess.run([*pip, "wheel", "-q", "-w", str(wheels), str(ROOT / "flip_sdk")], check=True)
    venv.create(tmp_path / "empty", with_pip=False)
    python = tmp_path / "empty" / "bin" / "python"
    into = [*pip, "--python", str(python), "install", "-q", "--no-index", "--find-links", str(wheels), "flip-sdk"]
    subprocess.run(into, check=True)
    subprocess.run([python, "-m", "compileall", "-q", str(tmp_path / "empty" / "lib")], check=False)

    assert weight(wheels) < 10 * MEGABYTE
    assert weight(tmp_path / "empty" / "lib") < 20 * MEGABYTE
    assert min(seconds(python, "import flip_sdk") for _ in range(3)) < 0.5
    assert min(seconds(python, "import flip_sdk; flip_sdk.connect, flip_sdk.Project") for _ in range(3)) < 1.0


def weight(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def seconds(python: Path, program: str) -> float:
    """Of a processor, from the start of Python on: how busy the machine is does not count."""
    done = subprocess.run([python, "-c", f"{program}; import time; print(time.process_time())"], check=True, stdout=-1)
    return float(done.stdout)
