"""Everything that a person needs to decide on a job, on one page: asked of whom, with what, at which price, and why."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flip_sdk.asked_words import concepts_in, feature_words, in_words
from flip_sdk.contract.api import TrustBudget
from flip_sdk.contract.check import Violation
from flip_sdk.contract.concepts import unknown_concepts
from flip_sdk.contract.graph import parse_graph
from flip_sdk.contract.jobs import AnySpec, EvaluateSpec, TrainSpec
from flip_sdk.errors import ModelError
from flip_sdk.graph_words import Listing, listing
from flip_sdk.image_words import words_of
from flip_sdk.meaning import meaning
from flip_sdk.pricing import TrustPrice, epsilon_of, prices
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.database import Job, Project, SignOff
from flip_hub.governance.consents import budgets, catalogues, takes_part
from flip_hub.governance.envelope import delta_of, hard
from flip_hub.governance.office import Office
from flip_hub.governance.rules import violations
from flip_hub.governance.sharing import accepts, trust_model_words

EARLIER = 50
"""Earlier jobs that are looked at; the page shows fewer."""
SHOWN = 10
MOST_FEATURES = 100
MOST_CHANGES = 60
_LONGEST = 300


@dataclass(frozen=True)
class TrustPart:
    """One Trust: its consent, what the job costs there, and what it would still refuse, as far as the hub knows."""

    budget: TrustBudget
    price: TrustPrice | None
    refuses: tuple[str, ...]


@dataclass(frozen=True)
class Evidence:
    """What a reviewer decides on.

    Attributes:
        row: why a person decides, and until when; None for a job that was signed off automatically.
        fixed: rules that the job breaks by now and that nobody at the hub may set aside.
        asked: what is computed, as headings and texts.
        features: each number that a model is told of a person.
        graph: the model, as a listing.
        graph_problem: why there is no listing of it.
        earlier: the project's latest jobs before this one.
        nearest: the earlier job that differs the least, and in what: where, before, now.
    """

    row: SignOff | None
    fixed: tuple[Violation, ...]
    asked: tuple[tuple[str, str], ...]
    features: tuple[str, ...]
    trusts: tuple[TrustPart, ...]
    graph: Listing | None
    graph_problem: str
    epsilon: float
    delta: float
    meaning: tuple[str, ...]
    earlier: tuple[Job, ...]
    nearest: tuple[Job, tuple[tuple[str, str, str], ...]] | None


def evidence(office: Office, session: Session, project: Project, job: Job) -> Evidence:
    """Put it together, out of the job's own record and what the Trusts told."""
    spec, parts = job.spec, budgets(office.config, session, project)
    named, earlier = _names(session, project, spec), _earlier(session, job)
    graph, problem = _graph(office, spec)
    delta = delta_of(spec)
    return Evidence(
        row=session.get(SignOff, job.job_id),
        fixed=tuple(hard(violations(office, session, project, spec))),
        asked=tuple(_asked(spec, job, named)),
        features=_features(spec, named),
        trusts=_trusts(session, project, job, parts),
        graph=graph,
        graph_problem=problem,
        epsilon=epsilon_of(spec),
        delta=delta,
        # without a δ the bound holds always: the last sentence speaks of its chance not to
        meaning=meaning(epsilon_of(spec), delta) if delta else meaning(epsilon_of(spec), 1e-12)[:2],
        earlier=earlier[:SHOWN],
        nearest=_nearest(spec, earlier),
    )


def differences(before: AnySpec, after: AnySpec) -> list[tuple[str, str, str]]:
    """In what two jobs differ: where, what it was, and what it is."""
    old, new = dict(_flat(before.model_dump(mode="json"))), dict(_flat(after.model_dump(mode="json")))
    places = [*old, *(place for place in new if place not in old)]
    return [
        (place, old.get(place, "not asked"), new.get(place, "not asked"))
        for place in places
        if old.get(place) != new.get(place)
    ]


