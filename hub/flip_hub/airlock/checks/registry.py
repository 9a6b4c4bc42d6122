"""Every check, in the order in which its findings are shown."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from flip_sdk.contract.airlock import Finding

from flip_hub.airlock.checks import (
    acro_session,
    attacks,
    documents,
    dominance,
    drawings,
    images,
    ledger,
    models,
    notebooks,
    persons,
    results,
    secrets,
    shape,
    small_counts,
    texts,
    totals,
)
from flip_hub.airlock.checks.rules import Check, Rule, Subject, listed

CHECKS: tuple[Check, ...] = (
    *results.CHECKS,
    *secrets.CHECKS,
    *texts.CHECKS,
    *persons.CHECKS,
    *small_counts.CHECKS,
    *totals.CHECKS,
    *shape.CHECKS,
    *dominance.CHECKS,
    *ledger.CHECKS,
    *images.CHECKS,
    *drawings.CHECKS,
    *notebooks.CHECKS,
    *documents.CHECKS,
    *models.CHECKS,
    *attacks.CHECKS,
    *acro_session.CHECKS,
)
NOT_RUN = Rule(
    "check.not_run",
    "flag",
    "The check of {name} did not run: the hub lacks {missing}.",
    "Nothing: tell the hub's operator, who installs flip-hub[airlock].",
)


def run(subject: Subject) -> Iterator[Finding]:
    """All checks of the file's kind; one whose libraries are missing says so."""
    for check in CHECKS:
        if subject.file.kind not in check.kinds:
            continue
        if missing := [module for module in check.needs if find_spec(module) is None]:
            yield NOT_RUN.found(name=check.name, missing=listed(missing))
        else:
            yield from check.run(subject)
