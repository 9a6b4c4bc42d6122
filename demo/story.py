"""One project from end to end, each step by the person whose step it is and through the interface that they use.

The operator and the data stewards use command lines on their own machines, the researcher and the reviewers a browser.
The integration tests and the benchmarks set their platforms up with the same steps.
"""

from __future__ import annotations

import datetime
import functools
import html
import os
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from typing import TypeVar

from flip_hub.config import HubConfig
from flip_hub.models import BlobStore
from flip_sdk.contract.api import DashboardView, JobResult, JobView, TrustBudget
from flip_sdk.contract.applications import Application, DataAsked, PlannedOutput
from flip_sdk.contract.filling import posted
from flip_sdk.contract.records import Instant
from pydantic import TypeAdapter

from demo import patients
from demo.people import (
    ADA,
    COLLEAGUE,
    MINA,
    OLGA,
    PEOPLE,
    PROJECT,
    RUFUS,
    Actor,
    Visitor,
    operator_of,
    records_of,
    steward_of,
)
from demo.platform import Platform, TrustPlan
from demo.processes import PlatformError
from demo.telling import Teller

Someone = TypeVar("Someone")
EPSILON = 25.0
"""Every tutorial once, in any order, with room for exercises: the patients are published, or made up. Ask for less."""
DELTA = 1e-5
HOLDINGS = 5.0
"""ε of a catalogue's numbers, out of a data set's 100: a small Trust's would be lost in the noise at less."""
TUTORIAL = "tutorials/01_first_federated_model.ipynb"
"""Where a workspace has it."""
DASHBOARD = "training-report"
JOB_KINDS = "count,train,evaluate,statistics"
TRUST_MODELS = "local,distributed"
_JOBS = TypeAdapter(list[JobView])
_DASHBOARDS = TypeAdapter(list[DashboardView])
_BUDGETS = TypeAdapter(list[TrustBudget])


def plans(count: int = len(patients.HOSPITALS)) -> tuple[TrustPlan, ...]:
    """The demo's Trusts, or the first few of them."""
    return tuple(
        TrustPlan(hospital.name, hospital.title, functools.partial(patients.load, hospital.name))
        for hospital in patients.HOSPITALS[:count]
    )