def _asked(spec: AnySpec, job: Job, named: Mapping[int, str]) -> Iterator[tuple[str, str]]:
    yield from in_words(spec, named)
    if isinstance(spec, TrainSpec | EvaluateSpec) and spec.images is not None:
        yield "Images", words_of(spec.images)
    yield "On whom the promise depends", trust_model_words(spec, job.trusts)


def _features(spec: AnySpec, named: Mapping[int, str]) -> tuple[str, ...]:
    if not isinstance(spec, TrainSpec | EvaluateSpec):
        return ()
    shown = [
        f"{feature_words(feature, named)}, from {feature.low:g} to {feature.high:g}"
        for feature in spec.features[:MOST_FEATURES]
    ]
    further = len(spec.features) - MOST_FEATURES
    return (*shown, *([f"and {further} more"] if further > 0 else []))


def _names(session: Session, project: Project, spec: AnySpec) -> dict[int, str]:
    wanted = set(concepts_in(spec.model_dump(mode="json")))
    found = (one for catalogue in catalogues(session, project) for one in catalogue.concepts)
    return {one.concept_id: one.name for one in found if one.concept_id in wanted}


def _trusts(session: Session, project: Project, job: Job, parts: Sequence[TrustBudget]) -> tuple[TrustPart, ...]:
    asked = [part for part in parts if part.trust in job.trusts]
    priced = {one.trust: one for one in prices(job.spec, asked)}
    held = {one.trust: one.concepts for one in catalogues(session, project)}
    return tuple(
        TrustPart(part, priced.get(part.trust), tuple(_refuses(project, job, part, priced[part.trust], held)))
        for part in asked
    )


def _refuses(
    project: Project, job: Job, part: TrustBudget, price: TrustPrice, held: Mapping[str, Sequence[Any]]
) -> Iterator[str]:
    if part.consent != "opted_in":
        yield f"Every job: its consent is {part.consent.replace('_', ' ')}."
    elif job.kind not in part.job_kinds:
        yield f"{job.kind.capitalize()} jobs: its data steward did not allow them."
    elif not takes_part(project, part, job.kind):
        yield "Every job: its consent has expired."
    elif not accepts(part, job.spec):
        yield "This way of sharing noise: its data steward did not accept it."
    if price.why_not:
        yield f"The cost: {price.why_not}."
    for one in unknown_concepts(job.spec, held.get(part.trust, ())) if part.trust in held else ():
        yield f"{one.where}: it lists no such concept."


def _graph(office: Office, spec: AnySpec) -> tuple[Listing | None, str]:
    if not isinstance(spec, TrainSpec | EvaluateSpec):
        return None, ""
    if not office.blobs.has(spec.model.graph):
        return None, "The hub no longer holds the model's graph."
    try:
        return listing(parse_graph(office.blobs.get(spec.model.graph))), ""
    except ModelError as error:
        return None, error.message


def _earlier(session: Session, job: Job) -> tuple[Job, ...]:
    chosen = select(Job).where(Job.project_id == job.project_id, Job.submitted_at < job.submitted_at)
    return tuple(session.scalars(chosen.order_by(Job.submitted_at.desc(), Job.job_id).limit(EARLIER)))


def _nearest(spec: AnySpec, earlier: Sequence[Job]) -> tuple[Job, tuple[tuple[str, str, str], ...]] | None:
    """The one with the fewest differences; of several, the latest."""
    found = [(job, differences(job.spec, spec)) for job in earlier if job.kind == spec.kind]
    if not found:
        return None
    job, changes = min(found, key=lambda pair: len(pair[1]))
    return job, tuple(changes[:MOST_CHANGES])


def _flat(content: object, place: str = "") -> Iterator[tuple[str, str]]:
    match content:
        case dict():
            for name, value in content.items():
                yield from _flat(value, f"{place}.{name}" if place else str(name))
        case list():
            for number, value in enumerate(content, start=1):
                yield from _flat(value, f"{place} {number}")
        case _:
            yield place, json.dumps(content, ensure_ascii=False)[:_LONGEST]
