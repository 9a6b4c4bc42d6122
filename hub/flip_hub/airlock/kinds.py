"""What may come into a workspace: files whose content is what their name says, of kinds that open without running."""

from __future__ import annotations

import json
from pathlib import PurePosixPath

from flip_hub.airlock.checks.sniffing import WORDS, form_of
from flip_hub.errors import InvalidError

_TEXT = {"text"}
ALLOWED: dict[str, tuple[set[str], str]] = {
    ".csv": (_TEXT, "a table (CSV)"),
    ".tsv": (_TEXT, "a table (TSV)"),
    ".txt": (_TEXT, "text"),
    ".md": (_TEXT, "text (Markdown)"),
    ".json": (_TEXT, "JSON"),
    ".yaml": (_TEXT, "settings (YAML)"),
    ".yml": (_TEXT, "settings (YAML)"),
    ".toml": (_TEXT, "settings (TOML)"),
    ".sql": (_TEXT, "a query (SQL)"),
    ".py": (_TEXT, "a program's source (Python)"),
    ".r": (_TEXT, "a program's source (R)"),
    ".ipynb": (_TEXT, "a notebook"),
    ".bib": (_TEXT, "references (BibTeX)"),
    ".png": ({"png"}, "an image (PNG)"),
    ".jpg": ({"jpeg"}, "an image (JPEG)"),
    ".jpeg": ({"jpeg"}, "an image (JPEG)"),
    ".pdf": ({"pdf"}, "a document (PDF)"),
    ".safetensors": ({"safetensors"}, "a model's weights (safetensors)"),
}
"""By the end of a file's name: what its content has to be, and that in words."""


def kind_of(path: str, content: bytes) -> str:
    """What a file is, in words.

    Raises:
        InvalidError: nothing that comes in, or not what its name says.
    """
    suffix = PurePosixPath(path).suffix.lower()
    if suffix not in ALLOWED:
        raise InvalidError(
            f"Files of this kind ({suffix or 'without an ending'}) are not brought in.",
            f"Bring one of: {', '.join(ALLOWED)}. An archive is unpacked first; packages come from the hub's mirror.",
        )
    forms, words = ALLOWED[suffix]
    real = form_of(content)
    if real == "program" and content.startswith(b"#!") and suffix in (".py", ".r"):
        real = "text"
    if real not in forms:
        raise InvalidError(
            f"It is called {suffix}, and what it holds is {WORDS.get(real, real)}.", "Bring that instead."
        )
    if forms is _TEXT:
        _check_text(content, suffix)
    return words


def _check_text(content: bytes, suffix: str) -> None:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidError("Its text is not UTF-8.", "Save it as UTF-8.") from error
    if suffix not in (".json", ".ipynb"):
        return
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidError(f"It cannot be read as {suffix}.", "Correct or export it again.") from error