class Story:
    """The steps, in order.

    Attributes:
        platform: where it plays. It is entered already.
        teller: told of each step.
        password: of every person at the hub.
    """

    def __init__(self, platform: Platform, password: str, teller: Teller | None = None) -> None:
        self.platform = platform
        self.password = password
        self.teller = teller or Teller()
        self._visitors: dict[str, Visitor] = {}

    @property
    def trusts(self) -> tuple[str, ...]:
        """Names of the Trusts."""
        return tuple(plan.name for plan in self.platform.plans)

    def visitor(self, actor: Actor) -> Visitor:
        """This person's own browser, signed in."""
        if actor.name not in self._visitors:
            self._visitors[actor.name] = Visitor(self.platform.hub_url, actor.name, self.password)
        return self._visitors[actor.name]

    def set_up(self, project: str = PROJECT) -> None:
        """Everything before the first job: people, catalogues, an approved project, every Trust opted in."""
        self.register_people()
        self.publish_catalogues()
        self.apply(project)
        self.sign_off(project)
        self.opt_in_everywhere(project)
        self.wait_for_consent(project)

    # ---- the operator

    def register_people(self) -> None:
        """The operator registers the demo's people at the hub."""
        for actor in PEOPLE:
            self.register(actor)
        self.show_records(*PEOPLE)
        self.teller.say(
            f"The operator registers {', '.join(actor.name for actor in PEOPLE)}, and the records they showed"
        )

    def register(self, actor: Actor) -> None:
        """The operator registers one person at the hub."""
        self.platform.flip_hub(
            *("people", "add", actor.name, "--display-name", actor.display_name, "--organisation", actor.organisation),
            *("--role", actor.role, "--password", self.password, "--by", OLGA.name),
        )

    def show_records(self, *actors: Actor) -> None:
        """The operator's colleague puts down what people showed: accreditation, training and contracts."""
        table = self.platform.folder / "records-of-people.csv"
        table.write_text(records_of(actors), encoding="utf-8")
        self.platform.flip_hub("people", "import-records", str(table), "--by", COLLEAGUE)

    # ---- the data stewards

    def publish_catalogues(self) -> None:
        """Each steward publishes what the Trust holds: names and bounds, and noisy numbers of persons."""

        def publish(name: str) -> str:
            words = ("catalogue", "publish", "--holdings", str(HOLDINGS), "--steward", steward_of(name))
            return self.platform.flip_trust(name, *words)

        _side_by_side(publish, self.trusts)
        self.teller.say("Each data steward publishes a catalogue: concepts, public bounds, noisy numbers of persons")

    def opt_in(self, name: str, project: str = PROJECT, epsilon: float = EPSILON) -> None:
        """One steward opts in to a project, with a budget and an expiry."""
        until = expiry().date().isoformat()
        self.platform.flip_trust(
            *(name, "consent", "opt-in", project, "--epsilon", str(epsilon), "--delta", str(DELTA)),
            *("--until", until, "--kinds", JOB_KINDS, "--trust-models", TRUST_MODELS, "--steward", steward_of(name)),
        )
        self.teller.say(
            f"{steward_of(name)}, data steward of {name}, opts in: ε ≤ {epsilon:g}, δ = {DELTA:g}, until {until}"
        )

    def opt_in_everywhere(self, project: str = PROJECT) -> None:
        """Every Trust's steward opts in."""
        _side_by_side(lambda name: self.opt_in(name, project), self.trusts)

    def confirm_peers(self) -> None:
        """The Trusts' operators read the fingerprints of their keys out to each other, and confirm them."""

        def read_out(name: str) -> str:
            return self.platform.flip_trust(name, "peers", "fingerprint").strip()

        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            fingerprints = dict(zip(self.trusts, pool.map(read_out, self.trusts), strict=True))

        def confirm(pair: tuple[str, str]) -> None:
            name, other = pair
            self.platform.flip_trust(
                *(name, "peers", "confirm", other, fingerprints[other], "--operator", operator_of(name)),
            )

        _side_by_side(confirm, permutations(self.trusts, 2))
        self.teller.say("The Trusts' operators compare the fingerprints of their keys, so that they may share noise")

    def wait_for_consent(self, project: str = PROJECT) -> None:
        """Until the hub knows that every Trust is online and opted in."""

        def known() -> bool:
            budgets = _BUDGETS.validate_json(self.visitor(ADA).api("GET", f"projects/{project}/budget").content)
            return sum(b.online and b.consent == "opted_in" for b in budgets) == len(self.trusts)

        self.platform.wait_until(known, 60, "the hub hears of the Trusts' consent", log=f"trust-{self.trusts[0]}")

    # ---- the researcher and the reviewers

    def apply(self, project: str = PROJECT, actor: Actor = ADA, wanted: Application | None = None) -> None:
        """The researcher applies for a project, the first demo's unless told, and hands the application in."""
        form = posted(wanted or application(self.trusts)) | {"project_id": project}
        self.visitor(actor).send_form("apply", "/apply", **form)
        self.visitor(actor).send_form(f"projects/{project}", f"/projects/{project}/submit")
        self.teller.say(f"{actor.name} ({actor.organisation}) applies for the project {project}")

    def sign_off(self, project: str = PROJECT, reviewers: Sequence[Actor] = (RUFUS, MINA), actor: Actor = ADA) -> None:
        """Two reviewers of different organisations approve it, and the researcher signs the data access agreement."""
        for reviewer in reviewers:
            decision = {
                "decision": "approve",
                "declares": "none",
                "comment": "Clear purpose, little data, a small budget.",
            }
            self.visitor(reviewer).send_form(f"projects/{project}", f"/projects/{project}/reviews", **decision)
            self.teller.say(f"{reviewer.name} ({reviewer.organisation}) has no conflict of interest, and approves it")
        page = f"projects/{project}/agreement"
        self.visitor(actor).send_form(page, f"/{page}", agrees="yes", typed_name=actor.display_name)
        self.teller.say(f"{actor.name} signs the data access agreement")

    def refused_workspace(self, project: str = PROJECT, actor: Actor = ADA) -> str:
        """The researcher tries to open a workspace that may not be opened; the reason shown.

        Raises:
            PlatformError: it was opened all the same.
        """
        answer = self.visitor(actor).open_workspace(project)
        if answer.status_code != 403:
            raise PlatformError(f"A workspace of {project} was not refused: {answer.status_code} at {answer.url}")
        return reason_on(answer.text)

    def open_workspace(self, project: str = PROJECT, actor: Actor = ADA) -> None:
        """The researcher opens the project's workspace and waits until it is there."""
        visitor = self.visitor(actor)
        answer = visitor.open_workspace(project)
        if answer.is_error:
            raise PlatformError(f"The workspace of {project} does not open: {reason_on(answer.text)}")
        self.platform.wait_until(lambda: visitor.workspace_is_ready(project), 90, f"the workspace of {project} opens")

    # ---- what came of it

    def trained(self, project: str = PROJECT) -> JobResult:
        """The result of the project's last completed training job.

        Raises:
            PlatformError: there is none.
        """
        jobs = _JOBS.validate_json(self.visitor(ADA).api("GET", f"projects/{project}/jobs").content)
        done = [job for job in jobs if job.kind == "train" and job.state == "completed"]
        if not done:
            raise PlatformError(
                f"No training job of {project} was completed: {[(j.kind, j.state, j.reason) for j in jobs]}"
            )
        newest = max(done, key=lambda job: job.submitted_at)
        return JobResult.parse(self.visitor(ADA).api("GET", f"jobs/{newest.job_id}/result").content)

    def view_dashboard(self, project: str = PROJECT) -> str:
        """The researcher opens the published dashboard, and somebody outside the project cannot. Its path.

        Raises:
            PlatformError: it does not render, or it is open to others.
        """
        published = _DASHBOARDS.validate_json(self.visitor(ADA).api("GET", f"projects/{project}/dashboards").content)
        path = next(dashboard.address for dashboard in published if dashboard.name == DASHBOARD)
        shown = self.visitor(ADA).get(path, timeout=120)
        if shown.is_error or "<figure" not in shown.text:
            raise PlatformError(f"The dashboard does not render ({shown.status_code}).")
        refused = self.visitor(RUFUS).get(path)
        if refused.status_code != 403:
            raise PlatformError(f"The dashboard is open to people outside the project ({refused.status_code}).")
        return path

    def kept(self, digest: str) -> bytes:
        """A blob of the model store, as the hub's operator finds it: people have it in their workspaces alone."""
        return BlobStore(HubConfig.load(self.platform.hub_home).blobs).get(digest)


