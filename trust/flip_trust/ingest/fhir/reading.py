"""Resources out of bundles (JSON) and bulk exports (ndjson), with the place that each was read at."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flip_trust.errors import IngestError
from flip_trust.ingest.quarantine import Refused

SUFFIXES = (".json", ".ndjson", ".jsonl")


@dataclass(frozen=True)
class Placed:
    """A resource.

    Attributes:
        where: its place in its file.
        resource: as it was read, with the references inside its bundle turned into ``Type/id``.
    """

    where: str
    resource: dict[str, Any]


def files_of(path: Path) -> list[Path]:
    """The FHIR files at a path.

    Raises:
        IngestError: there is none.
    """
    inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
    if not inside or not all(file.is_file() for file in inside):
        raise IngestError(
            f"There is no FHIR file at {path}.", "Give a bundle (.json), an export (.ndjson) or a folder."
        )
    return inside


def resources_of(file: Path) -> Iterator[Placed | Refused]:
    """Every resource of a file; what is no resource is refused in its place."""
    if file.suffix.lower() == ".json":
        yield from _of_text(file.read_bytes(), "file")
        return
    with file.open("rb") as stream:
        yield from resources_in(stream, 1)


def resources_in(lines: Iterable[bytes], first: int) -> Iterator[Placed | Refused]:
    """Every resource of an export's lines, the first of which has this number."""
    for number, line in enumerate(lines, start=first):
        if line.strip():
            yield from _of_text(line, f"line {number}")


def _of_text(text: bytes, where: str) -> Iterator[Placed | Refused]:
    try:
        content = json.loads(text)
        # half a surrogate pair is JSON, but no text
        json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        yield Refused(where, "it is not JSON in UTF-8", text.decode("utf-8", "replace"))
        return
    if not isinstance(content, dict) or not isinstance(content.get("resourceType"), str):
        yield Refused(where, "it is not a FHIR resource: it has no resourceType", text.decode("utf-8", "replace"))
    elif content["resourceType"] == "Bundle":
        yield from _of_bundle(content, where)
    else:
        yield Placed(where, content)


def _of_bundle(bundle: dict[str, Any], where: str) -> Iterator[Placed | Refused]:
    entries = bundle.get("entry") or []
    if not isinstance(entries, list):
        yield Refused(where, "Bundle.entry is not a list", json.dumps(bundle))
        return
    names = dict(_names(entries))
    for number, entry in enumerate(entries):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        at = f"{where}, entry {number}"
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            yield Refused(at, "the entry has no resource with a resourceType", json.dumps(entry))
        else:
            yield _placed(at, resource, names)


def _placed(where: str, resource: dict[str, Any], names: dict[str, str]) -> Placed | Refused:
    try:
        return Placed(where, _with_names(resource, names))
    except RecursionError:
        return Refused(where, "it is nested deeper than any resource", json.dumps(resource))


def _names(entries: list[Any]) -> Iterator[tuple[str, str]]:
    """What each entry's ``fullUrl`` stands for inside its bundle."""
    for entry in entries:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict) and isinstance(url := entry.get("fullUrl"), str):
            # without an id, the bundle's own name for it is the only one
            resource.setdefault("id", url.rpartition(":" if url.startswith("urn:") else "/")[2])
            yield url, f"{resource.get('resourceType')}/{resource['id']}"


def _with_names(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: names.get(inner, inner) if key == "reference" and isinstance(inner, str) else _with_names(inner, names)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_with_names(inner, names) for inner in value]
    return value
