"""What a FLIP researcher imports.

    import flip_sdk as flip

    hub = flip.connect()
    project = hub.project("breast-cytology")
    project.budget()

Names are loaded when they are first used, so that the import is quick and needs neither torch nor polars.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flip_sdk.advising import Advice, advise
    from flip_sdk.airlock import Output, ReleaseRequest
    from flip_sdk.catalogue import Catalogue, Concept
    from flip_sdk.categories import Grouping, by_age, by_condition, by_sex
    from flip_sdk.client import Hub, connect
    from flip_sdk.cohorts import Cohort, Rule, age_between, has_condition, measurement_between, sex_is
    from flip_sdk.contract.features import Feature, Label
    from flip_sdk.contract.jobs import DPSGD, FullBatch
    from flip_sdk.errors import (
        ConnectionFailedError,
        ExtraMissingError,
        FlipError,
        JobFailedError,
        ModelError,
        NotAllowedError,
        NotFoundError,
        PublicError,
        RecordError,
        SpecError,
    )
    from flip_sdk.events import Event, condition, death, drug, image, measurement, observation, procedure, visit
    from flip_sdk.imaging import Images, Tiles, images, tiles
    from flip_sdk.inputs import age, classes, days_with, had, label, sex
    from flip_sdk.jobs import Job
    from flip_sdk.made_up import offline
    from flip_sdk.privacy import Privacy
    from flip_sdk.project import Project
    from flip_sdk.prototyping import dask_client
    from flip_sdk.publishing import Dashboard
    from flip_sdk.results import Result
    from flip_sdk.signing_in import login, logout

__version__ = "0.1.0"

_HOMES = {
    "Advice": "advising",
    "Catalogue": "catalogue",
    "Cohort": "cohorts",
    "Concept": "catalogue",
    "ConnectionFailedError": "errors",
    "DPSGD": "contract.jobs",
    "Dashboard": "publishing",
    "Event": "events",
    "ExtraMissingError": "errors",
    "Feature": "contract.features",
    "FlipError": "errors",
    "FullBatch": "contract.jobs",
    "Grouping": "categories",
    "Hub": "client",
    "Images": "imaging",
    "Job": "jobs",
    "JobFailedError": "errors",
    "Label": "contract.features",
    "ModelError": "errors",
    "NotAllowedError": "errors",
    "NotFoundError": "errors",
    "Output": "airlock",
    "Privacy": "privacy",
    "Project": "project",
    "PublicError": "errors",
    "RecordError": "errors",
    "ReleaseRequest": "airlock",
    "Result": "results",
    "Rule": "cohorts",
    "SpecError": "errors",
    "Tiles": "imaging",
    "advise": "advising",
    "age": "inputs",
    "age_between": "cohorts",
    "by_age": "categories",
    "by_condition": "categories",
    "by_sex": "categories",
    "classes": "inputs",
    "condition": "events",
    "connect": "client",
    "dask_client": "prototyping",
    "days_with": "inputs",
    "death": "events",
    "drug": "events",
    "had": "inputs",
    "has_condition": "cohorts",
    "image": "events",
    "images": "imaging",
    "label": "inputs",
    "login": "signing_in",
    "logout": "signing_in",
    "measurement": "events",
    "measurement_between": "cohorts",
    "observation": "events",
    "offline": "made_up",
    "procedure": "events",
    "sex": "inputs",
    "sex_is": "cohorts",
    "tiles": "imaging",
    "visit": "events",
}

__all__ = [
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


def __getattr__(name: str) -> object:
    try:
        home = _HOMES[name]
    except KeyError:
        from difflib import get_close_matches

        near = get_close_matches(name, __all__, n=1)
        hint = f" Did you mean flip.{near[0]}?" if near else ""
        raise AttributeError(f"flip_sdk has no {name!r}.{hint}") from None
    value = getattr(import_module(f"flip_sdk.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
