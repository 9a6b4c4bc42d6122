"""What a checker is shown of a file, and what differs from an earlier one, whatever it holds."""

from __future__ import annotations

import json

import pytest
from flip_hub.airlock.differences import difference
from flip_hub.airlock.previews import MOST_COLUMNS, MOST_ROWS, preview
from flip_sdk.contract.airlock import CellMark, Examined, Finding
from flip_sdk.contract.records import digest
from hypothesis import given
from hypothesis import strategies as st


def examined(*cells: tuple[int, int]) -> Examined:
    marks = tuple(CellMark(row=row, column=column) for row, column in cells)
    finding = Finding(rule="table.small_count", severity="flag", message="Small.", cells=marks)
    return Examined(path="t.csv", content=digest(b""), bytes=0, kind="table", findings=(finding,), verdict="flag")


def test_failing_cells_are_marked_wherever_they_are() -> None:
    header = ",".join(f"c{n}" for n in range(60))
    rows = [",".join(str(n * 10) for n in range(60)) for _ in range(500)]
    shown = preview("t.csv", "table", "\n".join([header, *rows]).encode(), examined((0, 0), (444, 55), (900, 0)))
    assert shown.total_rows == 500
    assert len(shown.rows) == MOST_ROWS + 1
    assert shown.columns[MOST_COLUMNS] == "c55"
    assert shown.hidden_columns == 60 - MOST_COLUMNS - 1
    marked = {(row.number, cell.text) for row in shown.rows for cell in row.cells if cell.wrong == "small count"}
    assert marked == {(1, "0"), (445, "550")}


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("t.tsv", b"a\tb\n1\t2\n"),
        ("t.csv", b"a;b\n1;2\n"),
        ("t.json", b'[{"a": 1, "b": 2}]'),
    ],
)
def test_tables_of_every_spelling(path, content) -> None:
    shown = preview(path, "table", content)
    assert (shown.columns, [cell.text for cell in shown.rows[0].cells]) == (("a", "b"), ["1", "2"])


def test_a_notebook_is_text() -> None:
    output = {"output_type": "display_data", "data": {"text/html": ["<script>1</script>"], "image/png": "AAAA"}}
    error = {"output_type": "error", "ename": "KeyError", "evalue": "x"}
    cell = {
        "cell_type": "code",
        "source": ["1 +", " 1"],
        "outputs": [output, error, {"output_type": "stream", "text": "2"}],
    }
    shown = preview("n.ipynb", "notebook", json.dumps({"cells": [cell]}).encode())
    assert [part.text for part in shown.parts] == [
        "1 + 1",
        "<script>1</script>",
        "4 characters, not shown",
        "KeyError: x",
        "2",
    ]


def test_a_models_weights_are_summed_up() -> None:
    header = json.dumps(
        {"__metadata__": {"a": "b"}, "w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
    ).encode()
    shown = preview("m.safetensors", "model", len(header).to_bytes(8, "little") + header + b"\0" * 24)
    assert [part.text for part in shown.parts][:2] == ["1 tensors, 6 numbers", "w: F32 [2, 3]"]
    graph = preview("m.json", "model", b'{"nodes": [1], "weights": [], "output": []}')
    assert graph.parts[0].text == "1 operations, 0 weights"


@given(st.binary(max_size=200), st.sampled_from(["table", "text", "image", "notebook", "model", "document", None]))
def test_nothing_raises(content, kind) -> None:
    for path in ("x.csv", "x.json", "x.ipynb", "x.safetensors", "x.svg"):
        assert preview(path, kind, content).shown
        assert difference(path, kind, content, b"sex,persons\nf,30\n").summary


def test_tables_differ_cell_by_cell() -> None:
    before = b"sex,age,persons\nf,forties,10\nm,forties,20\nf,fifties,30\n"
    now = b"sex,age,persons\nf,fifties,30\nf,forties,11\nm,sixties,20\n"
    found = difference("t.csv", "table", before, now)
    assert found.summary == "1 cell changed, 1 row added, 1 row removed."
    changed = next(row for row in found.rows if row.sort == "changed")
    assert [(cell.text, cell.before) for cell in changed.cells] == [("f", None), ("forties", None), ("11", "10")]


def test_tables_without_names_of_rows_differ_where_they_stand() -> None:
    found = difference("t.csv", "table", b"a,b\n1,2\n3,4\n", b"a,b\n1,2\n3,5\n")
    assert [(row.number, row.cells[1].before) for row in found.rows] == [(2, "4")]


def test_other_columns_are_named() -> None:
    assert "New: c. Gone: b." in difference("t.csv", "table", b"a,b\n1,2\n", b"a,c\n1,2\n").summary


def test_texts_differ_by_words() -> None:
    before = "All is well. " * 40 + "The AUC was 0.91 then."
    found = difference("t.txt", "text", before.encode(), before.replace("0.91", "0.93").encode())
    assert found.summary == "1 word added, 1 word removed."
    assert [(span.sort, span.text) for span in found.spans if span.sort in ("added", "removed")] == [
        *(("removed", "0.91"), ("added", "0.93"))
    ]
    assert found.spans[0].sort == "gap"


def test_the_same_is_the_same_and_other_bytes_are_other_bytes() -> None:
    assert difference("i.png", "image", b"x", b"x").same
    assert difference("i.png", "image", b"x", b"yy").summary == "Its bytes differ: 1 then, 2 now. Look at both."
