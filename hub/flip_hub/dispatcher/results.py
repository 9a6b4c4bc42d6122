"""What a job released, put together from what the Trusts signed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flip_sdk.accounting.composition import alone, epsilon_of
from flip_sdk.accounting.price import events_of_job
from flip_sdk.contract.api import JobResult, RefusalView
from flip_sdk.contract.inputs import released_scores
from flip_sdk.contract.jobs import CountSpec, EvaluateSpec, ModelRef, StatisticsSpec, TrainSpec
from flip_sdk.contract.records import digest
from flip_sdk.contract.statistics import Estimate, is_pure
from flip_sdk.contract.tasks import REFUSAL_WORDS
from flip_sdk.mechanisms.aggregate import figures_of
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.database import ReceivedUpdate
from flip_hub.dispatcher.accept import AcceptedUpdate
from flip_hub.dispatcher.arithmetic import Progress
from flip_hub.dispatcher.facts import Facts
from flip_hub.dispatcher.recover import Recovered


@dataclass(frozen=True)
class Released:
    """Every record that a job's Trusts signed: step, round, Trust and, where a sum was repeated, try → its digest."""

    updates: Mapping[tuple[str | int, ...], str]

    @property
    def trusts(self) -> tuple[str, ...]:
        """Trusts that released anything."""
        return tuple(sorted({str(key[2]) for key in self.updates if key[0] != "keys"}))

    @property
    def digest(self) -> str:
        """One digest over all of them, in order."""
        lines = [" ".join((*map(str, key), self.updates[key])) for key in sorted(self.updates)]
        return digest("\n".join(lines).encode())


def released_by(session: Session, job_id: str) -> Released:
    """What a job's Trusts have released until now."""
    place = (ReceivedUpdate.step, ReceivedUpdate.round, ReceivedUpdate.trust, ReceivedUpdate.sum_attempt)
    rows = session.execute(select(*place, ReceivedUpdate.record).where(ReceivedUpdate.job_id == job_id))
    return Released(
        {
            (step, number, trust, *((attempt,) if attempt > 1 else ())): digest(record.encode())
            for step, number, trust, attempt, record in rows
        }
    )


def counted(held: Recovered, released: Released) -> JobResult:
    """A count's result: noisy, rounded persons by Trust; None where the Trust's floor hides the number."""
    spec = held.facts.spec
    assert isinstance(spec, CountSpec)
    return _result(
        held, released, epsilon=spec.epsilon, delta=0.0, counts={t: _count(u) for t, u in held.updates.items()}
    )


def _count(update: AcceptedUpdate) -> int | None:
    return None if update.record.suppressed else round(float(update.tensors["persons"][0]))


def evaluated(held: Recovered, released: Released) -> JobResult:
    """An evaluation's result: figures by Trust and over all, with standard errors that include the noise."""
    spec = held.facts.spec
    assert isinstance(spec, EvaluateSpec)
    name, _ = released_scores(spec)
    tables = {trust: held.updates[trust].tensors[name] for trust in sorted(held.updates)}
    return _result(held, released, epsilon=spec.epsilon, delta=0.0, figures=figures_of(spec, tables))


def answered(held: Recovered, released: Released, found: tuple[Estimate, ...]) -> JobResult:
    """The result of a statistics job: estimates by Trust and over all, with errors that include the noise."""
    spec = held.facts.spec
    assert isinstance(spec, StatisticsSpec)
    return _result(held, released, epsilon=spec.epsilon, delta=spec.delta, statistics=found)


def trained(held: Recovered, released: Released, model: ModelRef, progress: Progress) -> JobResult:
    """A training's result."""
    spec = held.facts.spec
    assert isinstance(spec, TrainSpec)
    return _result(
        held,
        released,
        epsilon=spec.privacy.epsilon,
        delta=spec.privacy.delta,
        model=model,
        scaling=progress.scaling,
        history=progress.history,
    )


def lineage(held: Recovered, released: Released, model: ModelRef, progress: Progress) -> dict[str, Any]:
    """Where a trained model came from."""
    spec = held.facts.spec
    assert isinstance(spec, TrainSpec)
    return {
        "graph": model.graph,
        "weights": model.weights,
        "initial_weights": spec.model.weights,
        "job": held.facts.job.job_id,
        "spec": spec.digest(),
        "signed_off_job": digest(held.facts.token.encode()),
        "trusts": list(released.trusts),
        "scaling": progress.scaling.model_dump(mode="json") if progress.scaling else None,
        "epsilon": spec.privacy.epsilon,
        "delta": spec.privacy.delta,
        "rounds": progress.round,
        **_guarantee(held.facts),
        "updates": {"/".join(map(str, key)): d for key, d in sorted(released.updates.items())},
    }


def _result(held: Recovered, released: Released, *, epsilon: float, delta: float, **fields: Any) -> JobResult:
    facts = held.facts
    return JobResult(
        job_id=facts.job.job_id,
        kind=facts.spec.kind,
        trusts=released.trusts,
        refusals=tuple(
            RefusalView(trust=trust, code=code, words=REFUSAL_WORDS[code])
            for trust, code in sorted(facts.refused.items())
        ),
        epsilon=epsilon,
        delta=delta,
        provenance={
            "spec": facts.spec.digest(),
            "signed_off_job": digest(facts.token.encode()),
            "signed_off_by": ", ".join(facts.job.signed_off_by),
            "updates": released.digest,
            "mechanism": _mechanism(facts),
            "unit_of_privacy": "person",
            **({"roster": facts.round.sum.roster} if facts.round.sum else {}),
        },
        spec=facts.spec,
        **_guarantee(facts),
        **fields,
    )


def _guarantee(facts: Facts) -> dict[str, Any]:
    """On whom the guarantee depends, and with noise shares what is left of it if all others worked with the hub."""
    spec, model, trusts = facts.spec, facts.sharing, len(facts.job.trusts)
    if model is None or not isinstance(spec, TrainSpec):
        return {"trust_model": "local"}
    epsilon = epsilon_of(alone(events_of_job(spec, trusts)), spec.privacy.delta)
    return {"trust_model": "distributed", "min_honest": model.honest_of(trusts), "epsilon_alone": epsilon}


def _mechanism(facts: Facts) -> str:
    spec, model, trusts = facts.spec, facts.sharing, len(facts.job.trusts)
    if model is not None and isinstance(spec, TrainSpec):
        honest = model.honest_of(trusts)
        return f"{spec.privacy.mechanism.kind}, noise shared among {trusts} Trusts, {honest} of them honest"
    if isinstance(spec, StatisticsSpec) and not is_pure(spec.question):
        return "Gaussian, local noise"
    return (
        f"{spec.privacy.mechanism.kind}, local noise"
        if isinstance(spec, TrainSpec)
        else "discrete Laplace, local noise"
    )
