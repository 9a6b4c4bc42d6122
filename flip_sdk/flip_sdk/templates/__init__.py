"""Notebooks to begin a dashboard with, one for each thing that is often shown.

from flip_sdk import templates

templates.listed()
templates.copy("model_card", "my_card.ipynb")
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flip_sdk.errors import NotFoundError, PublicError

if TYPE_CHECKING:
    from flip_sdk.frames import Frame

FOLDER = Path(__file__).parent
"""Where they are."""


@dataclass(frozen=True)
class Template:
    """One notebook.

    Attributes:
        name: of its file, without an ending.
        title: its heading.
        about: what it says of itself first.
        content: the notebook (nbformat 4.5).
    """

    name: str
    title: str
    about: str
    content: dict[str, Any]


def all_of_them() -> list[Template]:
    """Every template, by name."""
    return [_read(file) for file in sorted(FOLDER.glob("*.ipynb"))]


def listed() -> Frame:
    """Every template, with what it is for."""
    from flip_sdk.frames import frame

    rows = [{"name": one.name, "title": one.title, "about": one.about} for one in all_of_them()]
    return frame(rows, dict.fromkeys(("name", "title", "about"), str), "Notebooks to begin a dashboard with")


def template(name: str) -> Template:
    """One of them.

    Raises:
        NotFoundError: there is no such template.
    """
    found = {one.name: one for one in all_of_them()}
    if name not in found:
        raise NotFoundError(f"There is no template “{name}”.", f"Choose one of: {', '.join(found)}.")
    return found[name]


def copy(name: str, file: str | Path | None = None) -> Path:
    """Put a template into a file of yours, to be changed and published.

    Args:
        name: of the template.
        file: where to; ``<name>.ipynb`` when left out.

    Raises:
        NotFoundError: there is no such template.
        PublicError: the file is there already.
    """
    chosen, place = template(name), Path(file or f"{name}.ipynb")
    try:
        with place.open("x", encoding="utf-8") as out:
            out.write((FOLDER / f"{chosen.name}.ipynb").read_text(encoding="utf-8"))
    except FileExistsError:
        raise PublicError(f"{place} is there already.", "Name another file; nothing was written over.") from None
    return place


def _read(file: Path) -> Template:
    content = json.loads(file.read_text(encoding="utf-8"))
    heading, _, rest = "".join(content["cells"][0]["source"]).partition("\n\n")
    about = " ".join(rest.split()).partition(":")[0]
    return Template(file.stem, heading.removeprefix("# "), about, content)
