"""Tables out of the HTML that notebooks show."""

from __future__ import annotations

from html.parser import HTMLParser

from flip_hub.airlock.checks.tables import Table

_PLAIN = frozenset(
    (
        *("table", "thead", "tbody", "tfoot", "tr", "th", "td", "caption", "colgroup", "col", "div", "span", "p"),
        *("pre", "code", "b", "i", "em", "strong", "small", "sub", "sup", "br", "hr", "ul", "ol", "li", "h1", "h2"),
        *("h3", "h4", "h5", "h6", "style", "details", "summary", "blockquote", "dl", "dt", "dd", "s", "u"),
    )
)
_ATTRIBUTES = frozenset(
    (
        *("class", "id", "style", "scope", "colspan", "rowspan", "align", "valign", "border", "dir", "title"),
        *("data-type", "data-quarto-table-cell-role", "width", "height", "open", "start", "halign"),
    )
)


class ActivePageError(ValueError):
    """The page holds what could run or fetch something, or what is not read.

    Attributes:
        names: of that.
    """

    def __init__(self, names: list[str]) -> None:
        self.names = names
        super().__init__(", ".join(names))


class _Reader(HTMLParser):
    def __init__(self, most_cells: int) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.active: list[str] = []
        self._cell: list[str] | None = None
        self._open: list[list[list[str]]] = []
        self._left = most_cells
        self._style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _PLAIN:
            self.active.append(f"<{tag}>")
        self.active += [name for name, value in attrs if name not in _ATTRIBUTES or "url(" in (value or "").lower()]
        self._style = tag == "style"
        if tag == "table":
            self._open.append([])
            self.tables.append(self._open[-1])
        elif tag == "tr" and self._open:
            self._open[-1].append([])
        elif tag in ("td", "th") and self._open and self._open[-1]:
            self._cell = []
            self._left -= 1
            if self._left < 0:
                self.active.append("more cells than are read")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self._cell is not None and self._open and self._open[-1]:
            self._open[-1][-1].append(" ".join("".join(self._cell).split()))
            self._cell = None
        elif tag == "table" and self._open:
            self._open.pop()
        self._style = False

    def handle_data(self, data: str) -> None:
        if self._style:
            if "@import" in data or "url(" in data.lower():
                self.active.append("a style from elsewhere")
            return
        if self._cell is not None:
            self._cell.append(data)
        else:
            self.words.append(data)

    def handle_comment(self, data: str) -> None:
        self.words.append(data)


def tables_of(page: str, most_cells: int) -> tuple[list[Table], str]:
    """The tables of a piece of HTML, and the words outside them.

    Raises:
        ActivePageError: it holds what could run or fetch something.
    """
    reader = _Reader(most_cells)
    reader.feed(page)
    reader.close()
    if reader.active:
        raise ActivePageError(list(dict.fromkeys(reader.active)))
    tables = [table for rows in reader.tables if (table := _table(rows)) is not None]
    return tables, "\n".join(reader.words)


def _table(rows: list[list[str]]) -> Table | None:
    """Rows under their first one; short ones are filled, and Polars' row of types is left out."""
    filled = [row for row in rows if row]
    if len(filled) < 2:
        return None
    width = max(map(len, filled))
    header, *body = ([*row, *[""] * (width - len(row))] for row in filled)
    body = [row for row in body if not all(_is_type(word) for word in row)]
    return Table.model_construct(columns=tuple(header), rows=tuple(map(tuple, body)))


def _is_type(word: str) -> bool:
    return word in {
        "str",
        "f64",
        "f32",
        "i64",
        "i32",
        "i16",
        "i8",
        "u64",
        "u32",
        "u16",
        "u8",
        "bool",
        "date",
        "cat",
        "enum",
    }
