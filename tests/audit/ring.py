"""Four Trusts that share their noise: canaries are one's patients, the others' are a few whom everybody knows.

What the hub sees is put together out of the Trusts' own releases; a Trust that works with the hub tells it everything,
so it is one that adds nothing but zeros.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from flip_sdk.accounting.events import SharedGaussian
from flip_sdk.contract.jobs import DistributedNoise
from flip_sdk.mechanisms.audit import CONFIDENCE, Verdict, mu_test
from flip_sdk.secure_sum.encoding import Encoding
from flip_sdk.secure_sum.masking import add_up, key_stream, mask
from flip_trust.admission import AcceptedTask
from flip_trust.engine.session import EngineSession

from tests.audit.bench import accept, make_trust, release
from tests.audit.canaries import FULL_BATCH, SIZE, coins, crowd, exported, scaling, spec_of, weights_of
from tests.trust.circle import NAMES, Circle, confirm_all, opt_in
from tests.trust.world import Hub

WATCHED, OTHERS = NAMES[0], NAMES[1:]
KNOWN = 40
"""Patients of each other Trust: canaries of the first numbers, which are not scored."""
Summed = tuple[str, ...]


@dataclass
class Ring:
    """The Trusts, one job of theirs, and tasks of it that each has admitted, by round and by who is summed."""

    home: Path
    count: int = 600
    rounds: int = 10
    spare: int = 2
    circle: Circle = field(init=False)
    roster: bytes = field(init=False)
    _accepted: dict[tuple[str, int, Summed], AcceptedTask] = field(default_factory=dict)

    def __post_init__(self) -> None:
        hub = Hub()
        self.exported = exported(self.count, "closed form")
        trusts = {
            name: make_trust(self.home / name, hub, name, self.count, None if name == WATCHED else KNOWN)
            for name in NAMES
        }
        for trust in trusts.values():
            opt_in(trust, epsilon=900.0)
        confirm_all(trusts)
        model = DistributedNoise(spare_rounds=self.spare)
        spec = spec_of(self.exported, self.count, FULL_BATCH, rounds=self.rounds, trust_model=model)
        self.circle = Circle(hub, trusts, spec)
        self.roster = self.circle.keys()
        for name in NAMES:
            parts = self.circle.parts(name, "prepare", roster=self.roster, graph=self.exported.graph)
            answer, masked = self.circle.ask(name, parts)
            assert masked is not None, answer

    @property
    def event(self) -> SharedGaussian:
        event = self.accepted(WATCHED, 1).event
        assert isinstance(event, SharedGaussian)
        return event

    @property
    def claimed(self) -> float:
        """The μ that the ledger was debited for, of the rounds without the spare ones."""
        return np.sqrt(self.rounds) / self.event.together

    @property
    def encoding(self) -> Encoding:
        return Encoding.for_sum(FULL_BATCH.max_grad_norm, self.count)

    @property
    def share(self) -> float:
        """Standard deviation of one Trust's share in each number, in units of the gradients."""
        return self.encoding.deviation(self.event.noise_multiplier) * self.encoding.step

    def accepted(self, name: str, round_: int, summed: Summed = NAMES) -> AcceptedTask:
        """A Trust's task of a round: odd ones push every canary one way, even ones the other."""
        key = (name, round_, summed)
        if key not in self._accepted:
            attempt = 1 if summed == NAMES else 2
            about = {"summed": summed, "attempt": attempt, "scaling": scaling(self.count), "graph": self.exported.graph}
            weights = weights_of(self.exported, 2 - round_ % 2)
            parts = self.circle.parts(name, "train", round_, roster=self.roster, weights=weights, **about)
            self._accepted[key] = accept(self.circle.trusts[name], parts)
        return self._accepted[key]

    def session(self, name: str, included: np.ndarray) -> EngineSession:
        bounds = np.tile([-SIZE, SIZE], (self.count, 1))
        return self.circle.trusts[name].pool.open(crowd(included), bounds, self.exported.graph)

    def sessions(self, included: np.ndarray) -> dict[str, EngineSession]:
        """Everybody's patients: the canaries that take part, and at each other Trust those whom everybody knows."""
        known = np.arange(self.count) < KNOWN
        return {name: self.session(name, included if name == WATCHED else known) for name in NAMES}

    def masked(self, name: str, round_: int, session: EngineSession, summed: Summed = NAMES) -> np.ndarray:
        """What an honest Trust sends."""
        return release(self.circle.trusts[name], self.accepted(name, round_, summed), session)

    def masks(self, name: str, round_: int, summed: Summed = NAMES) -> np.ndarray:
        """A Trust's masks alone: what it sends where it tells the hub everything else."""
        accepted = self.accepted(name, round_, summed)
        key, publics, context = accepted.sharing.key, accepted.sharing.publics, accepted.sharing.context
        return mask(np.zeros(self.count, dtype=np.uint64), key, publics, name, context)

    def between(self, name: str, other: str, round_: int, summed: Summed = NAMES) -> np.ndarray:
        """The mask of a pair, which either of them knows."""
        sharing = self.accepted(name, round_, summed).sharing
        secret = sharing.key.agree(sharing.publics[other])
        stream = key_stream(secret, (name, other), sharing.context, self.count)
        return stream if name < other else -stream

    def seen(
        self, round_: int, sessions: dict[str, EngineSession], colluding: Summed = (), summed: Summed = NAMES
    ) -> np.ndarray:
        """What the hub and those who work with it learn of one sum: the honest Trusts' numbers, added up."""
        sent = [
            self.masks(name, round_, summed) if name in colluding else self.masked(name, round_, sessions[name], summed)
            for name in summed
        ]
        return self.encoding.decode(add_up(sent))

    def audit(
        self, runs: int = 1, colluding: Summed = (), summed: Summed = NAMES, confidence: float = CONFIDENCE
    ) -> Verdict:
        """Some jobs with fresh coins for the canaries, and one verdict."""
        scores, included = [], []
        for _ in range(runs):
            chosen = coins(self.count)
            sessions = self.sessions(chosen)
            seen = [self.seen(2 - n % 2, sessions, colluding, summed) for n in range(1, self.rounds + 1)]
            signs = np.where(np.arange(1, self.rounds + 1) % 2, -1, 1)
            scores.append((signs[:, None] * np.array(seen)).sum(axis=0)[KNOWN:])
            included.append(chosen[KNOWN:])
        return mu_test(np.concatenate(scores), np.concatenate(included), self.claimed, confidence=confidence)
