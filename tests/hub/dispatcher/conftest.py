"""A hub with a real database, a carrier in memory, and four Trusts that sign real answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from flip_hub.database import Base, Consent, Database, Job, JobEventRow, JobResultRow, Person, Project, Routine, Trust
from flip_hub.dispatcher.loop import Dispatcher
from flip_hub.dispatcher.testing import PlayedTrust
from flip_hub.dispatcher.tools import Tools
from flip_hub.dispatcher.watch import Limits
from flip_hub.flower.testing import FakeCarrier
from flip_hub.models import BlobStore
from flip_sdk.contract.api import JobResult
from flip_sdk.contract.applications import Application
from flip_sdk.contract.features import Feature, Label
from flip_sdk.contract.jobs import AnySpec, CountSpec, EvaluateSpec, ModelRef, Privacy, TrainSpec
from flip_sdk.contract.signatures import SigningKey
from flip_sdk.contract.states import JOB, JobState
from flip_sdk.contract.statistics import rounds_of
from flip_sdk.contract.tasks import SignedOffJob
from safetensors.numpy import save
from sqlalchemy import select

NAMES = ("aldgate", "brookfield", "carrick", "dunmore")
PROJECT = "breast-cytology"
KINDS = ["count", "train", "evaluate", "statistics"]
MAX_TURNS = 2000
GRAPH = {
    "schema_version": 1,
    "input": {"dtype": "float32", "shape": [1, 2]},
    "nodes": [
        {
            "op": "aten.linear.default",
            "args": [{"value": 0}, {"value": 1}, {"value": 2}],
            "named": {},
            "results": [{"dtype": "float32", "shape": [1, 1]}],
        }
    ],
    "output": 3,
    "weights": [
        {"key": "weight", "dtype": "float32", "shape": [1, 2], "trained": True},
        {"key": "bias", "dtype": "float32", "shape": [1], "trained": True},
    ],
}
FEATURES = (Feature(concept_id=1, low=0.0, high=10.0), Feature(concept_id=2, low=-1.0, high=1.0))


@dataclass
class Clock:
    """Time that only moves when told to, a little at every turn of the dispatcher."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Hub:
    """Everything around the dispatcher."""

    def __init__(self, folder: Path) -> None:
        (folder / "flip.db").write_bytes(_empty_database())
        self.database = Database(f"sqlite:///{folder / 'flip.db'}")
        self.blobs = BlobStore(folder / "blobs")
        self.governance, self.key = SigningKey.generate(), SigningKey.generate()
        self.clock = Clock()
        self.trusts = {name: PlayedTrust(name, self.key.public, self.governance.public) for name in NAMES}
        for trust in self.trusts.values():
            trust.shares.peers = {name: other.key.public for name, other in self.trusts.items()}
        self.carrier = FakeCarrier(responders={name: trust.respond for name, trust in self.trusts.items()})
        self.tools = Tools(
            database=self.database,
            blobs=self.blobs,
            carrier=self.carrier,
            key=self.key,
            governance=self.governance.public,
            limits=Limits(),
            clock=self.clock,
        )
        self.model = ModelRef(
            graph=self.blobs.put(json.dumps(GRAPH).encode()),
            weights=self.blobs.put(save({"weight": np.zeros((1, 2), "float32"), "bias": np.zeros(1, "float32")})),
        )
        self._people()
        self.dispatcher = Dispatcher(self.tools)

    def _people(self) -> None:
        soon = self.clock.now + timedelta(days=30)
        with self.database.write(Routine("a test")) as session:
            session.add(Person(name="ada", display_name="Ada", organisation="Northbridge", roles=["researcher"]))
            session.flush()
            session.add(
                Project(
                    project_id=PROJECT,
                    state="approved",
                    application=_application(soon),
                    owner="ada",
                    created_at=self.clock.now,
                    expires_at=soon,
                )
            )
            for name, trust in self.trusts.items():
                session.add(
                    Trust(
                        name=name,
                        title=name.title(),
                        identity_key=trust.key.public.x,
                        node_key="",
                        fingerprint="",
                        enrolled_at=self.clock.now,
                    )
                )
        for name in self.trusts:
            self.consent(name)

    def consent(
        self,
        trust: str,
        state: str = "opted_in",
        kinds: list[str] | None = None,
        models: tuple[str, ...] = ("local", "distributed"),
    ) -> None:
        with self.database.write(Routine("a test")) as session:
            session.merge(
                Consent(
                    trust=trust,
                    project_id=PROJECT,
                    state=state,
                    job_kinds=KINDS if kinds is None else kinds,
                    trust_models=list(models),
                    epsilon=10.0,
                    delta=1e-5,
                    expires_at=self.clock.now + timedelta(days=10),
                    issued_at=self.clock.now,
                )
            )

    def submit(self, spec: AnySpec, job_id: str = "job-1", trusts: tuple[str, ...] = NAMES) -> str:
        signed = SignedOffJob(
            job_id=job_id,
            spec=spec,
            project_title="Cytology",
            project_expires_at=self.clock.now + timedelta(days=30),
            trusts=trusts,
            researcher="ada",
            signed_off_by=("rufus", "mina"),
            issued_at=self.clock.now,
            expires_at=self.clock.now + timedelta(hours=24),
        )
        with self.database.write(Routine("a test")) as session:
            session.add(
                Job(
                    job_id=job_id,
                    project_id=PROJECT,
                    kind=spec.kind,
                    spec=spec,
                    spec_digest=spec.digest(),
                    state=JobState.SIGNED_OFF,
                    rounds=spec.rounds if isinstance(spec, TrainSpec) else rounds_of(getattr(spec, "question", None)),
                    trusts=list(trusts),
                    signed_job=self.governance.sign(signed),
                    submitted_by="ada",
                    idempotency_key=job_id,
                    submitted_at=self.clock.now,
                )
            )
        return job_id

    def change_job(self, job_id: str, **columns: object) -> None:
        with self.database.write(Routine("a test")) as session:
            for name, value in columns.items():
                setattr(session.get_one(Job, job_id), name, value)

    def turn(self, seconds: float = 0.02) -> None:
        """One turn of the dispatcher; time passes."""
        self.dispatcher._looked_at = self.dispatcher._saw_at = float("-inf")
        self.dispatcher._not_before.clear()
        self.dispatcher.tick()
        self.clock.pass_(seconds)

    def run(self, job_id: str = "job-1", seconds: float = 0.02) -> Job:
        """Turn until the job has ended and the dispatcher let go of it."""
        for _ in range(MAX_TURNS):
            self.turn(seconds)
            job = self.job(job_id)
            if job.state in JOB.ends() and job_id not in self.dispatcher.runners:
                return job
        raise AssertionError(f"stuck: {self.job(job_id).state} {self.words(job_id)}")

    def turn_until(self, condition: Callable[[], bool], seconds: float = 0.02) -> None:
        for _ in range(MAX_TURNS):
            if condition():
                return
            self.turn(seconds)
        raise AssertionError("it did not happen")

    def new_dispatcher(self) -> None:
        """The dispatcher was killed; another one starts."""
        self.dispatcher = Dispatcher(self.tools)

    def use(self, **limits: object) -> None:
        self.tools = replace(self.tools, limits=replace(self.tools.limits, **limits))
        self.new_dispatcher()

    def job(self, job_id: str = "job-1") -> Job:
        with self.database.read() as session:
            return session.get_one(Job, job_id)

    def result(self, job_id: str = "job-1") -> JobResult:
        with self.database.read() as session:
            return session.get_one(JobResultRow, job_id).content

    def events(self, job_id: str = "job-1") -> list[JobEventRow]:
        chosen = select(JobEventRow).where(JobEventRow.job_id == job_id).order_by(JobEventRow.sequence)
        with self.database.read() as session:
            return list(session.scalars(chosen))

    def words(self, job_id: str = "job-1") -> list[str]:
        return [event.words for event in self.events(job_id)]

    def steps(self, trust: str) -> list[tuple[str, int]]:
        return [(task.step, task.round) for task in self.trusts[trust].tasks]

    def train_spec(self, **changes: object) -> TrainSpec:
        given = {
            "project_id": PROJECT,
            "features": FEATURES,
            "label": Label(condition_concept_ids=(3,)),
            "model": self.model,
            "privacy": Privacy(),
            "rounds": 3,
        }
        return TrainSpec(**(given | changes))

    def evaluate_spec(self, **changes: object) -> EvaluateSpec:
        given = {
            "project_id": PROJECT,
            "features": FEATURES,
            "label": Label(condition_concept_ids=(3,)),
            "model": self.model,
        }
        return EvaluateSpec(**(given | changes))

    def count_spec(self, **changes: object) -> CountSpec:
        return CountSpec(**({"project_id": PROJECT} | changes))


@cache
def _empty_database() -> bytes:
    """Its tables, made once and copied for each hub."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "flip.db"
        database = Database(f"sqlite:///{path}")
        Base.metadata.create_all(database.engine)
        database.close()
        return path.read_bytes()


def _application(expires_at: datetime) -> Application:
    return Application(
        title="Cytology",
        lay_summary="What cells look like, and what that means.",
        public_benefit="Fewer people are asked to come back for nothing.",
        organisation="Northbridge University",
        trusts=NAMES,
        epsilon=10.0,
        expires_at=expires_at,
    )


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    made = Hub(tmp_path)
    yield made
    made.database.close()


@pytest.fixture(scope="session")
def hub_class() -> type[Hub]:
    return Hub
