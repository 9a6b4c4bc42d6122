"""Whether a resource may be mapped: FHIR's own structure first, then what the structure's library lets through.

``fhir.resources`` checks structure, cardinality and formats, and accepts any code where FHIR binds an element to a
fixed list (``status``, ``gender``); those lists are here, each code with what becomes of a resource that has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from flip_trust.ingest.events import UnusableError

Fate = Literal["taken", "passed over", "withdrawn"]
_MOST_REASONS = 3


def _fates(taken: str, passed_over: str, withdrawn: str) -> dict[str, Fate]:
    found: dict[str, Fate] = dict.fromkeys(taken.split(), "taken")
    found |= dict.fromkeys(passed_over.split(), "passed over")
    return found | dict.fromkeys(withdrawn.split(), "withdrawn")


STATUSES: Mapping[str, Mapping[str, Fate]] = {
    "Encounter": _fates(
        "arrived triaged in-progress onleave finished", "planned unknown", "cancelled entered-in-error"
    ),
    "Observation": _fates("preliminary final amended corrected", "registered unknown", "cancelled entered-in-error"),
    "MedicationStatement": _fates("active completed stopped on-hold", "intended unknown", "not-taken entered-in-error"),
    "Procedure": _fates("in-progress completed", "preparation on-hold stopped unknown", "not-done entered-in-error"),
    "ImagingStudy": _fates("available", "registered unknown", "cancelled entered-in-error"),
    "DiagnosticReport": _fates(
        "partial preliminary final amended corrected appended", "registered unknown", "cancelled entered-in-error"
    ),
}
"""What becomes of a resource, by its status. Source: FHIR R4B's value sets, bound as required."""
CONDITION_VERIFICATION = _fates("unconfirmed provisional confirmed", "", "differential refuted entered-in-error")
"""A diagnosis that was ruled out is no condition_occurrence (OMOP CDM 5.4, ETL conventions)."""
GENDERS = frozenset({"male", "female", "other", "unknown"})


def check(resource: Mapping[str, Any]) -> Fate:
    """Check a resource of a mapped type.

    Raises:
        UnusableError: it is not valid, or says that it must not be understood without what it adds.
    """
    kind = resource["resourceType"]
    try:
        get_fhir_model_class(kind).model_validate(dict(resource))
    except ValidationError as error:
        raise UnusableError(f"{kind}: " + "; ".join(_words(error))) from None
    except (TypeError, ValueError, AttributeError, RecursionError):
        raise UnusableError(f"{kind}: its structure is not FHIR's") from None
    if not isinstance(resource.get("id"), str):
        raise UnusableError(f"{kind}.id: missing")
    if resource.get("modifierExtension"):
        raise UnusableError(f"{kind}.modifierExtension: it may turn the meaning round, and is not understood here")
    if kind == "Condition":
        return _verification(resource)
    if kind == "Patient":
        if resource.get("gender") not in {None, *GENDERS}:
            raise UnusableError("Patient.gender: not one of " + ", ".join(sorted(GENDERS)))
        return "taken"
    fate = STATUSES[kind].get(resource.get("status", ""))
    if fate is None:
        raise UnusableError(f"{kind}.status: not one of " + ", ".join(sorted(STATUSES[kind])))
    return fate


def _verification(condition: Mapping[str, Any]) -> Fate:
    codings = (condition.get("verificationStatus") or {}).get("coding") or []
    codes = [coding.get("code") for coding in codings]
    if not codes:
        return "taken"
    fates = {CONDITION_VERIFICATION[code] for code in codes if code in CONDITION_VERIFICATION}
    if not fates:
        known = ", ".join(sorted(CONDITION_VERIFICATION))
        raise UnusableError(f"Condition.verificationStatus: not one of {known}")
    return "withdrawn" if "withdrawn" in fates else "taken"


def _words(error: ValidationError) -> list[str]:
    """Where and what, without the value: messages quote it."""
    found = []
    for one in error.errors(include_url=False, include_input=False, include_context=False)[:_MOST_REASONS]:
        place = ".".join(str(part) for part in one["loc"])
        message = re.sub(r"(['\"]).*?\1", "…", one["msg"].removeprefix("Value error, "))
        found.append(f"{place}: {message}")
    return found
