"""Four Trusts that share noise, each with its own home, and the hub between them, honest or not."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from flip_sdk.contract.jobs import DistributedNoise, Privacy
from flip_sdk.contract.notices import PeerKey, fingerprint
from flip_sdk.contract.records import digest
from flip_sdk.contract.signatures import verify
from flip_sdk.contract.tasks import KeyShare, Refusal, RefusalCode, SignedOffJob
from flip_sdk.secure_sum.keys import EphemeralKey
from flip_sdk.secure_sum.layout import layout_of
from flip_sdk.secure_sum.masking import SumContext, add_up, mask
from flip_sdk.secure_sum.roster import build_roster
from flip_sdk.secure_sum.vector import unflatten
from flip_trust import consent, peers
from flip_trust.config import TrustConfig
from flip_trust.database import Database
from flip_trust.keys import load_identity
from flip_trust.setup import make_home

from tests.trust.world import GRAPH, PROJECT, SCALING, WEIGHTS, Hub, Trust, answer_of, train_spec, write_patients

NAMES = ("aldgate", "brookfield", "carrick", "dunmore")
PARAMETERS = {"weight": (1, 2), "bias": (1,)}


def shared_spec(**changes):
    """A training job with noise shares: at least three of four honest, one spare try a step."""
    model = DistributedNoise(**({"spare_rounds": 1} | {k: changes.pop(k) for k in ("min_honest",) if k in changes}))
    return train_spec(**({"privacy": Privacy(epsilon=3.0, trust_model=model)} | changes))


@dataclass
class Circle:
    """The Trusts and one job of theirs."""

    hub: Hub
    trusts: dict[str, Trust]
    spec: object = field(default_factory=shared_spec)
    job: SignedOffJob = field(init=False)
    tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.job = self.hub.job(self.spec, trusts=tuple(self.trusts))

    def ask(self, name: str, parts):
        """Hand a Trust a message: its answer, verified, and its tensors."""
        trust = self.trusts[name]
        received = trust.carrier.put(parts)
        trust.agent().take(trust.carrier.receive())
        answer = trust.carrier.answer(received)
        try:
            share = verify(answer["reply"], load_identity(trust.config).public, KeyShare)
        except Exception:  # noqa: BLE001 - another kind of answer
            return answer_of(trust, answer)
        self.tokens[name] = answer["reply"].decode()
        return share, None

    def keys(self, *names: str) -> bytes:
        """Every Trust's key, as a roster."""
        for name in names or tuple(self.trusts):
            share, _ = self.ask(name, self.hub.parts(self.job, "keys", trust=name))
            assert isinstance(share, KeyShare), share
        return build_roster(self.tokens)

    def parts(self, name: str, step: str, round_: int = 0, *, roster: bytes, summed=None, attempt=1, **changes):
        """A task for one Trust's part of a sum."""
        blobs = {"graph": GRAPH} if step == "prepare" else {"weights": WEIGHTS, "scaling": SCALING}
        about = {
            "trust": name,
            "roster": digest(roster),
            "summed": summed or tuple(self.trusts),
            "sum_attempt": attempt,
        }
        return self.hub.parts(self.job, step, round_, **(blobs | about | changes)) | {"roster": roster}

    def masked(self, step: str, round_: int = 0, *, roster: bytes, summed=None, attempt=1):
        """Every summed Trust's masked numbers."""
        found = {}
        for name in summed or tuple(self.trusts):
            answer = self.ask(name, self.parts(name, step, round_, roster=roster, summed=summed, attempt=attempt))
            assert answer[1] is not None, answer[0]
            found[name] = answer[1]["masked"]
        return found

    def context(self, step: str, round_: int, roster: bytes, summed=None, attempt=1) -> SumContext:
        """Which sum it is."""
        return SumContext(self.job.job_id, step, round_, attempt, summed or tuple(self.trusts), digest(roster))

    def unmasked(self, name: str, masked, context: SumContext):
        """What a Trust's masks hide, with every Trust's secret at hand."""
        read = {n: t.database.read("SELECT secret FROM sharing")[0]["secret"] for n, t in self.trusts.items()}
        keys = {n: EphemeralKey.from_bytes(secret) for n, secret in read.items()}
        publics = {n: key.public_hex for n, key in keys.items()}
        return (masked - mask(np.zeros_like(masked), keys[name], publics, name, context)).view(np.int64)

    def total(self, step: str, masked) -> dict[str, np.ndarray]:
        """What their sum says."""
        layout = layout_of(self.spec, step, PARAMETERS)
        return unflatten(layout.encoding.decode(add_up(list(masked.values()))), layout.shapes)


def confirm_all(trusts: dict[str, Trust]) -> None:
    """Every operator confirms every other Trust."""
    own = {n: PeerKey(trust=n, identity_key=load_identity(t.config).public.x) for n, t in trusts.items()}
    for name, trust in trusts.items():
        for other, record in own.items():
            if other != name:
                peers.confirm(trust.database, own[name], [record], fingerprint(record), "olga")


def make_trusts(folder, hub: Hub) -> dict[str, Trust]:
    """Homes of four Trusts that opted in, accept both trust models, and know each other."""
    trusts = {}
    for number, name in enumerate(NAMES):
        config = TrustConfig(folder / name, name, name.title(), sandbox="none", repeat_answers=False)
        make_home(config, hub.enrolment, fingerprint(hub.enrolment))
        write_patients(config.omop, persons=300 + 50 * number, seed=number)
        trusts[name] = Trust(config, hub, Database.open(config.database))
        opt_in(trusts[name])
    confirm_all(trusts)
    return trusts


def opt_in(trust: Trust, **changes) -> None:
    terms = {
        "job_kinds": ("count", "train"),
        "epsilon": 10.0,
        "delta": 1e-5,
        "expires_at": datetime.now(UTC) + timedelta(days=9),
        "trust_models": ("local", "distributed"),
    }
    consent.opt_in(trust.database, PROJECT, consent.Terms(**(terms | changes)), "sam")


def sums_in(trust: Trust) -> list[dict]:
    """What the audit log says a Trust took part in."""
    return [row["details"] for row in trust.events("task.offered") if "summed" in json.dumps(row["details"])]


def refusal(circle: Circle, name: str, parts) -> RefusalCode:
    """Why a Trust says no."""
    record, tensors = circle.ask(name, parts)
    assert isinstance(record, Refusal), record
    assert tensors is None
    return record.code
