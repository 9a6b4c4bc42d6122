"""Making a Trust's home: settings, keys, the pinned hub, the database, and the record to hand to the hub."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields

from flip_sdk.contract.notices import HubEnrolment, same_fingerprint

from flip_trust.audit import Entry
from flip_trust.config import FILE_NAME, TrustConfig
from flip_trust.database import Database
from flip_trust.errors import SetupError
from flip_trust.keys import create_keys, enrolment, write_private


def make_home(config: TrustConfig, hub: HubEnrolment, hub_fingerprint: str) -> None:
    """Write everything into ``config.home``; nothing is written when the hub is not the one people compared.

    Raises:
        SetupError: the fingerprint differs, or the folder is a Trust's home already.
    """
    if not same_fingerprint(hub, hub_fingerprint):
        raise SetupError(
            "The hub's fingerprint is not the one given, so this may be another hub.",
            "Compare it once more with the hub's operator, over another channel than the file came by.",
        )
    if (config.home / FILE_NAME).exists():
        raise SetupError(f"{config.home} is a Trust's home already.", "Choose another folder, or move it away.")
    config.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    create_keys(config.keys)
    write_private(config.hub_file, hub.canonical())
    write_private(config.enrolment_file, enrolment(config).canonical())
    config.omop.mkdir(mode=0o700, exist_ok=True)
    database = Database.open(config.database, create=True)
    with database.transaction() as transaction:
        transaction.write(Entry("operator", "trust.initialised", f"trust/{config.name}", {"hub": hub.digest()}))
    database.close()
    # written last: a home with settings is a whole one
    write_private(config.home / FILE_NAME, settings_text(config).encode())


def settings_text(config: TrustConfig) -> str:
    """``trust.toml``: what was chosen, and every other setting with its default, commented out."""
    lines = ["# This Trust's settings. flip-trust reads them when it starts; restart the agent after a change."]
    for field in fields(TrustConfig):
        if field.name == "home":
            continue
        value = getattr(config, field.name)
        mark = "" if field.default is MISSING or value != field.default else "# "
        lines.append(f"{mark}{field.name} = {json.dumps(value)}")
    return "\n".join(lines) + "\n"
