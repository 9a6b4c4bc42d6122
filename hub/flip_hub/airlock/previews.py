"""A file as its checkers see it: a table with its failing cells marked, text, an image, a notebook as text, a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from flip_sdk.contract.airlock import Examined, FileKind

from flip_hub.airlock.access import load_output
from flip_hub.airlock.checks import Table
from flip_hub.airlock.checks.tables import TableError, delimiter_of, read_delimited, read_json
from flip_hub.database import Output
from flip_hub.errors import BlobCorruptError, MissingError, UnavailableError
from flip_hub.governance.office import Office
from flip_hub.policy import Subject

MOST_ROWS = 200
MOST_COLUMNS = 40
MOST_CELLS = 2_000_000
MOST_CHARACTERS = 60_000
MOST_TENSORS = 300
IMAGES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".svg": "image/svg+xml"}
Shown = Literal["table", "text", "image", "notebook", "model", "none"]


@dataclass(frozen=True)
class Cell:
    """One cell: its words, and what is wrong with it, in words."""

    text: str
    wrong: str = ""


@dataclass(frozen=True)
class Row:
    """One row, counted from 1."""

    number: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Part:
    """A part of a notebook, or of a model's summary.

    Attributes:
        label: what it is.
        text: its content, which is only ever shown as text.
    """

    label: str
    text: str


@dataclass(frozen=True)
class Preview:
    """What is shown of a file.

    Attributes:
        shown: how.
        columns: of a table.
        rows: of a table: the first ones, and every one with a failing cell.
        total_rows: how many it has.
        hidden_columns: how many columns are not shown.
        text: of a text.
        cut: whether there is more of it.
        parts: of a notebook or a model.
        note: why nothing is shown.
    """

    shown: Shown
    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    total_rows: int = 0
    hidden_columns: int = 0
    text: str = ""
    cut: bool = False
    parts: tuple[Part, ...] = ()
    note: str = ""


def content_for_checker(office: Office, subject: Subject, output_id: str) -> tuple[Output, bytes]:
    """A file's bytes, for its checkers: its own team has them in the workspace, and elsewhere only when it is released.

    Raises:
        MissingError: no such file, or not for this person.
        DeniedError: they are on the project's team, or have a conflict of interest.
        UnavailableError: what is kept of it is damaged.
    """
    with office.database.read() as session:
        output = load_output(office, session, subject, "review_release", output_id)
    return output, bytes_of(office, output)


def bytes_of(office: Office, output: Output) -> bytes:
    """A file's bytes, as they were checked.

    Raises:
        UnavailableError: what is kept of it is damaged.
    """
    try:
        return office.blobs.get(output.content)
    except (BlobCorruptError, MissingError) as error:
        raise UnavailableError(f"What is kept of {output.path} is damaged.", "Tell the hub's operator.") from error


def preview(path: str, kind: FileKind | None, content: bytes, examined: Examined | None = None) -> Preview:
    """What is shown of a file. Never raises: what cannot be shown says why.

    Args:
        path: its name says how text is read.
        kind: what the checks took it for; nothing else is read.
        content: its bytes.
        examined: what the checks found, for the marks.
    """
    try:
        return _preview(path, kind, content, examined)
    except (TableError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return Preview("none", note=f"It cannot be shown: {error}.")


def table_of(path: str, content: bytes) -> Table | None:
    """A table out of a file that the checks took for one.

    Raises:
        TableError, ValueError: it is none.
    """
    text = content.decode("utf-8-sig")
    suffix = suffix_of(path)
    if suffix == ".json":
        return read_json(json.loads(text), MOST_CELLS)
    return read_delimited(text, delimiter_of(text, suffix), MOST_CELLS)


def suffix_of(path: str) -> str:
    """The end of a name, in small letters and with its dot."""
    return "." + path.rpartition(".")[2].lower()


def _preview(path: str, kind: FileKind | None, content: bytes, examined: Examined | None) -> Preview:
    match kind:
        case "table" if (table := table_of(path, content)) is not None:
            return _table(table, examined)
        case "image":
            return Preview("image", text=_svg_source(path, content))
        case "notebook":
            return Preview("notebook", parts=tuple(_cells(json.loads(content.decode("utf-8-sig")))))
        case "model":
            return Preview("model", parts=tuple(_model(path, content)))
        case "text" | "table":
            return _text(content)
        case "document":
            note = "A PDF is not shown here: save it and open it. Its text was searched by the checks."
        case _:
            note = "It is none of the kinds that are shown; the checks say what is wrong with it."
    return Preview("none", note=note)


def _table(table: Table, examined: Examined | None) -> Preview:
    marks = _marks(examined)
    wanted = sorted({*range(min(MOST_ROWS, len(table.rows))), *(row for row, _ in marks if row < len(table.rows))})
    columns = min(MOST_COLUMNS, len(table.columns))
    marked_columns = {column for _, column in marks if columns <= column < len(table.columns)}
    shown = [*range(columns), *sorted(marked_columns)]
    return Preview(
        "table",
        columns=tuple(table.columns[column] for column in shown),
        rows=tuple(
            Row(
                row + 1,
                tuple(Cell(table.rows[row][column], marks.get((row, column), "")) for column in shown),
            )
            for row in wanted
        ),
        total_rows=len(table.rows),
        hidden_columns=len(table.columns) - len(shown),
    )


def _marks(examined: Examined | None) -> dict[tuple[int, int], str]:
    """For each failing cell, the checks' words."""
    found: dict[tuple[int, int], list[str]] = {}
    for finding in examined.findings if examined else ():
        if finding.severity != "note":
            for cell in finding.cells:
                found.setdefault((cell.row, cell.column), []).append(finding.rule)
    return {place: ", ".join(dict.fromkeys(map(rule_words, rules))) for place, rules in found.items()}


