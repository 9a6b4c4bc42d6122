"""A Trust with synthetic patients, and a hub's two keys to send it tasks with."""

from __future__ import annotations

import json
import secrets
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flip_sdk.contract.features import Feature, Label
from flip_sdk.contract.jobs import CountSpec, EvaluateSpec, ModelRef, Privacy, Scaling, TrainSpec
from flip_sdk.contract.notices import HubEnrolment, SignedNotice
from flip_sdk.contract.records import digest
from flip_sdk.contract.signatures import PublicKey, SigningKey, verify
from flip_sdk.contract.tasks import CancelReceipt, Refusal, SafeUpdate, SignedOffJob, Task
from flip_sdk.errors import SignatureError
from flip_trust import consent
from flip_trust.agent.loop import Agent
from flip_trust.agent.run_task import TaskRunner
from flip_trust.agent.serve import grounds_of
from flip_trust.agent.sessions import Sessions
from flip_trust.agent.testing import FakeCarrier, FakePool
from flip_trust.cohort.omop import Omop
from flip_trust.config import TrustConfig
from flip_trust.database import Database
from flip_trust.keys import PinnedHub, load_identity
from safetensors.numpy import load, save

PROJECT = "breast-cytology"
NAME = "aldgate"
RADIUS, TEXTURE, MALIGNANT, BENIGN, FEMALE = 2_000_000_001, 2_000_000_002, 2_000_000_101, 2_000_000_102, 2_000_000_201
FEATURES = (Feature(concept_id=RADIUS, low=0, high=30), Feature(concept_id=TEXTURE, low=0, high=40))
LABEL = Label(condition_concept_ids=(MALIGNANT,))
GRAPH = json.dumps(
    {
        "input": {"dtype": "float32", "shape": [1, 2]},
        "nodes": [
            {
                "args": [{"value": 0}, {"value": 1}, {"value": 2}],
                "named": {},
                "op": "aten.linear.default",
                "results": [{"dtype": "float32", "shape": [1, 1]}],
            }
        ],
        "output": 3,
        "schema_version": 1,
        "weights": [
            {"dtype": "float32", "key": "weight", "shape": [1, 2], "trained": True},
            {"dtype": "float32", "key": "bias", "shape": [1], "trained": True},
        ],
    }
).encode()
WEIGHTS = save({"weight": np.zeros((1, 2), np.float32), "bias": np.zeros(1, np.float32)})
SCALING = Scaling(shift=(15.0, 20.0), scale=(5.0, 5.0))


def write_patients(folder: Path, persons: int = 400, seed: int = 7) -> None:
    """OMOP tables of made-up people; every tenth has no texture, and radius was measured twice."""
    random = np.random.default_rng(seed)
    ids = np.arange(1001, 1001 + persons)
    ill = random.random(persons) < 0.4
    folder.mkdir(parents=True, exist_ok=True)
    person = {"person_id": ids, "gender_concept_id": FEMALE, "year_of_birth": 1940 + ids % 60}
    pl.DataFrame(person).write_parquet(folder / "person.parquet")
    radius = np.where(ill, 18.0, 12.0) + random.normal(size=persons)
    rows = [(i, RADIUS, date(2024, 1, 1), 0.5) for i in ids]
    rows += [(i, RADIUS, date(2025, 1, 1), float(r)) for i, r in zip(ids, radius, strict=True)]
    rows += [(i, TEXTURE, date(2025, 1, 1), 20.0 + float(random.normal())) for i in ids if i % 10]
    columns = ["person_id", "measurement_concept_id", "measurement_date", "value_as_number"]
    pl.DataFrame(rows, schema=columns, orient="row").write_parquet(folder / "measurement.parquet")
    condition = {"person_id": ids, "condition_concept_id": np.where(ill, MALIGNANT, BENIGN)}
    pl.DataFrame(condition).write_parquet(folder / "condition_occurrence.parquet")
    names = [(RADIUS, "mean radius", "Measurement"), (TEXTURE, "mean texture", "Measurement")]
    names += [(MALIGNANT, "malignant", "Condition"), (BENIGN, "benign", "Condition"), (FEMALE, "female", "Gender")]
    pl.DataFrame(names, schema=["concept_id", "concept_name", "domain_id"], orient="row").write_parquet(
        folder / "concept.parquet"
    )


