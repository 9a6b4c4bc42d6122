"""Reading a cohort expression, and the rules it has to keep beyond its schema: the same on every side.

What is not supported is refused by name, with its path inside the expression. All violations are told at once.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from flip_sdk.contract.circe import (
    MAX_BYTES,
    CohortExpression,
    CriteriaGroup,
    Criterion,
    DateRange,
    EventCriteria,
    NumericRange,
    WholeRange,
)
from flip_sdk.contract.violations import Violation
from flip_sdk.errors import SpecError

MAX_DEPTH: Final = 12
"""Groups inside groups inside criteria."""
MAX_CRITERIA: Final = 500
"""Criteria of an expression, all of them together."""
_BETWEEN = ("bt", "!bt")


def read(content: bytes | str | dict[str, Any]) -> CohortExpression:
    """A cohort expression out of ATLAS's JSON.

    Raises:
        SpecError: with every violation: what is not supported, by name and path; what does not fit; which rules break.
    """
    raw = content if isinstance(content, bytes | str) else json.dumps(content)
    if len(raw) > MAX_BYTES:
        raise SpecError([_violation("too_long", "", f"The expression is longer than {MAX_BYTES:,} bytes.")])
    try:
        expression = CohortExpression.model_validate_json(raw)
    except ValidationError as error:
        raise SpecError(list(_unreadable(error))) from None
    if found := check_expression(expression):
        raise SpecError(found)
    return expression


def check_expression(expression: CohortExpression) -> list[Violation]:
    """All rules that an expression breaks; an empty list means that it can be evaluated."""
    found = [*_check_sets(expression)]
    sets = {concept_set.id for concept_set in expression.ConceptSets}
    criteria = 0
    for where, depth, record in walk(expression):
        if depth > MAX_DEPTH:
            found.append(_violation("too_deep", where, f"Groups are nested more than {MAX_DEPTH} deep."))
            break
        match record:
            case Criterion():
                criteria += 1
                found += _check_criterion(where, record, sets)
            case CriteriaGroup():
                found += _check_group(where, record)
            case NumericRange() | WholeRange() | DateRange():
                found += _check_range(where, record)
    if criteria > MAX_CRITERIA:
        found.append(_violation("too_many_criteria", "", f"{criteria} criteria are more than {MAX_CRITERIA}."))
    return found


def walk(record: BaseModel, where: str = "", depth: int = 0) -> Iterator[tuple[str, int, BaseModel]]:
    """Every record inside an expression, with its path and how many groups it is in."""
    yield where, depth, record
    if depth > MAX_DEPTH:
        return
    depth += isinstance(record, CriteriaGroup)
    for name in type(record).model_fields:
        value = getattr(record, name)
        path = f"{where}.{name}" if where else name
        if isinstance(value, BaseModel):
            yield from walk(value, path, depth)
        elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            yield from chain.from_iterable(walk(item, f"{path}[{i}]", depth) for i, item in enumerate(value))


def _unreadable(error: ValidationError) -> Iterator[Violation]:
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        where = _path(detail["loc"])
        if detail["type"] == "extra_forbidden":
            name = str(detail["loc"][-1])[:80]
            yield _violation("unsupported", where, f"{name} is not supported.", "Leave it out, or use what is listed.")
        elif detail["type"] == "too_short" and any(item["type"] == "extra_forbidden" for item in error.errors()):
            continue
        else:
            yield _violation("bad_value", where, f"{where.rpartition('.')[2] or 'It'}: {detail['msg']}.")


def _path(parts: tuple[int | str, ...]) -> str:
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path if len(path) <= 200 else "…" + path[-199:]


def _check_sets(expression: CohortExpression) -> Iterator[Violation]:
    for number, times in Counter(concept_set.id for concept_set in expression.ConceptSets).items():
        if times > 1:
            yield _violation("repeated_set", "ConceptSets", f"{times} concept sets have the id {number}.")


def _check_criterion(where: str, criterion: Criterion, sets: set[int]) -> Iterator[Violation]:
    named = list(criterion.named())
    if len(named) != 1:
        names = ", ".join(name for name, _ in named) or "none"
        yield _violation("not_one_criterion", where, f"A criterion names one kind of event; here: {names}.")
    for name, record in named:
        for field in type(record).model_fields:
            number = getattr(record, field)
            if (field == "CodesetId" or field.endswith("SourceConcept")) and number is not None and number not in sets:
                yield _violation("unknown_set", f"{where}.{name}.{field}", f"There is no concept set {number}.")
        if isinstance(record, EventCriteria):
            yield from _check_exclusions(f"{where}.{name}", record)


def _check_exclusions(where: str, record: EventCriteria) -> Iterator[Violation]:
    for field in type(record).model_fields:
        if field.endswith("Exclude") and getattr(record, field) and not getattr(record, field.removesuffix("Exclude")):
            yield _violation("nothing_excluded", f"{where}.{field}", "There is nothing to exclude.", "Name the types.")


def _check_group(where: str, group: CriteriaGroup) -> Iterator[Violation]:
    if group.Type.startswith("AT_") and group.Count is None:
        yield _violation("no_count", f"{where}.Count", f"{group.Type} needs a Count.")


def _check_range(where: str, record: NumericRange | WholeRange | DateRange) -> Iterator[Violation]:
    if record.Op not in _BETWEEN:
        return
    if record.Extent is None:
        yield _violation("no_extent", f"{where}.Extent", f"{record.Op} needs an Extent.")
    elif record.Extent < record.Value:  # type: ignore[operator]
        yield _violation("empty_range", where, "Extent lies before Value: nothing is between them.", "Swap them.")


def _violation(rule: str, where: str, message: str, mend: str = "Correct the expression.") -> Violation:
    return Violation(rule=rule, where=where[-200:], message=message, mend=mend)
