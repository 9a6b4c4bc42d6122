"""A submitter's crate says what they did, not that somebody assessed it: those statements are taken out on entry."""

from __future__ import annotations

import json
from typing import Any

from flip_sdk.contract.airlock import OutputStatement

from flip_hub.models import BlobStore

METADATA = "ro-crate-metadata.json"
_ASSESSING = frozenset({"AssessAction", "EndorseAction", "ReviewAction"})


def without_assessments(blobs: BlobStore, file: OutputStatement) -> OutputStatement:
    """The statement itself; of an RO-Crate's metadata, one about the same file without its AssessActions.

    What is no JSON, or no crate, stays as it is: the checks say what is wrong with it.
    """
    if file.path.rpartition("/")[2] != METADATA:
        return file
    content = blobs.get(file.content)
    stripped = strip(content)
    return file if stripped == content else file.model_copy(update={"content": blobs.put(stripped)})


def strip(content: bytes) -> bytes:
    """A crate's metadata without entities that assess, and without what points at them."""
    try:
        crate = json.loads(content)
        graph = crate["@graph"]
        gone = {entity["@id"] for entity in graph if _assesses(entity)}
    except (ValueError, KeyError, TypeError, RecursionError):
        return content
    kept = [_without(entity, gone) for entity in graph if entity["@id"] not in gone]
    return content if kept == graph else json.dumps(crate | {"@graph": kept}, ensure_ascii=False, indent=1).encode()


def _assesses(entity: dict[str, Any]) -> bool:
    kinds = entity.get("@type", ())
    named = [kinds] if isinstance(kinds, str) else kinds
    return bool(_ASSESSING & {str(kind).rpartition("/")[2].rpartition(":")[2] for kind in named})


def _without(entity: dict[str, Any], gone: set[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in entity.items():
        values = value if isinstance(value, list) else [value]
        left = [one for one in values if not (isinstance(one, dict) and (one.get("@id") in gone or _assesses(one)))]
        if left or not values:
            kept[name] = left if isinstance(value, list) else left[0]
    return kept
