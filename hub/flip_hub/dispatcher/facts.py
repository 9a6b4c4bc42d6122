"""What is recorded of a job, as frozen values: everything that the dispatcher decides by, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from flip_sdk.contract.jobs import FEWEST_FOR_DISTRIBUTED, AnySpec, DistributedNoise, EvaluateSpec, Scaling, TrainSpec
from flip_sdk.contract.states import JobState
from flip_sdk.contract.tasks import RefusalCode, SignedOffJob, Step

from flip_hub.dispatcher.deliveries import Delivery, Place

FEWEST_IN_A_SUM = 2
"""With one Trust alone, a sum would be its own numbers."""


@dataclass(frozen=True)
class Sum:
    """A try at a round's sum with noise shares: over exactly these Trusts, or it means nothing.

    Attributes:
        attempt: 1, 2, … within the round.
        roster: digest of the job's roster, which every task names.
        trusts: in the order of their names.
    """

    step: Step
    number: int
    attempt: int
    roster: str
    trusts: tuple[str, ...]


@dataclass(frozen=True)
class Round:
    """One federated iteration: every Trust gets the same step on the same inputs.

    Attributes:
        number: 0 for ``keys``, ``prepare``, ``count`` and ``evaluate``; 1 … rounds for ``train``; from 0 on for
            ``statistics``.
        weights: digest of the weights that travel with it.
        sum: with noise shares, which sum the answers belong to.
        corrections: digest of each Trust's drift correction (SCAFFOLD), where there is one.
    """

    step: Step
    number: int
    weights: str | None = None
    scaling: Scaling | None = None
    sum: Sum | None = None
    corrections: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        """Where in its job it is."""
        return self.step, self.number, self.sum.attempt if self.sum else 0


@dataclass(frozen=True)
class Facts:
    """A job as the database has it.

    Attributes:
        job: what governance signed off, verified.
        token: the compact JWS that ``job`` was read from: it travels inside every task.
        round: the round that is under way.
        deliveries: tasks of this round, and of ``prepare`` for Trusts that catch up.
        answered: Trusts whose update of this round is stored.
        prepared: Trusts whose ``prepare`` update is stored.
        served: Trusts that have answered any task of this job, so that they hold its graph.
        asked: Trusts that any task of this job was made for.
        refused: Trusts that said no for good.
        sums: with noise shares, a sum each time that the Trusts in it, or the try, changed; oldest first.
    """

    job: SignedOffJob
    token: str
    state: JobState
    round: Round
    cancel_requested: bool = False
    deliveries: tuple[Delivery, ...] = ()
    answered: frozenset[str] = frozenset()
    prepared: frozenset[str] = frozenset()
    served: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()
    refused: Mapping[str, RefusalCode] = field(default_factory=dict)
    sums: tuple[Sum, ...] = ()

    @property
    def spec(self) -> AnySpec:
        """What was asked."""
        return self.job.spec

    @property
    def graph(self) -> str | None:
        """Digest of the job's model graph; a count and statistics have none."""
        return self.spec.model.graph if isinstance(self.spec, TrainSpec | EvaluateSpec) else None

    @property
    def min_trusts(self) -> int:
        """Fewest Trusts with which a round may end."""
        if not isinstance(self.spec, TrainSpec):
            return 1
        model = self.sharing
        if model is None:
            return self.spec.min_trusts
        fewest = FEWEST_FOR_DISTRIBUTED if self.round.step == "keys" else FEWEST_IN_A_SUM
        return max(self.spec.min_trusts, model.honest_of(len(self.job.trusts)), fewest)

    @property
    def sharing(self) -> DistributedNoise | None:
        """How the Trusts share the noise; None where each adds its own in full."""
        return sharing_of(self.spec)

    @property
    def open(self) -> list[Delivery]:
        """Deliveries that still wait for an answer."""
        return [d for d in self.deliveries if d.open]

    def of(self, trust: str, place: Place) -> list[Delivery]:
        """A Trust's deliveries of one round, oldest first."""
        found = [d for d in self.deliveries if d.trust == trust and d.place == place]
        return sorted(found, key=lambda d: d.attempt)


def sharing_of(spec: AnySpec) -> DistributedNoise | None:
    """How a job's Trusts share the noise; None where each adds its own in full."""
    model = spec.privacy.trust_model if isinstance(spec, TrainSpec) else None
    return model if isinstance(model, DistributedNoise) else None


@dataclass(frozen=True)
class Standing:
    """What the hub knows of a Trust with respect to one project: enrolment and the mirror of its consent.

    Attributes:
        title: the Trust's name for people.
        key: its enrolled identity key.
        consent: ``opted_in``, ``paused``, ``left`` or ``none``.
        trust_models: on whom its steward accepted that the guarantee depends.
    """

    trust: str
    title: str
    key: str
    active: bool
    consent: str = "none"
    job_kinds: tuple[str, ...] = ()
    expires_at: datetime | None = None
    seen_at: datetime | None = None
    trust_models: tuple[str, ...] = ("local",)

    def objection(self, spec: AnySpec, now: datetime) -> str:
        """Why nothing may be sent to it for such a job, in words; empty where it may."""
        if not self.active:
            return "it is no longer enrolled"
        if self.consent != "opted_in":
            return {"paused": "it paused the project", "left": "it left the project"}.get(
                self.consent, "it has not opted in to the project"
            )
        if self.expires_at is not None and self.expires_at <= now:
            return "its opt-in to the project has expired"
        if spec.kind not in self.job_kinds:
            return f"it did not allow jobs of the kind {spec.kind}"
        shared = sharing_of(spec) is not None and "distributed" not in self.trust_models
        return "its data steward did not accept noise shared among Trusts" if shared else ""
