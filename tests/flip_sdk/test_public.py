from __future__ import annotations

import pkgutil
import subprocess
import sys

import flip_sdk as flip


def test_the_public_names_are_these() -> None:
    assert flip.__all__ == [
        "DPSGD",
        "Advice",
        "Catalogue",
        "Cohort",
        "Concept",
        "ConnectionFailedError",
        "Dashboard",
        "Event",
        "ExtraMissingError",
        "Feature",
        "FlipError",
        "FullBatch",
        "Grouping",
        "Hub",
        "Images",
        "Job",
        "JobFailedError",
        "Label",
        "ModelError",
        "NotAllowedError",
        "NotFoundError",
        "Output",
        "Privacy",
        "Project",
        "PublicError",
        "RecordError",
        "ReleaseRequest",
        "Result",
        "Rule",
        "SpecError",
        "Tiles",
        "advise",
        "age",
        "age_between",
        "by_age",
        "by_condition",
        "by_sex",
        "classes",
        "condition",
        "connect",
        "dask_client",
        "days_with",
        "death",
        "drug",
        "had",
        "has_condition",
        "image",
        "images",
        "label",
        "login",
        "logout",
        "measurement",
        "measurement_between",
        "observation",
        "offline",
        "procedure",
        "sex",
        "sex_is",
        "tiles",
        "visit",
    ]
    assert dir(flip) == sorted(flip.__all__)
    assert all(getattr(flip, name).__name__ == name for name in flip.__all__)


def test_no_public_name_is_hidden_by_a_module_of_the_same_name() -> None:
    modules = {module.name for module in pkgutil.iter_modules(flip.__path__)}
    assert not modules & set(flip.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(flip, "studies")


def test_importing_loads_nothing_heavy() -> None:
    program = (
        "import sys, flip_sdk; "
        "print(*(m for m in ('torch', 'polars', 'numpy', 'httpx', 'pydantic', 'IPython') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ""


def test_connecting_loads_neither_torch_nor_polars() -> None:
    program = (
        "import sys, flip_sdk; flip_sdk.connect, flip_sdk.Project, flip_sdk.Job, flip_sdk.Cohort, flip_sdk.Privacy; "
        "import flip_sdk.cli; print(*(m for m in ('torch', 'polars', 'numpy', 'IPython') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ""