def _side_by_side(step: Callable[[Someone], object], them: Iterable[Someone]) -> None:
    """Several people do the same at the same time, as they would."""
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for _ in pool.map(step, them):
            pass


def application(trusts: Sequence[str]) -> Application:
    """What ada applies with."""
    return Application(
        title="Telling malignant from benign breast masses in cytology",
        lay_summary=(
            "A doctor takes a few cells from a lump in the breast with a fine needle. We teach a small model to tell "
            "from the shape of the cells' nuclei whether the lump is cancer, using people of several hospitals."
        ),
        public_benefit="Fewer people wait for a second biopsy; small hospitals get the certainty of large ones.",
        technical_summary=(
            "A logistic regression on ten features of nuclei, trained under differential privacy and judged by AUC."
        ),
        request_category="efficacy",
        organisation=ADA.organisation,
        sector="academic",
        funders=("None: a demonstration on published data",),
        article_6="not_applicable",
        article_9="not_applicable",
        legal_basis="A demonstration: published and made-up data",
        confidentiality="not_engaged",
        opt_out="not_applicable",
        sensitivity="anonymous",
        trusts=tuple(trusts),
        data=tuple(
            DataAsked(
                trust=trust,
                what="Measurements of nuclei in fine needle aspirates of adults, and whether the mass was malignant",
                why="To train the model on, and to judge it by",
                domains=("measurements", "conditions"),
            )
            for trust in trusts
        ),
        epsilon=EPSILON,
        delta=DELTA,
        expires_at=expiry(),
        planned_outputs=(
            PlannedOutput(kind="model", audience="publication", description="One model with its accuracy and AUC"),
            PlannedOutput(kind="dashboard", audience="team", description="A dashboard of its training"),
        ),
    )


@functools.cache
def expiry() -> Instant:
    """When the demo's project and opt-ins end: 200 days from now."""
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=200)).replace(microsecond=0)


def reason_on(page: str) -> str:
    """What a page of JupyterHub says went wrong, as text."""
    found = re.search(r'<p id="reason">(.*?)</p>', page, re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", found[1] if found else page)).split())
