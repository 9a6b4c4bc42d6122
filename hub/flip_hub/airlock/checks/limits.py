"""Limits of disclosure as data: the presets under ``policies/disclosure``, of which a hub chooses one."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any

import yaml
from flip_sdk.contract.records import Finite, Line, Name, Record, Text
from pydantic import Field, ValidationError

from flip_hub.errors import ConfigError

_INSTALLED = Path(__file__).parents[2] / "disclosure"
_REPOSITORY = Path(__file__).parents[4] / "policies" / "disclosure"

THE_TRUSTS = "presets.yaml"
"""Settings of Trusts, which lie beside them."""
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, le=1)]


class Limits(Record):
    """What may leave without a person's decision, and how much is read.

    Attributes:
        name: of the preset.
        title: whose rules they are.
        purpose: for whom they are meant.
        threshold: the smallest number of persons that may be told.
        zeros_are_small: whether "nobody" is told no more than a small number.
        round_to: counts are multiples of it; 1: they are not rounded.
        dominant: with ``dominant_share``: so many contributors must not make up more than that share (the nk rule).
        dominant_share: of the total.
        p_ratio: all but the two largest contributors must make up this share of the largest (the p% rule).
        model_epsilon: a model trained for more ε than this is looked at by a person.
        attack_auc: how well a membership attack may do (0.5: a coin).
        file_bytes: of one file.
        request_bytes: of all files together.
        table_rows: a longer table is looked at by a person.
        table_columns: a wider one too.
        table_cells: a table with more is not read.
        image_pixels: of one image.
        seconds: for reading or checking one file.
        total_seconds: for one request.
        memory_bytes: of the process that checks.
    """

    name: Name
    title: Line
    purpose: Text
    threshold: Positive
    zeros_are_small: bool = True
    round_to: Positive = 1
    dominant: Positive = 2
    dominant_share: Share = 0.9
    p_ratio: Share = 0.1
    model_epsilon: Annotated[Finite, Field(gt=0)] = 4.0
    attack_auc: Annotated[float, Field(ge=0.5, le=1)] = 0.6
    file_bytes: Positive = 64 * 1024 * 1024
    request_bytes: Positive = 256 * 1024 * 1024
    table_rows: Positive = 1_000
    table_columns: Positive = 50
    table_cells: Positive = 1_000_000
    image_pixels: Positive = 25_000_000
    seconds: Positive = 60
    total_seconds: Positive = 600
    memory_bytes: Positive = 6 * 1024 * 1024 * 1024


def folder() -> Path:
    """Where the presets are: in the wheel, or beside the package in the repository."""
    return _INSTALLED if _INSTALLED.is_dir() else _REPOSITORY


def presets() -> tuple[str, ...]:
    """Names of the presets that come with the hub."""
    return tuple(sorted(path.stem for path in folder().glob("*.yaml") if path.name != THE_TRUSTS))


@cache
def load(name: str) -> Limits:
    """A preset by its name.

    Raises:
        ConfigError: there is none of this name, or it says what limits cannot say.
    """
    if name not in presets():
        raise ConfigError(f"There are no limits of disclosure called {name}.", f"Choose of: {', '.join(presets())}.")
    return parse((folder() / f"{name}.yaml").read_text("utf-8"), name)


def parse(text: str, name: str) -> Limits:
    """Limits out of a preset's YAML.

    Raises:
        ConfigError: every violation at once.
    """
    try:
        content: Any = yaml.safe_load(text)
        return Limits.model_validate({**content, "name": name})
    except (yaml.YAMLError, TypeError) as error:
        raise ConfigError(f"The limits {name} are not YAML: {error}", "Correct the file.") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"The limits {name} cannot be used: {wrong}.", "Correct the file.") from error
