"""Does an order fit into a sum with noise shares? Pure: the order, its job and its roster's bytes in, a refusal out.

Who is in a sum is written into every mask, so a hub that tells two Trusts different sets gets numbers whose masks do
not cancel. What is checked here is that the set is one that the job's guarantee covers.
"""

from __future__ import annotations

from flip_sdk.contract.jobs import FEWEST_FOR_DISTRIBUTED, DistributedNoise, TrainSpec, TrustModelName
from flip_sdk.contract.tasks import RefusalCode, SignedOffJob, Task

from flip_trust.errors import RefusedError

_SUMMED_STEPS = ("prepare", "train")


def trust_model_of(spec: object) -> TrustModelName:
    """Whose noise a job's guarantee depends on."""
    return "distributed" if sharing_of(spec) is not None else "local"


def sharing_of(spec: object) -> DistributedNoise | None:
    """How a job shares its noise; None where every Trust adds its own in full."""
    model = spec.privacy.trust_model if isinstance(spec, TrainSpec) else None
    return model if isinstance(model, DistributedNoise) else None


def check_sum(task: Task, job: SignedOffJob) -> None:
    """Whether a task says which sum it is for, exactly where one is made, and over enough Trusts.

    Raises:
        RefusedError: BAD_RECORD, ROSTER_REFUSED.
    """
    model = sharing_of(job.spec)
    summing = model is not None and task.step in _SUMMED_STEPS
    if (task.roster is not None, bool(task.summed), task.sum_attempt > 0) != (summing, summing, summing):
        raise RefusedError(RefusalCode.BAD_RECORD)
    if task.step == "keys" and (model is None or task.round or task.graph or task.weights or task.scaling):
        raise RefusedError(RefusalCode.BAD_RECORD)
    if model is None:
        return
    honest, everybody = model.honest_of(len(job.trusts)), set(job.trusts)
    if not FEWEST_FOR_DISTRIBUTED <= len(everybody) == len(job.trusts) or honest > len(everybody):
        raise RefusedError(RefusalCode.BAD_RECORD)
    if summing and not _covered(task, everybody, honest):
        raise RefusedError(RefusalCode.ROSTER_REFUSED)


def _covered(task: Task, everybody: set[str], honest: int) -> bool:
    summed = set(task.summed)
    in_order = list(task.summed) == sorted(summed)
    return in_order and task.trust in summed and summed <= everybody and len(summed) >= max(2, honest)
