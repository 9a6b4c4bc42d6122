"""From what was typed into the application's form to an application, and back; every problem at once.

What is typed is kept as it is (``Raw``), complete or not. :func:`read` makes the best application of it that there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pydantic import ValidationError

from flip_sdk.contract.applications import Application, end_of
from flip_sdk.contract.form import FIELDS
from flip_sdk.contract.form_fields import FormField
from flip_sdk.contract.violations import Violation

Entry = dict[str, str | list[str]]
Value = str | list[str] | list[Entry]
Raw = Mapping[str, Value]
_TAKEN_FROM_BEFORE = ("title", "epsilon", "expires_at")
_WANTED = {
    "line": "Write this.",
    "text": "Write this.",
    "number": "Give a number.",
    "end": "Give a date.",
    "date": "Give a date.",
    "choice": "Choose one.",
    "choices": "Choose one at least.",
    "trusts": "Choose one at least.",
    "trust": "Choose one.",
    "entries": "Give one at least.",
}


@dataclass(frozen=True)
class Filled:
    """What a form's values come to.

    Attributes:
        application: all of it that is valid.
        problems: everything that keeps it from being submitted; ``where`` is ``field`` or ``field-entry-part``.
    """

    application: Application
    problems: tuple[Violation, ...]


class _TypingError(ValueError):
    """A value that is not what its field takes."""


def raw_of(application: Application) -> dict[str, Value]:
    """An application as its form shows it."""
    return {name: _typed(field, getattr(application, name)) for name, field in FIELDS.items()}


def read(raw: Raw, before: Application) -> Filled:
    """Make the best application of what was typed.

    Args:
        raw: what was typed; fields that it lacks are empty.
        before: where a title, an ε or a last day is taken from, if there is no valid one.
    """
    problems: list[Violation] = []
    values: dict[str, Any] = {}
    for name, field in FIELDS.items():
        value = _value(field, raw.get(name, ""), name, problems)
        if value is not None:
            values[name] = value
    application = _valid(values, before, problems)
    problems += _together(application)
    return Filled(application, tuple(problems))


def problems_of(application: Application) -> tuple[Violation, ...]:
    """Everything that keeps an application from being submitted."""
    return read(raw_of(application), application).problems


def is_empty(value: Value) -> bool:
    """Whether nothing was typed or chosen."""
    if isinstance(value, str):
        return not value.strip()
    return all(not _filled(entry) if isinstance(entry, dict) else not entry.strip() for entry in value)


def _typed(field: FormField, value: Any) -> Value:
    match field.kind:
        case "entries":
            return [{part.name: _part(part, getattr(entry, part.name)) for part in field.parts} for entry in value]
        case _:
            return _part(field, value)


def _part(field: FormField, value: Any) -> str | list[str]:
    match field.kind:
        case "choices" | "people" | "trusts":
            return list(value)
        case "lines":
            return "\n".join(value)
        case "flag":
            return "yes" if value else ""
        case "number":
            return f"{value:.12f}".rstrip("0").rstrip(".")
        case "end":
            return value.date().isoformat() if value else ""
        case _:
            return "" if value in (None, 0) else str(value)


def _value(field: FormField, raw: Value, where: str, problems: list[Violation]) -> Any:
    if field.kind == "entries":
        return _entries(field, raw, where, problems)
    if is_empty(raw):
        if field.needed:
            problems.append(Violation(rule="needed", where=where, message=f"{field.label}: {_WANTED[field.kind]}"))
        return None
    try:
        value = _READERS.get(field.kind, _line)(field, raw)
    except _TypingError as error:
        problems.append(Violation(rule="not_valid", where=where, message=f"{field.label}: {error}"))
        return None
    if isinstance(value, str) and len(value) < field.fewest:
        told = f"{field.label}: Write {field.fewest} characters at least."
        problems.append(Violation(rule="too_short", where=where, message=told))
    return value


def _entries(field: FormField, raw: Value, where: str, problems: list[Violation]) -> tuple[dict[str, Any], ...] | None:
    found = []
    for number, entry in enumerate(raw):
        if not isinstance(entry, dict) or not _filled(entry):
            continue
        parts = {p.name: _value(p, entry.get(p.name, ""), f"{where}-{number}-{p.name}", problems) for p in field.parts}
        found.append({name: value for name, value in parts.items() if value is not None})
    if not found and field.needed:
        problems.append(Violation(rule="needed", where=where, message=f"{field.label}: {_WANTED['entries']}"))
    return tuple(found) or None


def _filled(entry: Entry) -> bool:
    return any(value.strip() if isinstance(value, str) else value for value in entry.values())


def _valid(values: dict[str, Any], before: Application, problems: list[Violation]) -> Application:
    for name in _TAKEN_FROM_BEFORE:
        values.setdefault(name, getattr(before, name))
    while True:
        try:
            return Application.model_validate(values)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                name = str(detail["loc"][0])
                told = f"{FIELDS[name].label}: {detail['msg']}."
                problems.append(Violation(rule="not_valid", where=name, message=told))
                values.pop(name, None)
                if name in _TAKEN_FROM_BEFORE:
                    values[name] = getattr(before, name)


def _together(application: Application) -> Iterator[Violation]:
    """What several fields have to say together."""
    asked = {entry.trust for entry in application.data}
    for trust in application.trusts:
        if application.data and trust not in asked:
            yield Violation(rule="no_data", where="data", message=f"Say which data are asked of {trust}, and why.")
    for number, entry in enumerate(application.data):
        if entry.trust and entry.trust not in application.trusts:
            told = f"{entry.trust} is not among the Trusts that are asked."
            yield Violation(rule="trust_not_asked", where=f"data-{number}-trust", message=told)
    for number, reference in enumerate(application.references):
        if reference.granted_on and reference.expires_on and reference.expires_on < reference.granted_on:
            told = "This approval would end before it was given."
            yield Violation(rule="ends_too_early", where=f"references-{number}-expires_on", message=told)
    kinds = {reference.kind for reference in application.references}
    if application.confidentiality == "section_251" and "cag_s251" not in kinds:
        told = "Name the section 251 approval by which the duty of confidentiality is set aside."
        yield Violation(rule="no_approval", where="references", message=told)
    if application.linkage == "external" and not application.linkage_description.strip():
        told = "How data are linked: Say with which other data, and how."
        yield Violation(rule="needed", where="linkage_description", message=told)


def _line(field: FormField, raw: Value) -> str:
    text = str(raw).strip()
    if len(text) > field.most:
        raise _TypingError(f"It has {len(text):,} characters; {field.most:,} are the most.")
    return text


def _number(_field: FormField, raw: Value) -> float:
    try:
        return float(str(raw).strip())
    except ValueError as error:
        raise _TypingError("This is not a number. Write one, such as 2.5.") from error


def _whole(_field: FormField, raw: Value) -> int:
    try:
        return int(str(raw).strip())
    except ValueError as error:
        raise _TypingError("This is not a whole number.") from error


def _date(_field: FormField, raw: Value) -> date:
    text = str(raw).strip()
    for pattern in ("%Y-%m-%d", "%d/%m/%Y", "%d %B %Y"):
        try:
            return datetime.strptime(text, pattern).date()  # noqa: DTZ007
        except ValueError:
            continue
    raise _TypingError("This is not a date. Write one such as 31/12/2030.")


def _end(field: FormField, raw: Value) -> datetime:
    return end_of(_date(field, raw))


def _choice(field: FormField, raw: Value) -> str:
    if str(raw) not in dict(field.choices):
        raise _TypingError("This is none of the choices.")
    return str(raw)


def _choices(field: FormField, raw: Value) -> tuple[str, ...]:
    chosen = tuple(str(value) for value in raw)
    if field.choices and not set(chosen) <= set(dict(field.choices)):
        raise _TypingError("This is none of the choices.")
    return chosen


def _lines(_field: FormField, raw: Value) -> tuple[str, ...]:
    return tuple(line.strip() for line in str(raw).splitlines() if line.strip())


def _flag(_field: FormField, raw: Value) -> bool:
    return raw == "yes"


_READERS: Mapping[str, Callable[[FormField, Value], Any]] = {
    "number": _number,
    "whole": _whole,
    "date": _date,
    "end": _end,
    "choice": _choice,
    "choices": _choices,
    "people": _choices,
    "trusts": _choices,
    "lines": _lines,
    "flag": _flag,
}


def posted(application: Application) -> dict[str, str | list[str]]:
    """An application as a browser sends it: ``field``, and ``field-entry-part`` for entries."""
    sent: dict[str, str | list[str]] = {}
    for name, value in raw_of(application).items():
        if isinstance(value, str):
            sent[name] = value
            continue
        for number, entry in enumerate(value):
            if isinstance(entry, dict):
                sent |= {f"{name}-{number}-{part}": one for part, one in entry.items()}
        if FIELDS[name].kind != "entries":
            sent[name] = [entry for entry in value if isinstance(entry, str)]
    return sent
