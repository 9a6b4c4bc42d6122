"""What a browser sends of the application's form, as it was typed; and the other way round."""

from __future__ import annotations

import re
from collections.abc import Iterable

from flip_sdk.contract.filling import Entry, Value
from flip_sdk.contract.form import FIELDS
from flip_sdk.contract.form_fields import FormField
from starlette.datastructures import FormData

SEEN = "seen-"
"""Before a field's name: the revision of it that the page shows."""
_LISTS = frozenset({"choices", "people", "trusts"})
_MOST_ENTRIES = 200


def value_of(form: FormData, field: FormField) -> Value:
    """One field's value."""
    if field.kind == "entries":
        return _entries(form, field)
    return _single(form, field.name, field.kind)


def values_of(form: FormData) -> dict[str, Value]:
    """Every field of the form that is there."""
    return {name: value_of(form, field) for name, field in FIELDS.items() if _is_there(form, field)}


def seen_of(form: FormData) -> dict[str, int]:
    """The revisions that the page shows."""
    return {name: seen(form, name) for name in FIELDS if SEEN + name in form}


def seen(form: FormData, name: str) -> int:
    """The revision of a field that the page shows."""
    text = str(form.get(SEEN + name, "0"))
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def without(value: Value, number: int) -> Value:
    """A list without one of its entries."""
    return [one for at, one in enumerate(value) if at != number and isinstance(one, dict)]


def _entries(form: FormData, field: FormField) -> list[Entry]:
    numbers = sorted(_numbers(form.keys(), field.name))[:_MOST_ENTRIES]
    return [
        {part.name: _single(form, f"{field.name}-{number}-{part.name}", part.kind) for part in field.parts}
        for number in numbers
    ]


def _numbers(names: Iterable[str], field: str) -> set[int]:
    pattern = re.compile(rf"{field}-(\d{{1,4}})-\w+")
    return {int(match[1]) for name in names if (match := pattern.fullmatch(name))}


def _single(form: FormData, name: str, kind: str) -> str | list[str]:
    if kind in _LISTS:
        return [str(value) for value in form.getlist(name)]
    # browsers send line ends as CR LF, whatever was typed
    return str(form.get(name, "")).replace("\r\n", "\n")


def _is_there(form: FormData, field: FormField) -> bool:
    return SEEN + field.name in form or field.name in form or bool(_numbers(form.keys(), field.name))
