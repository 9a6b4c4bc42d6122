"""What a package needs besides: resolved by pip against the index upstream, and nothing installed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from flip_hub.config import HubConfig
from flip_hub.database import Database, Entry
from flip_hub.errors import ConfigError, InvalidError
from flip_hub.packages.approved import Package, approved, own_file

_SECONDS = 600


def resolve(config: HubConfig, wanted: Sequence[str]) -> list[Package]:
    """Each wanted package and all that it needs, with the version that would be installed into an empty environment.

    Args:
        config: the hub's settings.
        wanted: names, with versions where they matter (PEP 508).

    Raises:
        ConfigError: the hub has no index.
        InvalidError: they cannot be installed from wheels alone, or together; with pip's own words.
    """
    if not config.package_index:
        raise ConfigError("This hub has no index of packages.", "Set package_index to the address of one.")
    if any(one.startswith("-") for one in wanted):
        raise InvalidError("Options are not packages.", "Name packages.")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        done = subprocess.run(  # noqa: S603 - our own command line
            [*_pip(config.package_index, report), *wanted],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        if done.returncode:
            words = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            raise InvalidError("pip says: " + " ".join(words)[:1000], "Correct the names, or ask for other versions.")
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    return [_package(one, wanted) for one in found]


def approve(config: HubConfig, database: Database, found: Sequence[Package], why: str, by: str) -> list[Package]:
    """Add packages to the hub's own list; returns those that were not on it.

    Args:
        config: the hub's settings.
        database: the hub's.
        found: what :func:`resolve` found.
        why: what they are for, and who asked.
        by: who approves them, for the audit log.
    """
    listed = approved(config).packages
    new = [one.model_copy(update={"why": f"{why} ({one.why})" if one.why else why}) for one in found]
    new = [one for one in new if not any((one.name, one.versions) == (old.name, old.versions) for old in listed)]
    if not new:
        return []
    content = {"schema_version": 1, "packages": [one.model_dump(mode="json") for one in (*listed, *new)]}
    details = {"packages": [f"{one.name}{one.versions}" for one in new], "reason": why}
    path = own_file(config)
    part = path.with_suffix(".part")
    with database.write(Entry(by, "package.approved", "hub", details)):
        part.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
        part.replace(path)
    return new


def _pip(index: str, report: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "pip", "install", "--isolated", "--quiet", "--no-input", "--dry-run"),
        *("--ignore-installed", "--only-binary=:all:", "--disable-pip-version-check"),
        *("--index-url", index, "--report", str(report), "--"),
    ]


def _package(one: dict[str, object], wanted: Sequence[str]) -> Package:
    metadata = one["metadata"]
    if not isinstance(metadata, dict):
        raise InvalidError("pip's report cannot be read.", "Use a pip of version 23 or later.")
    why = "" if one.get("requested") else f"needed by {', '.join(wanted)}"
    return Package.model_construct(name=metadata["name"], versions=f"=={metadata['version']}", why=why)
