"""Disclosure settings that others chose, by name: data in ``policies/disclosure``, to compare one's own with."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from flip_trust.errors import SetupError

FILE = "presets.yaml"
_INSTALLED = Path(__file__).parents[1] / "policies" / "disclosure"
_REPOSITORY = Path(__file__).parents[3] / "policies" / "disclosure"


class Preset(BaseModel):
    """A choice of floor and rounding.

    Attributes:
        name: short, as it is referred to.
        title: whose choice it is.
        floor: fewest distinct persons a released figure may be about.
        rounding: released counts are rounded to multiples of this.
        words: the same in a sentence.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    floor: Annotated[int, Field(ge=1)]
    rounding: Annotated[int, Field(ge=1)]
    words: str

    def is_met(self, floor: int, rounding: int) -> bool:
        """Whether these settings keep back and round at least as much."""
        return floor >= self.floor and rounding >= self.rounding


@cache
def presets(folder: Path | None = None) -> tuple[Preset, ...]:
    """The presets that come with flip-trust.

    Raises:
        SetupError: the file is missing or not valid.
    """
    path = (folder or (_INSTALLED if _INSTALLED.is_dir() else _REPOSITORY)) / FILE
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return TypeAdapter(tuple[Preset, ...]).validate_python(content)
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise SetupError(f"{path} cannot be read ({type(error).__name__}).", "Install flip-trust again.") from error
