"""Where FLIP stands on each requirement: what is claimed, held against what ran."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from flip_hub.satre.evidence import Evidence
from flip_hub.satre.requirements import Catalogue, Requirement


class Standing(StrEnum):
    """How a requirement is answered."""

    TESTED = "met: tests ran"
    SET = "met by a setting"
    PAGE = "met by a page"
    DOCUMENTED = "documented"
    ORGANISATION = "organisation only"
    MISSING = "evidence missing"
    NOT_MET = "not met"


_PLAIN = {
    "setting": Standing.SET,
    "page": Standing.PAGE,
    "document": Standing.DOCUMENTED,
    "organisation_only": Standing.ORGANISATION,
    "not_met": Standing.NOT_MET,
}


@dataclass(frozen=True)
class Judgement:
    """A requirement, and where it stands.

    Attributes:
        proofs: each piece of evidence, and how it ended (passed, failed, skipped, did not run); '' for what is no test.
    """

    requirement: Requirement
    standing: Standing
    proofs: tuple[tuple[str, str], ...]


def judge(catalogue: Catalogue, evidence: Evidence) -> list[Judgement]:
    """Every requirement, in the specification's order."""
    return list(_judged(catalogue, evidence))


def _judged(catalogue: Catalogue, evidence: Evidence) -> Iterator[Judgement]:
    for requirement in catalogue.requirements:
        if requirement.kind != "test":
            yield Judgement(requirement, _PLAIN[requirement.kind], tuple((item, "") for item in requirement.evidence))
            continue
        proofs = tuple((test, evidence.outcomes.get(test, "did not run")) for test in requirement.evidence)
        proven = bool(proofs) and all(outcome == "passed" for _, outcome in proofs)
        yield Judgement(requirement, Standing.TESTED if proven else Standing.MISSING, proofs)
