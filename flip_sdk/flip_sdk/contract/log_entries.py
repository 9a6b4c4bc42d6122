"""One entry of an audit log: what its hash is over, and how parts of it are let go of later without breaking it.

The hash of version 1 is over the entry itself. That of version 2 is over digests of its parts: who (``actor``), what it
was done to (``subject``) and each of its ``details``. A part can be dropped afterwards and its digest kept: the hash
stays what it was, and with it the chain, every root and every countersignature. Each digest is salted by itself, and
the salt goes with the part, so that a name which can be guessed cannot be tried.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Collection, Mapping
from typing import Any

import rfc8785

GENESIS = "0" * 64
VERSION = 2
REDUCED_EVENT = "audit.reduced"
"""Entry that says which parts of earlier ones were dropped, and by which policy."""
FIELDS = ("sequence", "at", "actor", "event", "subject", "details", "previous")
_OWN = ("actor", "subject")
_DETAIL = "details."
_SALT_BYTES = 16


def new_salt() -> str:
    """A secret of one entry; its parts' salts are made of it."""
    return secrets.token_hex(_SALT_BYTES)


def hash_of(entry: Mapping[str, Any]) -> str:
    """An entry's SHA-256 in hexadecimal, reckoned from what it holds; its own ``hash`` is not looked at.

    Raises:
        ValueError: it is no entry of a version that is known.
    """
    if any(name not in entry for name in FIELDS):
        raise ValueError("not an entry")
    if "version" not in entry:
        return _sha256({name: value for name, value in entry.items() if name != "hash"})
    body = {name: entry[name] for name in ("version", "sequence", "at", "event", "previous")}
    return _sha256(body | {"parts": digests_of(entry)})


def digests_of(entry: Mapping[str, Any]) -> dict[str, str]:
    """Part of an entry of version 2 → its digest: reckoned where the part is there, as kept where it was dropped.

    Raises:
        ValueError: a part is both there and dropped, or has no salt, or something is there that no hash is over.
    """
    extra = ("reduced", "salts") if "reduced" in entry else ("salt",)
    if entry["version"] != VERSION or set(entry) - {"hash"} != {"version", *FIELDS, *extra}:
        raise ValueError("not an entry of version 2")
    present, salts, dropped = _parts(entry), _salts(entry), entry.get("reduced", {})
    for name in _OWN:
        # what stands in the place of a dropped name is nothing, else it could be anything
        if name in dropped and present.pop(name) != "":
            raise ValueError("a part is there and dropped")
    if set(present) & set(dropped) or set(salts) != set(present):
        raise ValueError("a part is there and dropped")
    found = {name: _sealed(name, value, salts[name]) for name, value in present.items()}
    return found | {name: str(one["digest"]) for name, one in dropped.items()}


def parts_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Parts that are still there: ``actor``, ``subject``, and each detail as ``details.<name>``."""
    dropped = entry.get("reduced", {})
    return {name: value for name, value in _parts(entry).items() if name not in dropped}


def reduced(entry: Mapping[str, Any], names: Collection[str], by: int) -> dict[str, Any]:
    """The entry without these parts: their digests are in their place, the hash stays the same.

    Args:
        entry: of version 2, whole or reduced before.
        names: parts that are there.
        by: number of the entry that tells of it.
    """
    digests, salts = digests_of(entry), _salts(entry)
    made = {name: value for name, value in entry.items() if name != "salt"}
    made["details"] = {name: value for name, value in entry["details"].items() if _DETAIL + name not in names}
    made |= {name: "" for name in _OWN if name in names}
    made["salts"] = {name: salt for name, salt in salts.items() if name not in names}
    made["reduced"] = entry.get("reduced", {}) | {name: {"digest": digests[name], "by": by} for name in names}
    return made


def from_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """An entry as it is exported and verified, of a row of a log's table: of any version of that table."""
    entry = {name: row[name] for name in FIELDS} | {"details": json.loads(row["details"]), "hash": row["hash"]}
    if row.get("version", 1) == 1:
        return entry
    entry["version"] = row["version"]
    return entry | (json.loads(row["reduced"]) if row["reduced"] else {"salt": row["salt"]})


def dropped_in(reduced_column: str) -> list[str]:
    """Names of the parts that a row's entry lost, without their prefix: what a page says of it."""
    found = json.loads(reduced_column)["reduced"] if reduced_column else {}
    return sorted(name.removeprefix(_DETAIL) for name in found)


def to_row(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A row's columns of an entry of version 2."""
    dropped = {name: entry[name] for name in ("reduced", "salts") if "reduced" in entry}
    columns = {name: entry[name] for name in (*FIELDS, "version", "hash")}
    return columns | {
        "details": rfc8785.dumps(entry["details"]).decode(),
        "salt": entry.get("salt", ""),
        "reduced": rfc8785.dumps(dropped).decode() if dropped else "",
    }


def commitment_line(sequence: int, name: str, digest: str) -> bytes:
    """What one dropped part adds to the hash by which :data:`REDUCED_EVENT` says what was dropped."""
    return f"{sequence} {name} {digest}\n".encode()


def _parts(entry: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: entry[name] for name in _OWN}
    return own | {_DETAIL + name: value for name, value in entry["details"].items()}


def _salts(entry: Mapping[str, Any]) -> dict[str, str]:
    if "reduced" in entry:
        return dict(entry["salts"])
    whole = bytes.fromhex(entry["salt"])
    if len(whole) != _SALT_BYTES:
        raise ValueError("not a salt")
    return {name: hmac.digest(whole, name.encode(), "sha256").hex()[: 2 * _SALT_BYTES] for name in _parts(entry)}


def _sealed(name: str, value: Any, salt: str) -> str:
    return _sha256({"part": name, "salt": salt, "value": value})


def _sha256(content: dict[str, Any]) -> str:
    return hashlib.sha256(rfc8785.dumps(content)).hexdigest()
