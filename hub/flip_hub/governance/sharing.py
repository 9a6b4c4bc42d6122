"""Noise shares in a project: which Trusts may share them, the rules of a job that asks for it, and their keys.

The hub hands every Trust the identity keys of a project's other Trusts. A Trust believes none of them before its own
operator has compared its fingerprint with the other Trust's operator, so a hub that lied would be found out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flip_sdk.contract.api import TrustBudget
from flip_sdk.contract.check import Violation
from flip_sdk.contract.jobs import FEWEST_FOR_DISTRIBUTED, AnySpec, DistributedNoise, TrainSpec
from flip_sdk.contract.notices import PeerKey
from sqlalchemy.orm import Session

from flip_hub.database import Project
from flip_hub.governance.trusts import enrolled


def sharing_of(spec: AnySpec) -> DistributedNoise | None:
    """How a job's Trusts share the noise; None where each adds its own in full."""
    model = spec.privacy.trust_model if isinstance(spec, TrainSpec) else None
    return model if isinstance(model, DistributedNoise) else None


def accepts(budget: TrustBudget, spec: AnySpec) -> bool:
    """Whether a Trust's steward accepted the trust model that a job asks for."""
    return ("distributed" if sharing_of(spec) else "local") in budget.trust_models


def sharing_violations(spec: AnySpec, willing: Sequence[TrustBudget], others: Sequence[str]) -> Iterator[Violation]:
    """What is wrong with a job's trust model in its project.

    Args:
        spec: the job.
        willing: Trusts that it would go to.
        others: Trusts that take part in such jobs, but did not accept its trust model.
    """
    model = sharing_of(spec)
    for name in others if spec.trusts or not willing else ():
        yield Violation(
            rule="trust_model_not_accepted",
            where="privacy.trust_model",
            message=f"The data steward of {name} did not accept {'shared' if model else 'local'} noise.",
            mend=f"Ask its data steward, leave it out, or use {'local' if model else 'distributed'} noise.",
        )
    if model is None:
        return
    unwilling = f" ({', '.join(others)} did not accept it)" if others else ""
    if 0 < len(willing) < FEWEST_FOR_DISTRIBUTED:
        yield Violation(
            rule="too_few_trusts_for_sharing",
            where="privacy.trust_model",
            message=f"Noise is shared among {FEWEST_FOR_DISTRIBUTED} Trusts or more; {len(willing)} may{unwilling}.",
            mend="Ask their data stewards to accept it, or use local noise.",
        )
    if model.min_honest is not None and model.min_honest > len(willing) > 0:
        yield Violation(
            rule="too_many_honest",
            where="privacy.trust_model.min_honest",
            message=f"{model.min_honest} of {len(willing)} Trusts cannot be honest{unwilling}.",
            mend="Lower min_honest, or leave it out.",
        )


def trust_model_words(spec: AnySpec, trusts: Sequence[str]) -> str:
    """On whom a job's guarantee depends, as people read it on pages and in the sign-off."""
    model = sharing_of(spec)
    if model is None:
        return "Local: each Trust adds its full noise, and its guarantee depends on nobody else."
    honest = model.honest_of(len(trusts))
    return f"Distributed: {len(trusts)} Trusts share the noise; the guarantee needs {honest} of them to be honest."


def peers_of(session: Session, project: Project, trust: str) -> tuple[PeerKey, ...]:
    """The identity keys of a project's other Trusts, by name."""
    return tuple(
        PeerKey(trust=other.name, identity_key=other.identity_key)
        for other in enrolled(session)
        if other.name != trust and other.name in project.application.trusts
    )
