"""Records of the hub's JSON API: what the SDK sends and reads, and what the governance service serves."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from flip_sdk.contract.airlock import Audience
from flip_sdk.contract.applications import Application, ConditionView, ReviewView
from flip_sdk.contract.calibration import Calibration
from flip_sdk.contract.check import Violation
from flip_sdk.contract.holdings import Holdings
from flip_sdk.contract.jobs import JobKind, JobSpec, ModelRef, Scaling, TrustModelName
from flip_sdk.contract.notices import CatalogueConcept, LedgerMirror, TotalLine
from flip_sdk.contract.records import Digest, Finite, Instant, Line, Name, Record, Text, Token
from flip_sdk.contract.states import JobState, OutputState, ProjectState
from flip_sdk.contract.statistics import MOST_ESTIMATES, Estimate
from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.contract.twins import Twin


class ErrorBody(Record):
    """Every error the API answers: ``message`` says what is wrong, ``mend`` what to do next."""

    code: Line
    message: str
    mend: str = ""
    violations: tuple[Violation, ...] = ()
    policy: Line = ""


class Me(Record):
    """Who is asking, as the hub knows them."""

    name: Line
    display_name: Line
    organisation: Line
    roles: tuple[Line, ...]
    workspace_project: Name | None = None


class ProjectView(Record):
    """A project as its members and reviewers see it.

    Attributes:
        version: how often its application was submitted.
        conditions: what its approval hangs on.
        reason: why it was suspended or closed.
    """

    project_id: Name
    state: ProjectState
    application: Application
    owner: Line
    members: tuple[Line, ...]
    reviews: tuple[ReviewView, ...]
    created_at: Instant
    expires_at: Instant
    version: int = 0
    conditions: tuple[ConditionView, ...] = ()
    reason: Text = ""


class TrustBudget(Record):
    """One Trust's part in a project: its consent, its liveness and its ledger's own figures.

    Attributes:
        ledger: the project's budget there; None until the Trust has told it.
        total: the budget of its whole data set, which every project draws on.
    """

    trust: Name
    title: Line
    consent: Literal["none", "opted_in", "paused", "left"]
    online: bool
    seen_at: Instant | None
    epsilon: Finite | None
    delta: Finite | None
    spent: Finite
    expires_at: Instant | None
    job_kinds: tuple[JobKind, ...] = ()
    trust_models: tuple[TrustModelName, ...] = ("local",)
    epsilon_alone: Finite | None = None
    ledger: LedgerMirror | None = None
    total: TotalLine | None = None


class TrustCatalogue(Record):
    """What one Trust publishes about its data."""

    trust: Name
    title: Line
    persons: int | None
    concepts: tuple[CatalogueConcept, ...]
    twin: Twin | None = None
    holdings: Holdings | None = None
    persons_epsilon: Finite | None = None
    issued_at: Instant


class SubmitJob(Record):
    """A job to run. Blobs it names are uploaded before."""

    spec: JobSpec
    idempotency_key: Token


class RefusalView(Record):
    """A Trust that refused, with its reason in words."""

    trust: Name
    code: RefusalCode
    words: str


class JobView(Record):
    """A job's state. ``reason`` says why it ended without a result, or what it waits for."""

    job_id: Token
    project_id: Name
    kind: JobKind
    state: JobState
    reason: str = ""
    round: int = 0
    rounds: int = 0
    trusts: tuple[Name, ...] = ()
    refusals: tuple[RefusalView, ...] = ()
    submitted_by: Line
    submitted_at: Instant
    ended_at: Instant | None = None


class JobEvent(Record):
    """One step of a job, in order. ``numbers`` holds what there is to plot (``loss``, ``seconds`` …)."""

    sequence: int
    at: Instant
    event: Line
    round: int = 0
    trust: Name | None = None
    words: str = ""
    numbers: dict[str, Finite] = Field(default_factory=dict)


class JobEvents(Record):
    """A page of events and the job's state after them. Ask again with ``after`` = the last sequence."""

    job: JobView
    events: tuple[JobEvent, ...]


class ClassFigures(Record):
    """Noisy figures of one class of several.

    Attributes:
        persons: who have it.
        recall: share of them whom the model gives it.
        precision: share of those whom the model gives it who have it.
    """

    name: str
    persons: Finite
    recall: Finite | None = None
    recall_error: Finite | None = None
    precision: Finite | None = None
    precision_error: Finite | None = None


