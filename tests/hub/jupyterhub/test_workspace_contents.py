"""What comes into a workspace by the file browser's upload: code and notes, and no data."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from flip_workspace.contents import COMES_IN, MOST_BYTES, check_upload
from tornado.web import HTTPError


def upload(content: bytes, **more: Any) -> dict[str, Any]:
    return {"type": "file", "format": "base64", "content": base64.b64encode(content).decode(), **more}


@pytest.mark.parametrize(
    ("model", "path"),
    [
        (upload(b"x = 1\n"), "code/model.py"),
        (upload("Größe: 1".encode()), "NOTES.MD"),
        (upload(b"{}"), "sent.ipynb"),
        (upload(b""), "empty.txt"),
        # what is typed in an editor, and a notebook that is saved
        ({"type": "file", "format": "text", "content": "a,b\n1,2\n"}, "typed.csv"),
        ({"type": "notebook", "format": "json", "content": {"cells": []}}, "n.ipynb"),
        ({"type": "directory"}, "folder"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_code_and_notes_come_in(model: dict[str, Any], path: str) -> None:
    check_upload(model, path)


@pytest.mark.parametrize(
    ("model", "path"),
    [
        (upload(b"person,stage\n1,2\n"), "rows.csv"),
        (upload(b"PK\x03\x04"), "data.zip"),
        (upload(b"DICM"), "no-ending"),
        (upload(b"\x00\xff\xfe"), "disguised.py"),
        (upload(b"x" * (MOST_BYTES + 3)), "long.txt"),
        (upload(b"x", chunk=1), "first.py"),
        (upload(b"x", chunk=-1), "last.py"),
        ({"type": "file", "format": "text", "content": "x", "chunk": 1}, "text.py"),
        ({"type": "file", "format": "base64", "content": "no base64!"}, "broken.py"),
        ({"type": "notebook", "format": "base64", "content": "eA=="}, "rows.parquet"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_data_does_not(model: dict[str, Any], path: str) -> None:
    with pytest.raises(HTTPError) as refused:
        check_upload(model, path)
    assert (refused.value.status_code, refused.value.reason) == (403, COMES_IN)
