"""From an accepted task to its cohort: selected once, at the job's first task, and frozen until the job's end."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from flip_sdk.contract.cohorts import Cohort
from flip_sdk.contract.features import Feature
from flip_sdk.contract.jobs import EvaluateSpec, Part, TrainSpec
from flip_sdk.contract.records import Digest, digest
from flip_sdk.mechanisms.snapshot import Snapshot

from flip_trust.admission import AcceptedTask
from flip_trust.cohort.criteria import persons_in
from flip_trust.cohort.omop import Omop
from flip_trust.cohort.split import part_of
from flip_trust.cohort.visits import rows_of
from flip_trust.engine.records import RawUpdate
from flip_trust.keys import write_private

SNAPSHOT_FILE = "snapshot.safetensors"
GRAPH_FILE = "graph.json"
_PROOF = object()


@dataclass(frozen=True)
class CohortSnapshot:
    """A job's frozen cohort. Only :func:`select` makes one, and only for an accepted task.

    Attributes:
        snapshot: features ``[n, d]`` and labels ``[n]``, without any identifier.
        bounds: public bounds of the features, ``[d, 2]``.
    """

    snapshot: Snapshot = field(repr=False)
    bounds: npt.NDArray[np.float64] = field(repr=False)
    _proof: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        """Only :func:`select` may make one."""
        if self._proof is not _PROOF:
            raise TypeError("a CohortSnapshot is made by select alone")


def select(accepted: AcceptedTask, omop: Omop, jobs: Path, now: datetime) -> CohortSnapshot:
    """The cohort of a training or evaluation job: the frozen one, or frozen now.

    Raises:
        SetupError: a table is missing.
    """
    job = accepted.verified.job
    spec = job.spec
    if not isinstance(spec, TrainSpec | EvaluateSpec):
        raise TypeError("only a job with a model has a snapshot")
    bounds = np.array([(feature.low, feature.high) for feature in spec.features], dtype=np.float64)
    folder = jobs / job.job_id
    path = folder / SNAPSHOT_FILE
    if path.exists():
        return CohortSnapshot(Snapshot.from_bytes(path.read_bytes()), bounds, _PROOF)
    snapshot = _freeze(spec, omop, now)
    _make_private(jobs, folder)
    write_private(path, snapshot.to_bytes())
    return CohortSnapshot(snapshot, bounds, _PROOF)


def count(accepted: AcceptedTask, omop: Omop, now: datetime) -> RawUpdate:
    """The exact number of persons of a count job; one person more or less changes it by 1."""
    frame = persons_in(accepted.verified.job.spec.cohort, omop, now.year).select(pl.len()).collect()
    return RawUpdate({"persons": np.array([frame.item()], dtype=np.int64)}, sensitivity=1.0, noised=False)


def members(cohort: Cohort, part: Part, project_id: str, omop: Omop, now: datetime) -> pl.DataFrame:
    """``person_id`` of the cohort's persons who are in this part of the project's persons, in order."""
    persons = persons_in(cohort, omop, now.year).collect()
    if part == "all":
        return persons
    kept = [part_of(project_id, person_id) == part for person_id in persons["person_id"]]
    return persons.filter(pl.Series(kept, dtype=pl.Boolean))


def latest_values(persons: pl.DataFrame, omop: Omop, concepts: list[int]) -> npt.NDArray[np.float64]:
    """``[persons, concepts]`` latest values; nan where there is none."""
    found = omop.latest(concepts).collect().join(persons, on="person_id", how="semi")
    rows = {person_id: row for row, person_id in enumerate(persons["person_id"])}
    columns = {concept_id: column for column, concept_id in enumerate(concepts)}
    features = np.full((len(rows), len(columns)), np.nan)
    at = [rows[person_id] for person_id in found["person_id"]], [columns[c] for c in found["measurement_concept_id"]]
    features[at] = found["value"].to_numpy()
    return features


def keep_private(path: Path, content: bytes) -> None:
    """Keep something of a job's cohort in the job's folder, for this Trust's user alone."""
    _make_private(path.parent.parent, path.parent)
    write_private(path, content)


def keep_graph(jobs: Path, job_id: str, graph: bytes) -> None:
    """Keep a job's model graph beside its cohort, so that it has to be sent once only."""
    folder = jobs / job_id
    if not (folder / GRAPH_FILE).exists():
        _make_private(jobs, folder)
        write_private(folder / GRAPH_FILE, graph)


def kept_graph(jobs: Path, job_id: str, expected: Digest) -> bytes | None:
    """The graph kept for a job; None when there is none, or another."""
    path = jobs / job_id / GRAPH_FILE
    content = path.read_bytes() if path.exists() else None
    return content if content is not None and digest(content) == expected else None


def delete(jobs: Path, job_id: str) -> None:
    """Delete a job's frozen cohort and graph."""
    shutil.rmtree(jobs / job_id, ignore_errors=True)


def _freeze(spec: TrainSpec | EvaluateSpec, omop: Omop, now: datetime) -> Snapshot:
    persons = members(spec.cohort, spec.part, spec.project_id, omop, now)
    concepts = [feature.concept_id for feature in spec.features if isinstance(feature, Feature)]
    ill = omop.with_condition(spec.label.condition_concept_ids).collect()["person_id"]
    labels = np.ascontiguousarray(persons["person_id"].is_in(ill.implode()).cast(pl.Int64).to_numpy(), dtype=np.int64)
    if isinstance(spec, TrainSpec) and spec.max_records_per_person > 1:
        features, owners = rows_of(persons.select("person_id"), omop, concepts, spec.max_records_per_person)
        return Snapshot(features, labels[owners], owners)
    return Snapshot(latest_values(persons, omop, concepts), labels)


def _make_private(jobs: Path, folder: Path) -> None:
    jobs.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
