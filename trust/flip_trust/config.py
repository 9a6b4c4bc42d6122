"""The Trust's settings: one frozen record, read once at the start and passed in.

``<home>/trust.toml`` first, then the environment (``FLIP_TRUST_`` and the setting's name in capitals).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from flip_sdk.accounting.caps import ALONE_FACTOR, Cap
from flip_sdk.contract.records import Name
from pydantic import TypeAdapter, ValidationError

from flip_trust.errors import SetupError

ENVIRONMENT_PREFIX = "FLIP_TRUST_"
FILE_NAME = "trust.toml"
Sandbox = Literal["bubblewrap", "none"]
HumanSignOff = Literal["never", "outside_envelope", "always"]


@dataclass(frozen=True)
class TrustConfig:
    """Every setting of one Trust.

    Attributes:
        home: the one folder that holds all of the Trust's state.
        name: the Trust's name, as tasks are addressed to it.
        title: the Trust's name as people see it.
        production: refuses what only a demonstration may do, such as an engine without a sandbox.
        encrypted_by: what encrypts the disks, in words, where this machine cannot see it (a hypervisor, for example);
            in production it is told, or dm-crypt is found.
        sandbox: what engine workers run in: ``bubblewrap``, or ``none``.
        floor: fewest distinct persons a released figure may be about (always applied to noisy counts).
        rounding: released counts are rounded to multiples of this.
        repeat_answers: a question that the same project asked word for word since the last catalogue is answered by the
            same numbers, and debited nothing.
        max_epsilon_per_job: a job that asks for more is refused.
        human_sign_off: which jobs a person at the hub has to have signed off: ``never`` demands none,
            ``outside_envelope`` those beyond the application as this Trust was told of it, ``always`` every one.
        total_epsilon: cap of the whole data set, over all projects together and without an end.
        total_delta: the delta at which the data set's total is reckoned.
        total_epsilon_alone: the same cap, reckoned as if every other Trust worked with the hub, so that of shared noise
            only this Trust's own counted; 0 means four times total_epsilon.
        max_model_bytes: largest model (graph and weights together) that is taken.
        engine_sessions: engine workers at work at a time; further jobs wait.
        count_workers: counts at work at a time, beside the engine's jobs.
        spare_workers: engine workers kept warm for the next job.
        status_interval: seconds between signs of life to the hub.
        clock_skew: seconds by which the hub's clock and ours may differ.
        deidentification_profile: by what received images are de-identified: a profile's name, or a YAML file in
            the home.
        dask: address of the hospital's Dask scheduler, on which jobs' images are made; without it this machine does it.
        feature_workers: processes of this machine that make images for jobs; 0: one for few, else one a processor.
        image_cache_gigabytes: what is kept of images made for jobs; the longest unused make room.
        keep_snapshot_hours: a job's frozen cohort is deleted after this, even when its end was never heard of.
        console_idle_minutes: who is signed in to the console and does nothing for so long is signed out.
    """

    home: Path
    name: str
    title: str
    production: bool = False
    encrypted_by: str = ""
    sandbox: str = "bubblewrap"
    floor: int = 10
    rounding: int = 5
    repeat_answers: bool = True
    max_epsilon_per_job: float = 10.0
    human_sign_off: str = "never"
    total_epsilon: float = 100.0
    total_delta: float = 1e-5
    total_epsilon_alone: float = 0.0
    max_model_bytes: int = 256 * 1024 * 1024
    engine_sessions: int = 2
    count_workers: int = 2
    spare_workers: int = 1
    status_interval: float = 5.0
    clock_skew: float = 30.0
    deidentification_profile: str = "research-default"
    dask: str = ""
    feature_workers: int = 0
    image_cache_gigabytes: float = 100.0
    keep_snapshot_hours: float = 48.0
    console_idle_minutes: float = 15.0

    def __post_init__(self) -> None:
        """Refuse settings that would weaken what the Trust promises."""
        rules = {
            "floor must be 1 or more": self.floor >= 1,
            "rounding must be 1 or more": self.rounding >= 1,
            "max_epsilon_per_job must be above 0": self.max_epsilon_per_job > 0,
            "total_epsilon must be above 0": self.total_epsilon > 0,
            "total_delta must be between 0 and 0.01": 0 < self.total_delta < 0.01,
            "total_epsilon_alone must be 0, or total_epsilon or more": (
                self.total_epsilon_alone == 0 or self.total_epsilon_alone >= self.total_epsilon
            ),
            "engine_sessions and count_workers must be 1 or more": min(self.engine_sessions, self.count_workers) >= 1,
            "feature_workers and image_cache_gigabytes must be 0 or more": (
                min(self.feature_workers, self.image_cache_gigabytes) >= 0
            ),
            "status_interval must be above 0": self.status_interval > 0,
            "console_idle_minutes must be above 0, and at most 60": 0 < self.console_idle_minutes <= 60,
            "human_sign_off must be never, outside_envelope or always": self.human_sign_off in get_args(HumanSignOff),
            "sandbox must be bubblewrap or none": self.sandbox in get_args(Sandbox),
            "sandbox = none is not for production": not (self.production and self.sandbox == "none"),
        }
        if broken := [rule for rule, kept in rules.items() if not kept]:
            raise SetupError(f"{FILE_NAME}: {'; '.join(broken)}.", "Correct the file.")
        try:
            TypeAdapter(Name).validate_python(self.name)
        except ValidationError as error:
            raise SetupError(
                f"'{self.name}' is not a Trust's name.", "Use lower case, digits and hyphens, at most 40 characters."
            ) from error

    @classmethod
    def load(cls, home: Path | str | None = None, environ: Mapping[str, str] = os.environ) -> TrustConfig:
        """Read ``trust.toml`` of a home folder, then the environment.

        Args:
            home: the Trust's home; without it, ``FLIP_TRUST_HOME``.
            environ: the environment to read.

        Raises:
            SetupError: no home, no file, or settings that do not fit.
        """
        folder = home or environ.get(ENVIRONMENT_PREFIX + "HOME")
        if not folder:
            raise SetupError("The Trust's home folder is not known.", "Give --home or set FLIP_TRUST_HOME.")
        path = Path(folder).absolute()
        settings = _from_file(path / FILE_NAME) | _from_environment(environ)
        if missing := sorted(_REQUIRED - set(settings)):
            raise SetupError(f"{path / FILE_NAME} lacks: {', '.join(missing)}.", "Add them, or run flip-trust init.")
        return cls(home=path, **settings)

    @property
    def total(self) -> Cap:
        """What may be spent of the whole data set, over all projects together and without an end."""
        alone = self.total_epsilon_alone or ALONE_FACTOR * self.total_epsilon
        return Cap(self.total_epsilon, self.total_delta, alone)

    @property
    def keys(self) -> Path:
        """Private keys: identity.pem and node.pem."""
        return self.home / "keys"

    @property
    def hub_file(self) -> Path:
        """The pinned HubEnrolment."""
        return self.home / "hub.json"

    @property
    def enrolment_file(self) -> Path:
        """This Trust's own TrustEnrolment, to hand to the hub's operator."""
        return self.home / "trust-enrolment.json"

    @property
    def omop(self) -> Path:
        """OMOP CDM 5.4 tables in Parquet, and catalogue.toml."""
        return self.home / "omop"

    @property
    def database(self) -> Path:
        """Consent, ledger, tasks, releases and audit."""
        return self.home / "trust.db"

    @property
    def jobs(self) -> Path:
        """Frozen cohorts and model graphs of running jobs; files only their owner can read."""
        return self.home / "jobs"

    @property
    def slots(self) -> Path:
        """The engine workers' folders."""
        return self.home / "slots"


