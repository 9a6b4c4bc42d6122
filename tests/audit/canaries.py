"""The Trust's own way from a task to a release, with canaries for patients: nothing between them is a stand-in.

Canary i has the value 100 in feature i and 0 in all others, so that its clipped gradient is ±C·eᵢ. The tasks are
signed, verified and admitted, the worker's own code computes and ``disclosure.protect`` adds the noise; only that the
worker is not a process of its own, so that a test can break it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import torch
from flip_sdk.accounting.events import Gaussian, PoissonGaussian
from flip_sdk.contract.cohorts import Feature, Label
from flip_sdk.contract.graph import parse_graph
from flip_sdk.contract.jobs import DPSGD, FullBatch, Mechanism, ModelRef, Privacy, Scaling, TrainSpec
from flip_sdk.contract.notices import fingerprint
from flip_sdk.contract.records import digest
from flip_sdk.mechanisms.audit import CONFIDENCE, Verdict, mu_test
from flip_sdk.mechanisms.snapshot import Snapshot
from flip_sdk.models import ExportedModel, export_model
from flip_trust.admission import AcceptedTask, admit
from flip_trust.agent import run_task
from flip_trust.agent.serve import grounds_of
from flip_trust.agent.sessions import Sessions
from flip_trust.cohort.omop import Omop
from flip_trust.config import TrustConfig
from flip_trust.database import Database
from flip_trust.disclosure.protect import ProtectedUpdate, protect
from flip_trust.engine.records import EngineError
from flip_trust.engine.session import EngineSession
from flip_trust.engine.worker import _Job
from flip_trust.setup import make_home
from flip_trust.verify import verify_task
from safetensors.numpy import load, save

from tests.trust.world import NAME, PROJECT, Hub, Trust

SIZE, LABEL = 100.0, Label(condition_concept_ids=(2_000_000_101,))
FIRST_CONCEPT = 2_100_000_000
LOW, HIGH = 0.0, 2.0
"""Weights under which a canary's gradient is -C·eᵢ and +C·eᵢ: noise that is drawn once cancels in the difference."""
FULL_BATCH = FullBatch(max_grad_norm=0.1)
DP_SGD = DPSGD(max_grad_norm=0.1, learning_rate=10.0, sampling_rate=0.5, local_steps=25)


class Layer(torch.nn.Module):
    """A linear layer; ``form`` decides by which of the engine's ways its gradients are computed."""

    def __init__(self, count: int, form: str) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(count, 1, bias=False)
        self.form = form

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        match self.form:
            case "closed form":
                return self.layer(x)
            case "book-keeping":
                return 1.0 * self.layer(x)
        return (x * self.layer.weight).sum(1, keepdim=True)


FORMS = ("closed form", "book-keeping", "general")


class Inside:
    """A worker without its process: the same code on the same requests."""

    pid = 0

    def __init__(self, slot: Path) -> None:
        self._job = _Job(slot)

    def ask(self, header: dict, payload: bytes, _seconds: float, most: int) -> bytes:
        answer, tensors = self._job._answer(json.loads(json.dumps(header)), payload)
        if not answer["ok"]:
            raise EngineError(answer["code"], answer["detail"])
        assert len(tensors) <= most or most == 0
        return tensors

    def end(self) -> None:
        """There is nothing to end."""


@dataclass(frozen=True)
class InsidePool:
    """``EnginePool`` with workers that are no processes."""

    slots: Path

    def open(self, snapshot: Snapshot, bounds: np.ndarray, graph: bytes | None) -> EngineSession:
        slot = self.slots / secrets.token_hex(8)
        slot.mkdir(parents=True)
        (slot / "snapshot.safetensors").write_bytes(snapshot.to_bytes())
        (slot / "bounds.safetensors").write_bytes(save({"bounds": bounds}))
        worker = Inside(slot)
        worker.ask({"do": "open", "graph": graph is not None}, graph or b"", 1.0, 0)
        record = parse_graph(graph) if graph is not None else None
        return EngineSession(worker, record, snapshot.count, snapshot.features.shape[1], 1.0, lambda _: None)


def one_hot(count: int, included: np.ndarray) -> np.ndarray:
    return SIZE * np.eye(count)[included]


