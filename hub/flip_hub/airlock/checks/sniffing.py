"""What some bytes are, whatever they are called."""

from __future__ import annotations

import pickletools
import re

BINARY = frozenset({"png", "jpeg", "pdf", "safetensors"})
AGREES = {
    "csv": {"text"},
    "text": {"text"},
    "json": {"text"},
    "notebook": {"text"},
    "svg": {"svg"},
    "png": {"png"},
    "jpeg": {"jpeg"},
    "pdf": {"pdf"},
    "safetensors": {"safetensors"},
}
"""For each format, what its content may be found to be."""
WORDS = {
    "pickle": "a pickle, which runs code when it is opened",
    "archive": "an archive",
    "program": "a program",
    "dicom": "a DICOM image",
    "image": "an image of another kind",
    "office": "an office document",
    "database": "a database",
    "array": "an array of numbers",
    "html": "a web page",
    "svg": "an SVG image",
    "pdf": "a PDF",
    "png": "a PNG image",
    "jpeg": "a JPEG image",
    "safetensors": "a model's weights",
    "text": "text",
    "binary": "not known",
}
_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"%PDF-", "pdf"),
    (b"PK\x03\x04", "archive"),
    (b"PK\x05\x06", "archive"),
    (b"\x1f\x8b", "archive"),
    (b"BZh", "archive"),
    (b"\xfd7zXZ\x00", "archive"),
    (b"(\xb5/\xfd", "archive"),
    (b"7z\xbc\xaf\x27\x1c", "archive"),
    (b"Rar!", "archive"),
    (b"\x7fELF", "program"),
    (b"MZ", "program"),
    (b"#!", "program"),
    (b"GIF8", "image"),
    (b"RIFF", "image"),
    (b"II*\x00", "image"),
    (b"MM\x00*", "image"),
    (b"\xd0\xcf\x11\xe0", "office"),
    (b"SQLite format 3\x00", "database"),
    (b"PAR1", "database"),
    (b"\x89HDF", "array"),
    (b"\x93NUMPY", "array"),
)
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_MARKUP = re.compile(rb"^\s*(?:<\?xml[^>]*>|<!--.*?-->|<!doctype[^>]*>|\s)*<(svg|html|head|body|script)\b", re.I | re.S)
_PICKLE_TEXT_BYTES = 4 * 1024 * 1024


def form_of(content: bytes) -> str:
    """The format that the bytes have: by their first ones, and for text by what it says."""
    for start, form in _STARTS:
        if content.startswith(start) and (start != b"MZ" or b"\x00" in content[:512]):
            return form
    if content[128:132] == b"DICM":
        return "dicom"
    if _PICKLE.match(content) or _is_pickle(content):
        return "pickle"
    if len(content) > 10 and content[8:9] == b"{" and int.from_bytes(content[:8], "little") <= len(content) - 8:
        return "safetensors"
    if markup := _MARKUP.match(content[:10_000].removeprefix(b"\xef\xbb\xbf")):
        return "svg" if markup[1].lower() == b"svg" else "html"
    return "binary" if b"\x00" in content[:10_000] and not content.startswith((b"\xff\xfe", b"\xfe\xff")) else "text"


def _is_pickle(content: bytes) -> bool:
    """Whether it is a pickle of the oldest kind, which is text: taken apart, never loaded."""
    if len(content) > _PICKLE_TEXT_BYTES or content.rstrip()[-1:] != b".":
        return False
    try:
        return sum(1 for _ in pickletools.genops(content)) > 1
    except (ValueError, IndexError, KeyError, OverflowError):
        return False
