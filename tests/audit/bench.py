"""The Trust's own way from a task to a release, over canaries: nothing between them is a stand-in.

Tasks are signed, verified and admitted, the worker's own code computes, and ``disclosure.protect`` adds the noise; only
that the worker is not a process of its own, so that a test can break it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from flip_sdk.accounting.events import Gaussian, PoissonGaussian
from flip_sdk.contract.graph import parse_graph
from flip_sdk.contract.jobs import DPSGD, FullBatch, Mechanism
from flip_sdk.contract.notices import fingerprint
from flip_sdk.mechanisms.audit import CONFIDENCE, Verdict, mu_test
from flip_sdk.mechanisms.snapshot import Snapshot
from flip_trust.admission import AcceptedTask, admit
from flip_trust.agent import run_task
from flip_trust.config import TrustConfig
from flip_trust.database import Database
from flip_trust.disclosure.protect import ProtectedUpdate, protect
from flip_trust.engine.records import EngineError
from flip_trust.engine.session import EngineSession
from flip_trust.engine.worker import _Job
from flip_trust.setup import make_home
from flip_trust.verify import verify_task
from safetensors.numpy import load, save

from tests.audit.canaries import SIZE, coins, crowd, exported, scaling, spec_of, weights_of, write_canaries
from tests.trust.world import NAME, Hub, Trust


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
        record, features = parse_graph(graph) if graph is not None else None, snapshot.features.shape[1]
        return EngineSession(worker, record, snapshot.count, features, snapshot.width, 1.0, lambda _: None)


def make_trust(home: Path, hub: Hub, name: str, count: int, persons: int | None = None) -> Trust:
    """A Trust whose patients are the first so many canaries, with a budget for everything."""
    torch.set_num_threads(1)
    config = TrustConfig(
        home, name, name.title(), sandbox="none", repeat_answers=False, max_epsilon_per_job=900.0, total_epsilon=9000.0
    )
    make_home(config, hub.enrolment, fingerprint(hub.enrolment))
    write_canaries(config.omop, count, persons)
    return Trust(config, hub, Database.open(config.database), InsidePool(home / "slots"))


def accept(trust: Trust, parts: dict[str, bytes]) -> AcceptedTask:
    """Verify and admit what the hub sends."""
    runner = trust.runner()
    verified = verify_task(
        parts, hub=trust.hub.pinned, trust=trust.config.name, now=datetime.now(UTC), seen=lambda _: False
    )
    return admit(verified, database=trust.database, config=trust.config, grounds=runner.grounds, now=datetime.now(UTC))


def release(trust: Trust, accepted: AcceptedTask, session: EngineSession) -> np.ndarray:
    """What leaves the Trust for an accepted round."""
    raw = run_task._engine(accepted, None, session)
    protected = protect(accepted, raw, trust.config, datetime.now(UTC))
    (released,) = load(protected.tensors).values()
    return released.ravel()


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
        hub = Hub()
        self.trust = make_trust(self.home / "trust", hub, NAME, self.count)
        self.trust.opt_in(epsilon=900.0)
        self.exported = exported(self.count, self.form)
        spec = spec_of(self.exported, self.count, self.mechanism, epsilon=self.epsilon, rounds=self.rounds)
        job = hub.job(spec)
        parts = hub.parts(job, "prepare", graph=self.exported.graph)
        verified = verify_task(parts, hub=hub.pinned, trust=NAME, now=datetime.now(UTC), seen=lambda _: False)
        prepared = self.trust.runner().run(verified)
        assert isinstance(prepared, ProtectedUpdate), prepared
        for round_ in range(1, 1 + min(2, self.rounds)):
            blobs = {"graph": self.exported.graph, "weights": weights_of(self.exported, round_)}
            task = hub.parts(job, "train", round_, scaling=scaling(self.count), **blobs)
            self.accepted[round_] = accept(self.trust, task)

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
    def noise(self) -> float:
        """Standard deviation of the noise in each number of one release, as the ledger's event promises it."""
        if isinstance(self.mechanism, FullBatch):
            return self.event.noise_multiplier * self.mechanism.max_grad_norm
        assert isinstance(self.mechanism, DPSGD)
        one = self.event.noise_multiplier * self.mechanism.max_grad_norm * self.mechanism.learning_rate
        return one * np.sqrt(self.mechanism.local_steps) / (self.accepted[1].persons * self.mechanism.sampling_rate)

    @property
    def bounds(self) -> np.ndarray:
        return np.tile([-SIZE, SIZE], (self.count, 1))

    def session(self, people: Snapshot) -> EngineSession:
        return self.trust.pool.open(people, self.bounds, self.exported.graph)

    def release(self, session: EngineSession, round_: int) -> np.ndarray:
        """One round's release; odd rounds push every canary one way, even ones the other."""
        return release(self.trust, self.accepted[2 - round_ % 2], session)

    def scores(self, people: Snapshot) -> np.ndarray:
        """A whole job over these people: what each canary's number was moved by."""
        session = self.session(people)
        rounds = range(1, self.rounds + 1)
        total = np.sum([(1 if round_ % 2 else -1) * self.release(session, round_) for round_ in rounds], axis=0)
        return total if isinstance(self.mechanism, DPSGD) else -total

    def audit(
        self, runs: int = 1, people: Callable[[np.ndarray], Snapshot] = crowd, confidence: float = CONFIDENCE
    ) -> Verdict:
        """Some runs with fresh coins, and one verdict on all of them."""
        included = [coins(self.count) for _ in range(runs)]
        scores = [self.scores(people(chosen)) for chosen in included]
        return mu_test(np.concatenate(scores), np.concatenate(included), self.claimed, confidence=confidence)
