"""What travels between the hub and a Trust: signed-off jobs and tasks inwards, updates and refusals outwards.

Inwards, a :class:`Task` signed by the hub's dispatcher carries inside it the :class:`SignedOffJob` signed by the hub's
governance service. Outwards, a :class:`SafeUpdate` or a :class:`Refusal` signed by the Trust. Every outgoing field is a
bounded number, a name out of an enumeration or an identifier the Trust was given: no free text leaves a Trust.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from flip_sdk.contract.jobs import JobSpec, Scaling
from flip_sdk.contract.records import SCHEMA_VERSION, Delta, Digest, Finite, Instant, Line, Name, Record, Token

MAX_MODEL_BYTES = 256 * 1024 * 1024
"""Largest graph or weights a Trust reads."""
MAX_UPDATE_BYTES = 256 * 1024 * 1024

Step = Literal["keys", "prepare", "train", "evaluate", "count", "statistics", "cancel"]
"""``prepare`` is a training job's round 0: a noisy person count and, where asked, noisy feature statistics. With noise
shares ``keys`` comes before it: every Trust sends a fresh public key, and no number about anybody."""


SignedOffBy = Literal["automatic", "person"]


class SignedOffJob(Record):
    """A job that governance allows, until ``expires_at``, at exactly these Trusts.

    Attributes:
        signed_off_by: who decided: the project's reviewers where it was automatic, else the one who decided on the job.
        signed_off: whether the approved application covers the job, or a person decided on this very job.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    job_id: Token
    spec: JobSpec
    project_title: Line
    project_expires_at: Instant
    trusts: Annotated[tuple[Name, ...], Field(min_length=1, max_length=200)]
    researcher: Line
    signed_off_by: Annotated[tuple[Line, ...], Field(max_length=20)]
    issued_at: Instant
    expires_at: Instant
    signed_off: SignedOffBy = "automatic"

    @model_serializer(mode="wrap")
    def _same_as_without(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """An automatic sign-off reads as it did before people decided on jobs: every Trust takes it."""
        found: dict[str, Any] = handler(self)
        if self.signed_off == "automatic":
            found.pop("signed_off", None)
        return found


class Task(Record):
    """One signed order to one Trust for one round of one job.

    Attributes:
        task_id: new for every task ever sent, a second attempt included: what replay is told by.
        round: 0 for ``prepare``, ``count`` and ``evaluate``; 1 … rounds for ``train``; from 0 on for ``statistics``.
        job: compact JWS of the SignedOffJob, by the hub's governance key.
        weights: digest of the safetensors blob travelling beside the task (``train``, ``evaluate``, a regression's
            coefficients from ``statistics`` round 1 on).
        graph: digest of the model graph blob travelling beside the task (first task of a job, and after an attempt
            that the Trust answered with ``GRAPH_MISSING``).
        scaling: shared feature scaling decided after ``prepare``.
        correction: digest of the safetensors blob with this Trust's drift correction (``train`` with SCAFFOLD).
        roster: digest of the roster blob travelling beside the task (noise shares): the signed KeyShares of the job's
            Trusts, a JSON list of compact JWS, in the order of the Trusts' names.
        summed: with noise shares, the Trusts that this sum is over, in the order of their names.
        sum_attempt: with noise shares, which try at this round's sum it is (1, 2, …; 0 for the step ``keys``): another
            try is another release.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    task_id: Token
    job_id: Token
    project_id: Name
    trust: Name
    step: Step
    round: Annotated[int, Field(ge=0, le=500)]
    attempt: Annotated[int, Field(ge=1, le=1000)]
    job: Annotated[str, Field(max_length=2_000_000)]
    weights: Digest | None = None
    graph: Digest | None = None
    scaling: Scaling | None = None
    correction: Digest | None = None
    roster: Digest | None = None
    summed: Annotated[tuple[Name, ...], Field(max_length=200)] = ()
    sum_attempt: Annotated[int, Field(ge=0, le=1000)] = 0
    issued_at: Instant
    expires_at: Instant


class RefusalCode(StrEnum):
    """Every reason a Trust may give. The words shown to people are in :data:`REFUSAL_WORDS`."""

    BAD_SIGNATURE = "bad_signature"
    BAD_RECORD = "bad_record"
    TASK_EXPIRED = "task_expired"
    JOB_EXPIRED = "job_expired"
    REPLAYED = "replayed"
    WRONG_TRUST = "wrong_trust"
    OUT_OF_ORDER = "out_of_order"
    PROJECT_EXPIRED = "project_expired"
    NOT_OPTED_IN = "not_opted_in"
    CONSENT_PAUSED = "consent_paused"
    CONSENT_EXPIRED = "consent_expired"
    JOB_KIND_NOT_ALLOWED = "job_kind_not_allowed"
    EPSILON_OVER_CAP = "epsilon_over_cap"
    BUDGET_EXCEEDED = "budget_exceeded"
    LEDGER_UNAVAILABLE = "ledger_unavailable"
    COHORT_TOO_SMALL = "cohort_too_small"
    UNKNOWN_CONCEPT = "unknown_concept"
    MODEL_REFUSED = "model_refused"
    MODEL_TOO_LARGE = "model_too_large"
    GRAPH_MISSING = "graph_missing"
    SANDBOX_MISSING = "sandbox_missing"
    ENGINE_FAILED = "engine_failed"
    CANCELLED = "cancelled"
    TRUST_MODEL_NOT_ALLOWED = "trust_model_not_allowed"
    PEER_NOT_CONFIRMED = "peer_not_confirmed"
    ROSTER_REFUSED = "roster_refused"
    IMAGES_TOO_LARGE = "images_too_large"
    NEEDS_A_PERSON = "needs_a_person"


REFUSAL_WORDS: dict[RefusalCode, str] = {
    RefusalCode.BAD_SIGNATURE: "The task's signature does not verify with the keys this Trust has pinned.",
    RefusalCode.BAD_RECORD: "The task is not a valid record, or does not agree with its signed-off job.",
    RefusalCode.TASK_EXPIRED: "The task arrived after it had expired.",
    RefusalCode.JOB_EXPIRED: "The job's sign-off has expired. Submit the job again.",
    RefusalCode.REPLAYED: "This task was received before.",
    RefusalCode.WRONG_TRUST: "The task or its job is for another Trust.",
    RefusalCode.OUT_OF_ORDER: "The round was already released for another model state, or is not the job's.",
    RefusalCode.PROJECT_EXPIRED: "The project has expired. Ask governance to extend it.",
    RefusalCode.NOT_OPTED_IN: "The Trust's data steward has not opted in to this project.",
    RefusalCode.CONSENT_PAUSED: "The Trust's data steward has paused this project.",
    RefusalCode.CONSENT_EXPIRED: "The Trust's opt-in to this project has expired. Ask its data steward to renew it.",
    RefusalCode.JOB_KIND_NOT_ALLOWED: "The Trust's data steward did not allow this kind of job for the project.",
    RefusalCode.EPSILON_OVER_CAP: "The epsilon asked for is over the Trust's cap for one job. Ask for less.",
    RefusalCode.BUDGET_EXCEEDED: "The Trust's privacy budget does not cover this job. See project.budget().",
    RefusalCode.LEDGER_UNAVAILABLE: "The Trust cannot write its ledger (disk full?), so it computed nothing.",
    RefusalCode.COHORT_TOO_SMALL: "Under the Trust's floor, or too noisy to tell. Widen the cohort, or use a larger ε.",
    RefusalCode.UNKNOWN_CONCEPT: "The Trust holds no data for one of the concepts. See project.catalogue().",
    RefusalCode.MODEL_REFUSED: "The model graph breaks a rule of the Trust. Check it with flip_sdk before submitting.",
    RefusalCode.MODEL_TOO_LARGE: "The model needs more memory or nodes than the Trust allows. Make it smaller.",
    RefusalCode.GRAPH_MISSING: "The Trust does not hold the job's model graph (it restarted); it is being sent again.",
    RefusalCode.SANDBOX_MISSING: "The Trust has no sandbox (bubblewrap) and is in production mode. Tell its operator.",
    RefusalCode.ENGINE_FAILED: "The Trust's engine stopped. Its operator finds the reason in the Trust's own log.",
    RefusalCode.CANCELLED: "The job was cancelled.",
    RefusalCode.TRUST_MODEL_NOT_ALLOWED: "The Trust's data steward did not accept this trust model for the project.",
    RefusalCode.PEER_NOT_CONFIRMED: "The Trust has not confirmed the key of a Trust that it would share noise with.",
    RefusalCode.ROSTER_REFUSED: "The keys of the Trusts that share noise do not fit together. Submit the job again.",
    RefusalCode.IMAGES_TOO_LARGE: "The job's images do not fit this Trust. Ask for smaller ones, or fewer of a person.",
    RefusalCode.NEEDS_A_PERSON: "The Trust takes such a job only where a person signed it off. Ask a reviewer.",
}


class Measure(Record):
    """One bounded number under a fixed name, as it may leave a Trust."""

    name: Literal["persons", "loss", "clipped_share"]
    value: Finite


class PrivacyClaim(Record):
    """What one release cost and what its number carries: noise included in ``standard_error`` where given.

    Attributes:
        honest: with noise shares (``shared_gaussian``, whose ``noise_multiplier`` is one share's), how many honest
            Trusts' shares have to be in the sum.
    """

    mechanism: Literal["gaussian", "shared_gaussian", "poisson_gaussian", "discrete_laplace"]
    noise_multiplier: Finite | None = None
    sampling_rate: Finite | None = None
    steps: Annotated[int, Field(ge=1)] = 1
    honest: Annotated[int, Field(ge=2, le=200)] | None = None
    epsilon: Finite | None = None
    delta: Delta | None = None


class KeyShare(Record):
    """A Trust's fresh public key for one job with noise shares, signed by its identity key like every reply.

    Attributes:
        public_key: X25519, 32 bytes as 64 hexadecimal digits.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    task_id: Token
    job_id: Token
    trust: Name
    public_key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    issued_at: Instant


class SafeUpdate(Record):
    """What one Trust releases for one task, after ``disclosure.protect``.

    The numbers are in a safetensors blob beside the record (``tensors`` is its digest):
    ``prepare``  ``persons`` (1,), and with dp_statistics ``sum`` (d,), ``sum_of_squares`` (d,) of the features mapped
    to [-1, 1] by their public bounds;
    ``train`` full_batch: one tensor per parameter, the noisy sum of clipped per-person gradients;
    ``prepare`` and ``train`` with noise shares: ``masked`` (n,) uint64, the same numbers one after the other as
    integers with this Trust's share of the noise, masked: only their sum over ``task.summed`` means something;
    ``train`` sufficient_statistics: ``gram`` (d + 1, d + 1), ``moment`` (d + 1, outputs);
    ``train`` dp_sgd: one tensor per parameter, the Trust's new weights minus the weights it was given;
    ``evaluate`` ``histogram`` (2, bins) of scores by true label, or ``confusion`` (classes, classes) where there are
    more labels than two;
    ``statistics`` the blocks of ``mechanisms.statistics.release``;
    ``count`` ``persons`` (1,), or no blob where the noisy count is under the floor (``suppressed``).
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    task_id: Token
    job_id: Token
    trust: Name
    step: Step
    round: Annotated[int, Field(ge=0, le=500)]
    inputs: Digest
    tensors: Digest | None = None
    suppressed: bool = False
    measures: Annotated[tuple[Measure, ...], Field(max_length=10)] = ()
    claim: PrivacyClaim | None = None
    issued_at: Instant


class Refusal(Record):
    """A Trust says no, for one of the fixed reasons. ``task_id`` is empty when the task could not be read."""

    schema_version: Literal[1] = SCHEMA_VERSION
    task_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,64}$")]
    job_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,64}$")] = ""
    trust: Name
    code: RefusalCode
    issued_at: Instant


class CancelReceipt(Record):
    """A Trust stopped (or never began) a job."""

    schema_version: Literal[1] = SCHEMA_VERSION
    task_id: Token
    job_id: Token
    trust: Name
    issued_at: Instant


def inputs_digest(task: Task) -> str:
    """What a task computes on, whatever its attempt: a second release for other inputs is refused by this."""
    from flip_sdk.contract.records import digest

    parts = [task.job_id, task.step, str(task.round), task.weights or "", task.scaling.digest() if task.scaling else ""]
    if task.correction is not None:
        parts.append(f"correction {task.correction}")
    if task.roster is not None:
        parts.append(f"sum {task.sum_attempt} over {','.join(task.summed)} with {task.roster}")
    return digest("\n".join(parts).encode())
