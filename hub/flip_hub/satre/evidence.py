"""Which tests ran, and how they ended: the file that ``make test`` writes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal

from flip_sdk.contract.records import Line, Record
from pydantic import ValidationError

from flip_hub.errors import ConfigError

_INSTALLED = Path(__file__).parents[1] / "evidence.json"
_REPOSITORY = Path(__file__).parents[3] / "build" / "evidence.json"


class Evidence(Record):
    """The outcomes of one version's tests.

    Attributes:
        commit: of the sources; empty where nothing ran.
        changed: whether the sources differed from that commit.
        ended_at: when the last test ended.
        outcomes: of each test function, over all its parameters: passed only if every one of them passed.
    """

    commit: Line = ""
    changed: bool = False
    ended_at: datetime | None = None
    outcomes: Mapping[str, Literal["passed", "failed", "skipped"]] = {}

    @classmethod
    def read(cls, path: Path | None) -> Evidence:
        """The file given, else the one that was shipped, else that of this repository, else none.

        Raises:
            ConfigError: the file is not there, or is none.
        """
        found = path or next((file for file in (_INSTALLED, _REPOSITORY) if file.is_file()), None)
        if found is None:
            return cls()
        try:
            return cls.model_validate_json(found.read_bytes())
        except (OSError, ValidationError) as error:
            raise ConfigError(f"{found} holds no results of tests.", "Give the file that `make test` wrote.") from error