@cache
def authority() -> str:
    """A certificate authority's certificate, as a hub would hand it over."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "A hub")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@dataclass
class Hub:
    """The two keys of a hub, and what it signs with them."""

    governance: SigningKey = field(default_factory=SigningKey.generate)
    dispatcher: SigningKey = field(default_factory=SigningKey.generate)

    @property
    def pinned(self) -> PinnedHub:
        return PinnedHub(self.governance.public, self.dispatcher.public)

    @property
    def enrolment(self) -> HubEnrolment:
        return HubEnrolment(
            title="A hub",
            address="127.0.0.1:1",
            governance_key=self.governance.public.x,
            dispatcher_key=self.dispatcher.public.x,
            ca_certificate=authority(),
        )

    def job(self, spec, **changes) -> SignedOffJob:
        now = datetime.now(UTC)
        fields = {
            "job_id": secrets.token_hex(8),
            "spec": spec,
            "project_title": "Cytology",
            "project_expires_at": now + timedelta(days=30),
            "trusts": (NAME,),
            "researcher": "ada",
            "signed_off_by": ("rufus", "mina"),
            "issued_at": now,
            "expires_at": now + timedelta(hours=1),
        }
        return SignedOffJob(**(fields | changes))

    def task(self, signed: SignedOffJob, step: str, round_: int = 0, **changes) -> Task:
        now = datetime.now(UTC)
        fields = {
            "task_id": secrets.token_hex(8),
            "job_id": signed.job_id,
            "project_id": signed.spec.project_id,
            "trust": NAME,
            "step": step,
            "round": round_,
            "attempt": 1,
            "job": self.governance.sign(signed),
            "issued_at": now,
            "expires_at": now + timedelta(minutes=5),
        }
        return Task(**(fields | changes))

    def parts(self, job: SignedOffJob, step: str, round_: int = 0, *, graph=None, weights=None, **changes):
        """What travels for one task, signed, with its blobs."""
        blobs = {name: blob for name, blob in (("graph", graph), ("weights", weights)) if blob is not None}
        digests = {name: digest(blob) for name, blob in blobs.items()}
        task = self.task(job, step, round_, **(digests | changes))
        return {"task": self.dispatcher.sign(task).encode(), **blobs}

    def prepare(self, job, **changes):
        return self.parts(job, "prepare", graph=GRAPH, **changes)

    def train(self, job, round_=1, weights=WEIGHTS, **changes):
        return self.parts(job, "train", round_, weights=weights, **({"scaling": SCALING} | changes))

    def evaluate(self, job, **changes):
        return self.parts(job, "evaluate", graph=GRAPH, weights=WEIGHTS, **changes)


def count_spec(**changes) -> CountSpec:
    return CountSpec(**({"project_id": PROJECT, "epsilon": 0.5} | changes))


def train_spec(**changes) -> TrainSpec:
    fields = {
        "project_id": PROJECT,
        "features": FEATURES,
        "label": LABEL,
        "model": ModelRef(graph=digest(GRAPH), weights=digest(WEIGHTS)),
        "privacy": Privacy(epsilon=3.0),
        "rounds": 3,
    }
    return TrainSpec(**(fields | changes))


def evaluate_spec(**changes) -> EvaluateSpec:
    fields = {
        "project_id": PROJECT,
        "features": FEATURES,
        "label": LABEL,
        "model": ModelRef(graph=digest(GRAPH), weights=digest(WEIGHTS)),
        "scaling": SCALING,
        "epsilon": 2.0,
    }
    return EvaluateSpec(**(fields | changes))


@dataclass
class Trust:
    """A Trust's home, its open database, and an agent put together out of real parts around fakes."""

    config: TrustConfig
    hub: Hub
    database: Database
    pool: FakePool = field(default_factory=FakePool)
    carrier: FakeCarrier = field(default_factory=FakeCarrier)
    ran: threading.Event = field(default_factory=threading.Event)

    def runner(self) -> TaskRunner:
        omop, sessions = Omop(self.config.omop), Sessions(self.config.engine_sessions)
        grounds = grounds_of(self.config, omop, sandboxed=True)
        return TaskRunner(self.config, self.database, omop, self.pool, sessions, grounds, lambda: datetime.now(UTC))

    def agent(self) -> Agent:
        return Agent(self.runner(), self.carrier, load_identity(self.config), self.hub.pinned, self.ran)

    def opt_in(self, **changes) -> None:
        fields = {
            "job_kinds": ("count", "train", "evaluate"),
            "epsilon": 10.0,
            "delta": 1e-5,
            "expires_at": datetime.now(UTC) + timedelta(days=10),
        }
        consent.opt_in(self.database, PROJECT, consent.Terms(**(fields | changes)), "sam")

    def with_config(self, **changes) -> Trust:
        return replace(self, config=replace(self.config, **changes))

    def restarted(self) -> Trust:
        """The same home, opened anew as after a crash."""
        return Trust(self.config, self.hub, Database.open(self.config.database))

    def events(self, event: str) -> list[dict]:
        rows = self.database.read("SELECT * FROM audit WHERE event = ? ORDER BY sequence", (event,))
        return [row | {"details": json.loads(row["details"])} for row in rows]

    def ledger(self) -> list[dict]:
        return self.database.read("SELECT * FROM ledger")


def answer_of(trust: Trust, parts: dict[str, bytes]):
    """Verify an answer with the Trust's key: the record, and its tensors."""
    key: PublicKey = load_identity(trust.config).public
    for kind in (SafeUpdate, Refusal, CancelReceipt):
        try:
            record = verify(parts["reply"], key, kind)
        except SignatureError:
            continue
        return record, load(parts["tensors"]) if "tensors" in parts else None
    raise AssertionError("an answer of no known kind")


def notice_of(trust: Trust, jws: str):
    """Verify a notice with the Trust's key."""
    return verify(jws, load_identity(trust.config).public, SignedNotice).notice


def wait_until(condition, seconds: float = 60.0) -> None:
    """Wait until a condition holds, or fail."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        threading.Event().wait(0.01)