def rule_words(rule: str) -> str:
    """A rule's name as people read it."""
    return rule.partition(".")[2].replace("_", " ").replace(".", " ")


def _text(content: bytes) -> Preview:
    text = content.decode("utf-8-sig", errors="replace")
    return Preview("text", text=text[:MOST_CHARACTERS], cut=len(text) > MOST_CHARACTERS)


def _svg_source(path: str, content: bytes) -> str:
    return content.decode("utf-8", errors="replace")[:MOST_CHARACTERS] if suffix_of(path) == ".svg" else ""


def _cells(notebook: dict[str, Any]) -> list[Part]:
    parts: list[Part] = []
    for number, cell in enumerate(notebook["cells"], start=1):
        kind = str(cell.get("cell_type", "cell"))
        parts.append(Part(f"Cell {number}, {kind}", _joined(cell.get("source", ""))))
        parts += [Part(f"Output of cell {number}: {label}", text) for label, text in _outputs(cell.get("outputs", ()))]
    return parts


def _outputs(outputs: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for output in outputs:
        match output.get("output_type"):
            case "stream":
                found.append((str(output.get("name", "stream")), _joined(output.get("text", ""))))
            case "error":
                found.append(("error", f"{output.get('ename')}: {output.get('evalue')}"))
            case _:
                for media, body in dict(output.get("data", {})).items():
                    text = (
                        _joined(body) if str(media).startswith("text/") else f"{len(str(body)):,} characters, not shown"
                    )
                    found.append((str(media), text))
    return found


def _joined(text: object) -> str:
    joined = "".join(map(str, text)) if isinstance(text, list) else str(text)
    return joined[:MOST_CHARACTERS]


def _model(path: str, content: bytes) -> list[Part]:
    if suffix_of(path) != ".safetensors":
        graph = json.loads(content.decode("utf-8-sig"))
        nodes = graph.get("nodes", [])
        summary = f"{len(nodes)} operations, {len(graph.get('weights', []))} weights"
        return [Part("Graph", summary), Part("Its record", json.dumps(graph, indent=1)[:MOST_CHARACTERS])]
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
    lines = [f"{name}: {entry['dtype']} {entry['shape']}" for name, entry in list(tensors.items())[:MOST_TENSORS]]
    numbers = sum(_product(entry["shape"]) for entry in tensors.values())
    parts = [Part("Weights", f"{len(tensors)} tensors, {numbers:,} numbers"), Part("Tensors", "\n".join(lines))]
    if header.get("__metadata__"):
        parts.append(Part("Its metadata", json.dumps(header["__metadata__"], indent=1)[:MOST_CHARACTERS]))
    return parts


def _product(shape: Sequence[int]) -> int:
    total = 1
    for length in shape:
        total *= int(length)
    return total
