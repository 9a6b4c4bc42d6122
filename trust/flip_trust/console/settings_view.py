"""The Trust's settings as a steward reads them: what each means, where it comes from, and which line to change."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from flip_sdk.contract.notices import ProjectForTrust
from flip_sdk.contract.tasks import SignedOffJob, Task

from flip_trust.config import FILE_NAME, TrustConfig, sources
from flip_trust.console.drawing import plain
from flip_trust.errors import SetupError
from flip_trust.job_rules import OWN_FILE, JobRules

PROTECTING = {
    "floor": "The fewest distinct persons a released figure may be about. Decided on the noisy number.",
    "rounding": "Released counts are rounded to multiples of this.",
    "repeat_answers": "A question asked again gets the same numbers again, and costs nothing.",
    "max_epsilon_per_job": "A job that asks for more ε than this is refused.",
    "human_sign_off": "Which jobs a person at the hub has to have signed off: never, outside_envelope or always.",
    "total_epsilon": "What may be spent of the whole data set, over all projects together and without an end.",
    "total_delta": "The δ at which that total is reckoned.",
    "total_epsilon_alone": "The same total if every other Trust worked with the hub; 0 is four times total_epsilon.",
    "max_model_bytes": "Larger models are refused.",
    "sandbox": "What a model is confined by while it computes. none is for demonstrations.",
    "production": "Refuses what only a demonstration may do.",
    "deidentification_profile": "By what received images are de-identified.",
    "keep_snapshot_hours": "A frozen cohort is deleted after this many hours, whatever happens.",
}
_HUBS_RECORDS = (Task, SignedOffJob, ProjectForTrust)


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        value: as it holds in the program that shows this.
        source: ``file``, ``environment`` or ``default``.
        line: of trust.toml, where it stands there, commented out or not; 0 where it does not.
        means: in words; empty for those that concern the machine alone.
    """

    name: str
    value: str
    source: str
    line: int
    means: str


@dataclass(frozen=True)
class File:
    """The file that the settings are read from.

    Attributes:
        changed_at: when it was last written.
        is_private: whether its owner alone can write it.
        differs: whether it says something else now than when the console was started.
        problem: why it cannot be read any more; empty where it can.
    """

    path: Path
    changed_at: datetime
    is_private: bool
    differs: bool
    problem: str = ""


def settings(config: TrustConfig, environ: Mapping[str, str] = os.environ) -> Sequence[Setting]:
    """Every setting: those that protect people first."""
    from_where, lines = _sources(config.home, environ), _lines(config.home / FILE_NAME)
    names = [field.name for field in fields(TrustConfig) if field.name != "home"]
    names.sort(key=lambda name: list(PROTECTING).index(name) if name in PROTECTING else len(PROTECTING))
    return [
        Setting(
            name,
            _shown(getattr(config, name)),
            from_where.get(name, "unknown"),
            lines.get(name, 0),
            PROTECTING.get(name, ""),
        )
        for name in names
    ]


def file_of(config: TrustConfig, environ: Mapping[str, str] = os.environ) -> File:
    """What there is to say of the settings' file."""
    path, problem, differs = config.home / FILE_NAME, "", True
    try:
        differs = TrustConfig.load(config.home, environ) != config
    except SetupError as error:
        problem = f"{error.message} {error.mend}"
    if not path.exists():
        return File(path, datetime.now(UTC), is_private=True, differs=True, problem=problem)
    state = path.stat()
    changed_at = datetime.fromtimestamp(state.st_mtime, UTC)
    return File(path, changed_at, not state.st_mode & 0o022, differs, problem)


@dataclass(frozen=True)
class OwnPolicies:
    """The hospital's own policies on jobs.

    Attributes:
        path: of the file, whether there is one or not.
        statements: each one's name and what it tells; empty where there is no file.
        is_private: whether the file's owner alone can write it.
        problem: why it cannot be used; the agent does not start then. Empty where it can.
    """

    path: Path
    statements: Sequence[tuple[str, str]] = ()
    is_private: bool = True
    problem: str = ""


def own_policies(config: TrustConfig) -> OwnPolicies:
    """What this hospital forbids beside what its opt-ins allow, as the file says now."""
    path = config.home / OWN_FILE
    is_private = not path.exists() or not path.stat().st_mode & 0o022
    try:
        own = JobRules.of(config).own
    except SetupError as error:
        return OwnPolicies(path, (), is_private, f"{error.message} {error.mend}")
    words = [(one.id, f"{one.annotations['reason']} {one.annotations.get('mend', '')}".strip()) for one in own]
    return OwnPolicies(path, words, is_private)


def settable_by_the_hub() -> frozenset[str]:
    """Settings that a record of the hub's has a field for. There are none: this looks, so that it stays so."""
    theirs = {name for record in _HUBS_RECORDS for name in record.model_fields}
    return frozenset(PROTECTING) & theirs


def _sources(home: Path, environ: Mapping[str, str]) -> dict[str, str]:
    try:
        return sources(home, environ)
    except SetupError:
        return {}


def _lines(path: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    for number, line in enumerate(text.splitlines(), start=1):
        name, is_setting, _ = line.lstrip("# ").partition("=")
        if is_setting:
            found[name.strip()] = number
    return found


def _shown(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return plain(value)
        case str():
            return f'"{value}"'
        case _:
            return str(value)
