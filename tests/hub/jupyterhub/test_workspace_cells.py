"""Executed cells on the workspace's side: nothing waits for the hub, and nothing is lost that it did not take."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from flip_sdk.contract.cells import ExecutedCells
from flip_workspace import sending
from flip_workspace.cells import MOST_CHARACTERS, cell, executed
from flip_workspace.spool import Spool
from jupyter_server.services.kernels.connection.base import serialize_binary_message

V1 = "v1.kernel.websocket.jupyter.org"


def message(kind: str, **content: object) -> dict[str, object]:
    return {"header": {"msg_type": kind}, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}


def as_v1(whole: dict[str, object]) -> bytes:
    parts = [
        b"shell",
        *(json.dumps(whole[name]).encode() for name in ("header", "parent_header", "metadata", "content")),
    ]
    offsets = [8 * (len(parts) + 2)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    numbers = [len(offsets), *offsets]
    return b"".join(number.to_bytes(8, "little") for number in numbers) + b"".join(parts)


def test_the_code_is_read_out_of_each_protocol() -> None:
    run = message("execute_request", code="1 + 1")
    assert executed(json.dumps(run), None) == "1 + 1"
    assert executed(serialize_binary_message(run | {"buffers": [b"x"]}), None) == "1 + 1"
    assert executed(as_v1(run), V1) == "1 + 1"


def test_what_asks_for_something_else_or_is_broken_is_no_cell() -> None:
    assert executed(as_v1(message("complete_request", code="im")), V1) == ""
    for broken in ("", "{", "[]", b"\xff", json.dumps(message("execute_request"))):
        assert executed(broken, None) == ""


def test_a_long_cell_is_cut_and_its_digest_is_of_all_of_it() -> None:
    told = [cell("ä" * MOST_CHARACTERS, "k"), cell("ä" * MOST_CHARACTERS + "!", "k")]
    read = ExecutedCells.parse(json.dumps({"cells": told, "lost": 0}))
    assert [one.characters for one in read.cells] == [MOST_CHARACTERS, MOST_CHARACTERS + 1]
    assert read.cells[0].code == read.cells[1].code
    assert read.cells[0].code_digest != read.cells[1].code_digest


def bodies(spool: Spool) -> list[ExecutedCells]:
    spool.close_batch()
    return [ExecutedCells.parse(body) for _, body in spool.batches()]


def test_what_waits_is_there_after_a_restart_in_its_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "cells")
    for code in ("1", "2"):
        spool.keep(cell(code, "k"))
    assert [[one.code for one in body.cells] for body in bodies(spool)] == [["1", "2"]]
    Spool(tmp_path / "cells").keep(cell("3", "k"))
    assert [[one.code for one in body.cells] for body in bodies(Spool(tmp_path / "cells"))] == [["1", "2"], ["3"]]


def test_too_much_lets_the_oldest_go_and_says_how_many(tmp_path: Path) -> None:
    spool = Spool(tmp_path, most=1000)
    for number in range(4):
        spool.keep(cell(f"{number}" * 200, "k"))
        spool.close_batch()
    waiting = bodies(spool)
    assert waiting[-1].cells[0].code.startswith("3")
    assert {body.lost for body in waiting} == {4 - len(waiting)}


def test_a_disk_that_takes_nothing_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "cells").write_text("a file in its place")
    Spool(tmp_path / "cells").keep(cell("1", "k"))


ANSWERS = [(204, [], True), (599, [".batch"], False), (403, [".batch"], False), (422, [".refused"], True)]


@pytest.mark.parametrize(("status", "left", "goes_on"), ANSWERS, ids=[str(status) for status, *_ in ANSWERS])
def test_a_batch_goes_when_the_hub_has_taken_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, left: list[str], goes_on: bool
) -> None:
    async def answer(_body: bytes) -> int:
        return status

    monkeypatch.setattr(sending, "_post", answer)
    spool = Spool(tmp_path)
    spool.keep(cell("1", "k"))
    assert asyncio.run(sending.send(spool)) is goes_on
    assert [path.suffix for path in tmp_path.iterdir()] == left