def sources(home: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Where each setting comes from: ``environment``, ``file`` or ``default``.

    Raises:
        SetupError: the file cannot be read.
    """
    in_file, in_environment = _from_file(home / FILE_NAME), _from_environment(environ)

    def source(name: str) -> str:
        return "environment" if name in in_environment else "file" if name in in_file else "default"

    return {name: source(name) for name in _TYPES}


_TYPES = {field.name: str(field.type) for field in fields(TrustConfig) if field.name != "home"}
_REQUIRED = {field.name for field in fields(TrustConfig) if field.default is MISSING} - {"home"}


def _from_file(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SetupError(f"There is no {path}.", "Make the Trust's home with: flip-trust init --home …") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SetupError(f"{path} cannot be read: {error}", "Correct the file.") from error
    if unknown := sorted(set(content) - set(_TYPES)):
        raise SetupError(f"{path} has unknown settings: {', '.join(unknown)}.", "Remove or correct them.")
    return {name: _checked(name, value) for name, value in content.items()}


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    names = {ENVIRONMENT_PREFIX + name.upper(): name for name in _TYPES}
    return {name: _parsed(name, environ[variable]) for variable, name in names.items() if variable in environ}


def _parsed(name: str, text: str) -> object:
    try:
        match _TYPES[name]:
            case "bool":
                return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
            case "int":
                return int(text)
            case "float":
                return float(text)
            case _:
                return text
    except (KeyError, ValueError) as error:
        raise SetupError(f"{ENVIRONMENT_PREFIX}{name.upper()} is not a {_TYPES[name]}.", "Correct it.") from error


def _checked(name: str, value: object) -> object:
    kinds: dict[str, tuple[type, ...]] = {"bool": (bool,), "int": (int,), "float": (int, float), "str": (str,)}
    wanted = kinds[_TYPES[name]]
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted != (bool,)):
        raise SetupError(f"{FILE_NAME}: {name} is not a {_TYPES[name]}.", "Correct it.")
    return float(value) if _TYPES[name] == "float" and isinstance(value, int) else value