class TrustFigures(Record):
    """Noisy figures of one Trust (or of all, summed): standard errors include the noise.

    With two classes there are an AUC and a calibration; with more the mean of the classes' recalls, each class's own
    figures, and ``confusion``: noisy persons by true class (rows) and the model's (columns).
    """

    trust: Line
    persons: Finite | None = None
    accuracy: Finite | None = None
    accuracy_error: Finite | None = None
    auc: Finite | None = None
    auc_error: Finite | None = None
    majority: Finite | None = None
    calibration: Calibration | None = None
    balanced_accuracy: Finite | None = None
    balanced_accuracy_error: Finite | None = None
    classes: Annotated[tuple[ClassFigures, ...], Field(max_length=51)] = ()
    confusion: Annotated[tuple[tuple[Finite, ...], ...], Field(max_length=51)] = ()
    suppressed: bool = False


ProjectPart = Literal["project", "budget", "jobs", "releases", "dashboards"]


class ProjectChanges(Record):
    """Which parts of a project are not as they were. Ask again with ``after`` = the mark."""

    mark: Token
    changed: tuple[ProjectPart, ...]


class JobResult(Record):
    """What a completed job released. Fields that do not apply to the kind are empty.

    Attributes:
        model: the trained model by content (``train``).
        scaling: feature scaling the model expects (``train``).
        counts: persons per Trust (``count``); None where under the floor.
        figures: per Trust, and ``all`` (``evaluate``).
        statistics: the question's answer, per Trust and ``all`` (``statistics``).
        epsilon: what the job cost at each Trust that took part, as asked.
        trust_model: on whom that depends: on nobody else, or on several Trusts that share the noise.
        min_honest: with noise shares, how many of the job's Trusts have to be honest for it.
        epsilon_alone: with noise shares, what it cost if every other Trust worked with the hub.
        history: one row a round (``train``): round, loss, seconds, trusts.
        spec: what was asked, so that a kept model can be called and evaluated again with its features and label.
        completed_at: when the job ended, as the hub tells it beside what it keeps.
    """

    job_id: Token
    kind: JobKind
    trusts: tuple[Name, ...]
    refusals: tuple[RefusalView, ...]
    epsilon: Finite
    delta: Finite
    trust_model: TrustModelName = "local"
    min_honest: int | None = None
    epsilon_alone: Finite | None = None
    model: ModelRef | None = None
    scaling: Scaling | None = None
    counts: dict[str, int | None] = Field(default_factory=dict)
    figures: tuple[TrustFigures, ...] = ()
    statistics: Annotated[tuple[Estimate, ...], Field(max_length=MOST_ESTIMATES)] = ()
    history: tuple[dict[str, Finite], ...] = ()
    provenance: dict[str, str] = Field(default_factory=dict)
    spec: JobSpec | None = None
    completed_at: Annotated[Instant | None, Field(exclude_if=lambda at: at is None)] = None


DashboardKind = Literal["training report", "model card", "cohort report", "fairness", "monitoring", "other"]
Origin = Annotated[
    str, StringConstraints(pattern=r"^https://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?$", max_length=200)
]
"""Of a web page: ``https://intranet.example.org``."""


class PublishDashboard(Record):
    """A notebook to show as a dashboard, with the released results it may show. It is a draft until it is released.

    Attributes:
        title: what the gallery calls it; its first heading where left out.
        kind: of which template it is.
        personal: it depends on who looks at it, so that it is neither drawn beforehand nor once for all.
        frames: origins of web pages that may embed it once it is released.
    """

    notebook: Digest
    name: Name
    jobs: Annotated[tuple[Token, ...], Field(max_length=50)] = ()
    title: Annotated[str, Field(max_length=200)] = ""
    kind: DashboardKind = "other"
    personal: bool = False
    frames: Annotated[tuple[Origin, ...], Field(max_length=10)] = ()


class ShowVersion(Record):
    """Which released version of a dashboard is shown."""

    version: Annotated[int, Field(ge=1, le=999_999)]


class DashboardView(Record):
    """A version of a dashboard: where to look, and how far it is released.

    Attributes:
        state: ``requested`` is a draft, that only its project's team sees.
        shown: whether it is the version that its audience sees.
        audience: for whom it was released.
    """

    project_id: Name
    name: Name
    version: Annotated[int, Field(ge=1)] = 1
    title: str = ""
    kind: DashboardKind = "other"
    state: OutputState
    shown: bool = False
    audience: Audience = "project"
    personal: bool = False
    frames: tuple[Origin, ...] = ()
    address: str
    published_by: Line
    published_at: Instant
    released_at: Instant | None = None
