"""Named blobs as one body between dispatcher and gateway: a safetensors file of byte tensors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from flip_hub.flower.grid import Incoming


def pack(parts: Mapping[str, bytes]) -> bytes:
    """Named blobs → one body."""
    return save({name: np.frombuffer(content, dtype=np.uint8) for name, content in parts.items()})


def unpack(body: bytes) -> dict[str, bytes]:
    """One body → named blobs.

    Raises:
        ValueError: it is not a body made by :func:`pack`.
    """
    try:
        return {name: tensor.tobytes() for name, tensor in load(body).items()}
    except SafetensorError as error:
        raise ValueError("not a body of parts") from error


def pack_incoming(incoming: Iterable[Incoming]) -> bytes:
    """What came, with its parts, → one body."""
    found = list(incoming)
    index = [[i.message_id, i.error, list(i.parts) if i.parts is not None else None] for i in found]
    blobs = {f"{n}/{name}": blob for n, i in enumerate(found) for name, blob in (i.parts or {}).items()}
    return pack(blobs | {"index": json.dumps(index).encode()})


def unpack_incoming(body: bytes) -> list[Incoming]:
    """The reverse of :func:`pack_incoming`.

    Raises:
        ValueError: it is not such a body.
    """
    blobs = unpack(body)
    index = json.loads(blobs["index"])
    return [
        Incoming(message_id, {name: blobs[f"{n}/{name}"] for name in names} if names is not None else None, error)
        for n, (message_id, error, names) in enumerate(index)
    ]
