"""Making a hub's home folder: settings, keys, certificates, database, and the record that Trusts pin."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from flip_sdk.contract.notices import fingerprint

from flip_hub.certificates import make_certificates
from flip_hub.config import FILE_NAME, HubConfig
from flip_hub.database import Database, Entry, upgrade
from flip_hub.errors import ConfigError
from flip_hub.keys import hub_record, make_keys

ENROLMENT_FILE = "hub-enrolment.json"


def make_home(home: Path, settings: Mapping[str, str | int | bool], *, by: str) -> HubConfig:
    """Make what is missing of a hub's home; what is there stays as it is.

    Args:
        home: the folder.
        settings: what to write into ``hub.toml``; only for a new home.
        by: who makes it.

    Raises:
        ConfigError: the home has its settings already, and others are given.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = home / FILE_NAME
    if path.exists() and settings:
        raise ConfigError(f"{path} exists already.", "Edit it, or leave the options out.")
    is_new = not path.exists()
    if is_new:
        lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in settings.items()]
        path.write_text("".join(lines), encoding="utf-8")
    config = HubConfig.load(home)
    for folder in (config.keys, config.tls, config.secrets, config.jupyterhub, config.workspaces, config.blobs):
        folder.mkdir(mode=0o700, exist_ok=True)
    config.dashboards.mkdir(mode=0o700, exist_ok=True)
    make_keys(config)
    make_certificates(config)
    database = Database.of(config)
    upgrade(database)
    record = hub_record(config)
    (home / ENROLMENT_FILE).write_bytes(record.canonical())
    if is_new:
        with database.write(Entry(by, "hub.made", "hub", {"fingerprint": fingerprint(record)})):
            pass
    database.close()
    return config
