"""From an accepted task to its cohort: selected once, at the job's first task, and frozen until the job's end."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from flip_sdk.contract.jobs import EvaluateSpec, TrainSpec
from flip_sdk.contract.records import Digest, digest
from flip_sdk.mechanisms.snapshot import Snapshot

from flip_trust.admission import AcceptedTask
from flip_trust.cohort.criteria import persons_in
from flip_trust.cohort.omop import Omop
from flip_trust.engine.records import IMAGES_FILE, RawUpdate
from flip_trust.features.freezing import freeze
from flip_trust.keys import write_private

SNAPSHOT_FILE = "snapshot.safetensors"
GRAPH_FILE = "graph.json"
_PROOF = object()


@dataclass(frozen=True)
class CohortSnapshot:
    """A job's frozen cohort. Only :func:`select` makes one, and only for an accepted task.

    Attributes:
        snapshot: features ``[rows, d]``, labels ``[rows]`` and images, without any identifier.
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
        RefusedError: UNKNOWN_CONCEPT, what the job asks for is not kept here; IMAGES_TOO_LARGE.
        SetupError: a table is missing.
    """
    job = accepted.verified.job
    spec = job.spec
    if not isinstance(spec, TrainSpec | EvaluateSpec):
        raise TypeError("only a job with a model has a snapshot")
    bounds = np.array([(feature.low, feature.high) for feature in spec.features], dtype=np.float64).reshape(-1, 2)
    folder = jobs / job.job_id
    path = folder / SNAPSHOT_FILE
    if not path.exists():
        _make_private(jobs, folder)
        # the images first: where there is a snapshot, everything is there
        write_private(path, freeze(spec, omop, now, folder).to_bytes())
    return CohortSnapshot(Snapshot.from_bytes(path.read_bytes(), folder / IMAGES_FILE), bounds, _PROOF)


def count(accepted: AcceptedTask, omop: Omop, now: datetime) -> RawUpdate:
    """The exact number of persons of a count job; one person more or less changes it by 1."""
    frame = persons_in(accepted.verified.job.spec.cohort, omop, now.year).select(pl.len()).collect()
    persons = int(frame.item())
    return RawUpdate({"persons": np.array([persons], dtype=np.int64)}, 1.0, noised=False, persons=persons)


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
    """Delete a job's frozen cohort, images and graph."""
    shutil.rmtree(jobs / job_id, ignore_errors=True)


def _make_private(jobs: Path, folder: Path) -> None:
    jobs.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
