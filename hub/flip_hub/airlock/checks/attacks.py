"""sacroml's worst-case attack on a model's answers about made-up persons who were, and were not, trained on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from tempfile import TemporaryDirectory

import numpy as np
from flip_sdk.contract.airlock import Finding
from numpy.typing import NDArray

from flip_hub.airlock.checks.rules import Check, FileRead, Rule, Subject

BEATEN = Rule(
    "model.members_are_known",
    "flag",
    "From the model's answers alone, an attack told those it was trained on from others with an AUC of {auc:.2f} (0.5 "
    "is a coin, {most:g} allowed): it remembers them.",
    "Train with more privacy, for fewer rounds or with fewer parameters; then attack it again.",
)
WITHSTOOD = Rule(
    "model.attack_withstood",
    "note",
    "An attack told the {members} made-up persons it was trained on from {others} others no better than with an AUC of "
    "{auc:.2f} (0.5 is a coin, {most:g} allowed).",
)
UNUSABLE = Rule(
    "model.attack_not_run",
    "flag",
    "The predictions in {path} cannot be attacked: {why}.",
    "Give a table with a column member (1: trained on, 0: not) and one column of probabilities for each class, of at "
    "least {least} made-up persons each.",
)
LEAST_PERSONS = 50
MOST_PERSONS = 5_000
REPETITIONS = 3
_SEED = 5
Numbers = NDArray[np.float64]


def _attack(subject: Subject) -> Iterator[Finding]:
    underlying = subject.underlying
    if subject.file.form != "safetensors" or underlying is None:
        return
    try:
        members, others = answers(underlying)
    except ValueError as error:
        yield UNUSABLE.found(path=underlying.path, why=error, least=LEAST_PERSONS)
        return
    auc, most = worst_case(members, others), subject.limits.attack_auc
    rule = BEATEN if auc > most else WITHSTOOD
    numbers = {"auc": auc, "most": most, "members": len(members), "others": len(others)}
    yield rule.found(numbers=numbers, auc=auc, most=most, members=len(members), others=len(others))


def answers(file: FileRead) -> tuple[Numbers, Numbers]:
    """A model's answers about those it was trained on and about others, persons × classes.

    Raises:
        ValueError: the file does not hold them; says why.
    """
    table = file.table
    if table is None or "member" not in table.columns:
        raise ValueError("it is no table with a column called member")
    place = table.columns.index("member")
    columns = [c for c in table.numeric if c != place and min(_numbers(file, c)) >= 0 and max(_numbers(file, c)) <= 1]
    if not columns:
        raise ValueError("no column holds probabilities")
    if any(cells[c].number is None for cells in table.cells for c in columns):
        raise ValueError("a probability is missing")
    asked = np.array([[cells[c].number for c in columns] for cells in table.cells], dtype=np.float64)
    if asked.shape[1] == 1:
        asked = np.hstack([asked, 1 - asked])
    inside = np.array([row[place].strip().lower() in ("1", "true", "yes") for row in table.rows])
    if min(inside.sum(), (~inside).sum()) < LEAST_PERSONS:
        raise ValueError("it tells of too few persons")
    return asked[inside][:MOST_PERSONS], asked[~inside][:MOST_PERSONS]


def _numbers(file: FileRead, column: int) -> list[float]:
    cells = file.table.column(column) if file.table else ()
    return [cell.number for cell in cells if cell.number is not None]


def worst_case(members: Numbers, others: Numbers) -> float:
    """How well an attacker who knows half of the persons tells the rest apart: the better AUC of two attacks."""
    from sacroml.attacks.worst_case_attack import WorstCaseAttack

    logging.getLogger("sacroml").setLevel(logging.WARNING)
    np.random.seed(_SEED)
    found = []
    for by_confidence in (True, False):
        with TemporaryDirectory() as folder:
            attack = WorstCaseAttack(
                folder, False, REPETITIONS, n_dummy_reps=0, test_prop=0.5, sort_probs=by_confidence
            )
            attack.attack_from_preds(members, others)
        found.append(float(np.mean([metrics["AUC"] for metrics in attack.attack_metrics])))
    return max(found)


CHECKS = (
    Check(
        "membership attack",
        frozenset({"model"}),
        _attack,
        "sacroml's worst-case membership attack, where predictions about made-up persons are given.",
        needs=("sacroml", "sklearn"),
    ),
)