@dataclass
class Bench:
    """A Trust whose patients are canaries, and one job of theirs, admitted."""

    home: Path
    mechanism: Mechanism
    form: str = "closed form"
    count: int = 1000
    epsilon: float = 20.0
    rounds: int = 50
    accepted: dict[int, AcceptedTask] = field(default_factory=dict)

    def __post_init__(self) -> None:
        torch.set_num_threads(1)
        hub = Hub()
        config = TrustConfig(
            self.home / "trust", NAME, "Aldgate", sandbox="none", max_epsilon_per_job=900.0, total_epsilon=9000.0
        )
        make_home(config, hub.enrolment, fingerprint(hub.enrolment))
        write_canaries(config.omop, self.count)
        self.trust = Trust(config, hub, Database.open(config.database))
        self.trust.opt_in(epsilon=900.0)
        self.pool = InsidePool(self.home / "slots")
        self.exported = exported(self.count, self.form)
        self._admit()

    @property
    def event(self) -> Gaussian | PoissonGaussian:
        event = self.accepted[1].event
        assert isinstance(event, Gaussian | PoissonGaussian)
        return event

    @property
    def claimed(self) -> float:
        """The μ that the ledger was debited for."""
        rate = self.event.sampling_rate if isinstance(self.event, PoissonGaussian) else 1.0
        return rate * np.sqrt(self.event.steps) / self.event.noise_multiplier

    @property
    def bounds(self) -> np.ndarray:
        return np.tile([-SIZE, SIZE], (self.count, 1))

    def session(self, people: Snapshot) -> EngineSession:
        return self.pool.open(people, self.bounds, self.exported.graph)

    def release(self, session: EngineSession, round_: int) -> np.ndarray:
        """One round's release; odd rounds push every canary one way, even ones the other."""
        accepted = self.accepted[2 - round_ % 2]
        raw = run_task._engine(accepted, None, session)
        protected = protect(accepted, raw, self.trust.config, datetime.now(UTC))
        (released,) = load(protected.tensors).values()
        return released.ravel()

    @property
    def noise(self) -> float:
        """Standard deviation of the noise in each number of one release, as the ledger's event promises it."""
        if isinstance(self.mechanism, FullBatch):
            return self.event.noise_multiplier * self.mechanism.max_grad_norm
        assert isinstance(self.mechanism, DPSGD)
        one = self.event.noise_multiplier * self.mechanism.max_grad_norm * self.mechanism.learning_rate
        return one * np.sqrt(self.mechanism.local_steps) / (self.accepted[1].persons * self.mechanism.sampling_rate)

    def scores(self, people: Snapshot) -> np.ndarray:
        """A whole job over these people: what each canary's number was moved by."""
        session = self.session(people)
        rounds = range(1, self.rounds + 1)
        total = np.sum([(1 if round_ % 2 else -1) * self.release(session, round_) for round_ in rounds], axis=0)
        return total if isinstance(self.mechanism, DPSGD) else -total

    def audit(self, confidence: float = CONFIDENCE, people: Callable[[np.ndarray], Snapshot] | None = None) -> Verdict:
        """One run with fresh coins."""
        included = np.frombuffer(secrets.token_bytes(self.count), dtype=np.uint8) % 2 == 0
        scores = self.scores(people(included) if people else crowd(self.count, included))
        return mu_test(scores, included, self.claimed, confidence=confidence)

    def _admit(self) -> None:
        spec = TrainSpec(
            project_id=PROJECT,
            features=tuple(Feature(concept_id=FIRST_CONCEPT + i, low=-SIZE, high=SIZE) for i in range(self.count)),
            label=LABEL,
            model=ModelRef(graph=digest(self.exported.graph), weights=digest(self.exported.weights)),
            loss="mse",
            privacy=Privacy(epsilon=self.epsilon, mechanism=self.mechanism, scaling="public_bounds", scaling_share=0.0),
            rounds=self.rounds,
            part="all",
        )
        hub, job = self.trust.hub, self.trust.hub.job(spec)
        omop = Omop(self.trust.config.omop)
        grounds = grounds_of(self.trust.config, omop, sandboxed=True)
        sessions = Sessions(1)
        runner = run_task.TaskRunner(
            self.trust.config, self.trust.database, omop, self.pool, sessions, grounds, lambda: datetime.now(UTC)
        )
        prepared = runner.run(self._verified(hub.parts(job, "prepare", graph=self.exported.graph)))
        assert isinstance(prepared, ProtectedUpdate), prepared
        scaling = Scaling(shift=(0.0,) * self.count, scale=(SIZE,) * self.count)
        for round_, height in ((1, LOW), (2, HIGH)):
            weights = {k: np.full_like(v, height) for k, v in load(self.exported.weights).items()}
            parts = hub.parts(job, "train", round_, graph=self.exported.graph, weights=save(weights), scaling=scaling)
            self.accepted[round_] = admit(
                self._verified(parts),
                database=self.trust.database,
                config=self.trust.config,
                grounds=grounds,
                now=datetime.now(UTC),
            )

    def _verified(self, parts: dict[str, bytes]):
        return verify_task(parts, hub=self.trust.hub.pinned, trust=NAME, now=datetime.now(UTC), seen=lambda _: False)


def exported(count: int, form: str) -> ExportedModel:
    model = Layer(count, form)
    torch.nn.init.zeros_(model.layer.weight)
    return export_model(model, count, "mse")


def crowd(count: int, included: np.ndarray) -> Snapshot:
    """The canaries that take part, one row each, all of label 1."""
    people = one_hot(count, included)
    return Snapshot(people, np.ones(len(people), dtype=np.int64))


def write_canaries(folder: Path, count: int) -> None:
    """OMOP tables of all canaries: person i has one measurement, of concept i."""
    folder.mkdir(parents=True, exist_ok=True)
    ids, concepts = np.arange(1, 1 + count), FIRST_CONCEPT + np.arange(count)
    pl.DataFrame({"person_id": ids, "gender_concept_id": 8532, "year_of_birth": 1960}).write_parquet(
        folder / "person.parquet"
    )
    pl.DataFrame(
        {
            "person_id": ids,
            "measurement_concept_id": concepts,
            "measurement_date": [date(2025, 1, 1)] * count,
            "value_as_number": np.full(count, SIZE),
        }
    ).write_parquet(folder / "measurement.parquet")
    pl.DataFrame({"person_id": ids, "condition_concept_id": LABEL.condition_concept_ids[0]}).write_parquet(
        folder / "condition_occurrence.parquet"
    )
    known = [*concepts.tolist(), LABEL.condition_concept_ids[0]]
    domains = ["Measurement"] * count + ["Condition"]
    names = [str(concept) for concept in known]
    pl.DataFrame({"concept_id": known, "concept_name": names, "domain_id": domains}).write_parquet(
        folder / "concept.parquet"
    )
