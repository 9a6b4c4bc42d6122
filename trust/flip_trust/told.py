"""Numbers of persons that were told before, and what they show about a job's cohort at no further cost.

A job's own noisy count costs a part of its budget, and at a small ε it is too noisy to tell a cohort of 60 persons from
one of 9. Where the catalogue or an earlier count has shown already that the cohort is over the floor, that is enough:
what was told may be used again, differential privacy is immune to post-processing.
"""

from __future__ import annotations

from datetime import datetime

from flip_sdk.contract.cohorts import Cohort
from flip_sdk.contract.jobs import TrainSpec
from flip_sdk.mechanisms.floors import SHARES, least_told

from flip_trust.audit import Reader
from flip_trust.config import TrustConfig
from flip_trust.database import Statement


def forget() -> Statement:
    """Of other data than there are now, perhaps: a new catalogue makes numbers that were told before it void."""
    return ("DELETE FROM told_count", ())


def note(
    project_id: str | None, cohort: Cohort, persons: int, epsilon: float, rounding: int, at: datetime
) -> Statement:
    """Keep a number of persons that was told: of a project's cohort, or of the whole data set (no project).

    0 stands for a number that was kept back for being under the floor.
    """
    values = (project_id, cohort.digest(), persons, epsilon, rounding, at.isoformat())
    return ("INSERT INTO told_count VALUES (?, ?, ?, ?, ?, ?)", values)


def shows_floor(reader: Reader, spec: TrainSpec, config: TrustConfig) -> bool:
    """Whether the newest number that the project was told shows the training's part of its cohort to be over the floor.

    The project's own count of the very same cohort, or the catalogue's number where the cohort is everybody. It shows
    nothing where persons without a fitting image are left out.
    """
    if spec.images is not None:
        return False
    rows = reader.read(
        "SELECT persons, epsilon, rounding FROM told_count WHERE cohort = ? AND (project_id IS NULL OR project_id = ?) "
        "ORDER BY at DESC LIMIT 1",
        (spec.cohort.digest(), spec.project_id),
    )
    if not rows:
        return False
    told = rows[0]
    return bool(told["persons"] >= least_told(config.floor, told["epsilon"], told["rounding"], SHARES[spec.part]))
