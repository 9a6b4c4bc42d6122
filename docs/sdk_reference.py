"""The page of the SDK's names: what ``flip_sdk.__all__`` lists, and its classes' methods, out of their docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import flip_sdk

_GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Signing in and finding your way",
        ("connect", "login", "logout", "offline", "Hub", "Project", "Catalogue", "Concept"),
    ),
    ("People", ("Cohort", "Rule", "age_between", "has_condition", "measurement_between", "sex_is")),
    ("What a model is told and tells", ("Feature", "Label", "age", "sex", "had", "days_with", "label", "classes")),
    ("Images", ("Images", "Tiles", "images", "tiles")),
    ("Events", ("Event", "condition", "death", "drug", "image", "measurement", "observation", "procedure", "visit")),
    ("Groups", ("Grouping", "by_age", "by_condition", "by_sex")),
    ("Privacy and advice", ("Privacy", "FullBatch", "DPSGD", "advise", "Advice")),
    ("Jobs and results", ("Job", "Result")),
    ("Leaving the workspace", ("Output", "ReleaseRequest", "Dashboard")),
)
_SECTIONS = ("Args", "Raises", "Returns", "Attributes")


def sdk_page() -> str:
    """Every public name, by what it is for; those of no group under the last heading."""
    grouped = {name for _, names in _GROUPS for name in names}
    errors = tuple(name for name in flip_sdk.__all__ if name.endswith("Error"))
    others = tuple(name for name in flip_sdk.__all__ if name not in grouped and name not in errors)
    parts = ["# The SDK's names", "`import flip_sdk as flip`. What they are for, with examples: [the SDK](../sdk.md)."]
    for title, names in (*_GROUPS, ("Others", others), ("Errors", errors)):
        parts += [f"## {title}", *(part for name in names for part in _parts(name))] if names else []
    return "\n\n".join(parts) + "\n"


def _parts(name: str) -> Iterator[str]:
    found = getattr(flip_sdk, name)
    yield f"### `flip.{name}{_signature(found)}`"
    yield from _said(found)
    if inspect.isclass(found) and not issubclass(found, Exception):
        for method, value in _methods(found):
            yield f"#### `{name}.{method}{_signature(value)}`"
            yield from _said(value)


def _methods(kind: type) -> Iterator[tuple[str, object]]:
    """Public methods and properties of our own classes, in the order of their names."""
    for name in sorted(dir(kind)):
        value = inspect.getattr_static(kind, name)
        owner = next((base for base in kind.__mro__ if name in vars(base)), kind)
        ours = owner.__module__.startswith("flip_sdk") and ".contract." not in owner.__module__
        told = isinstance(value, property | classmethod) or inspect.isfunction(value)
        if ours and told and not name.startswith("_"):
            yield name, value


def _signature(found: object) -> str:
    if isinstance(found, property) or (inspect.isclass(found) and issubclass(found, Exception)):
        return ""
    found = found.__func__ if isinstance(found, classmethod) else found
    try:
        text = str(inspect.signature(found))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return ""
    return re.sub(r"\((self|cls)(, )?", "(", text.replace("'", "")).replace("(/, ", "(")


def _said(found: object) -> Iterator[str]:
    """A docstring in paragraphs, its sections as lists."""
    for block in inspect.cleandoc(getattr(found, "__doc__", None) or "").split("\n\n"):
        head, _, rest = block.partition("\n")
        if head.rstrip(":") in _SECTIONS and head.endswith(":"):
            yield f"{head}\n\n" + "\n".join(_items(rest))
        elif block.startswith(" ") or ">>>" in block:
            yield f"```python\n{inspect.cleandoc(block)}\n```"
        elif block:
            yield _plain(block)


def _items(text: str) -> Iterator[str]:
    joined = re.sub(r"\n {6,}", " ", text)
    for line in joined.splitlines():
        name, colon, words = line.strip().partition(": ")
        yield f"- `{name.lstrip('*')}`: {_plain(words)}" if colon else f"- {_plain(line.strip())}"


def _plain(text: str) -> str:
    """Markdown for a docstring's marks."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text.replace("``", "`"))
    return text.replace("<", "&lt;").replace("|", "\\|")
