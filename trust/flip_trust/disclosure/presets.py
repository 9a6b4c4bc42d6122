"""Disclosure settings that others chose, by name: data in ``policies/disclosure``, to compare one's own with.

The airlock holds outputs to the same files. They say more than counts need: here it is left alone.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flip_trust.errors import SetupError

_INSTALLED = Path(__file__).parents[1] / "policies" / "disclosure"
_REPOSITORY = Path(__file__).parents[3] / "policies" / "disclosure"
FOLDER = _INSTALLED if _INSTALLED.is_dir() else _REPOSITORY


class Preset(BaseModel):
    """A choice of floor and rounding.

    Attributes:
        name: of its file.
        title: whose choice it is.
        purpose: the same in words.
        floor: fewest distinct persons a released figure may be about.
        rounding: released counts are rounded to multiples of this.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    title: str
    purpose: str
    floor: Annotated[int, Field(ge=1, alias="threshold")]
    rounding: Annotated[int, Field(ge=1, alias="round_to")]

    def is_met(self, floor: int, rounding: int) -> bool:
        """Whether these settings keep back and round at least as much."""
        return floor >= self.floor and rounding >= self.rounding


@cache
def presets(folder: Path = FOLDER) -> tuple[Preset, ...]:
    """The presets that come with flip-trust, by name.

    Raises:
        SetupError: one is not valid, or there are none.
    """
    found = tuple(_preset(path) for path in sorted(folder.glob("*.yaml")))
    if not found:
        raise SetupError(f"There are no presets in {folder}.", "Install flip-trust again.")
    return found


def _preset(path: Path) -> Preset:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Preset.model_validate({**content, "name": path.stem})
    except (OSError, yaml.YAMLError, ValidationError, TypeError) as error:
        raise SetupError(f"{path} cannot be read ({type(error).__name__}).", "Install flip-trust again.") from error
