"""A hub with people, Trusts and projects, over a real database: SQLite's, and in ``BOTH`` PostgreSQL's too."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from flip_hub.api import create_app
from flip_hub.config import HubConfig
from flip_hub.database import Database, Project, Routine, now, upgrade
from flip_hub.governance import agreement, notices, people, projects, reviews, trusts
from flip_hub.governance.office import Office, identify
from flip_hub.keys import make_keys
from flip_hub.policy import Subject
from flip_hub.testing import FakeAuthenticator, SigningTrust, show_records
from flip_sdk.contract.api import SubmitJob
from flip_sdk.contract.applications import (
    Application,
    DataAsked,
    NewProject,
    NewSignature,
    PlannedOutput,
    Review,
)
from flip_sdk.contract.jobs import CountSpec
from flip_sdk.contract.notices import CatalogueConcept, fingerprint

from tests.hub.postgres import Cluster, cluster

PEOPLE = {
    "ada": ("Northbridge University", ("researcher",)),
    "alan": ("Northbridge University", ("researcher",)),
    "bea": ("Southport University", ("researcher",)),
    "nora": ("northbridge  UNIVERSITY", ("governance reviewer",)),
    "rufus": ("Health Data Board", ("governance reviewer",)),
    "rose": ("Health Data Board", ("governance reviewer",)),
    "mina": ("Patient Council", ("governance reviewer", "researcher")),
    "sam": ("Aldgate Hospital", ("data steward",)),
    "olga": ("FLIP Operations", ("operator",)),
}
TRUSTS = ("aldgate", "brookfield")
CONCEPTS = (
    CatalogueConcept(concept_id=2_000_000_001, name="mean radius", domain="Measurement", low=0, high=40),
    CatalogueConcept(concept_id=2_000_000_002, name="mean texture", domain="Measurement", low=0, high=60),
    CatalogueConcept(concept_id=2_000_000_101, name="malignant", domain="Condition"),
    CatalogueConcept(concept_id=2_000_000_201, name="female", domain="Gender"),
)
APPROVE = Review(decision="approve", declares="none")
API = "/services/flip/api"
TEMPLATE = "template_of_hubs"
HERE = Path(__file__).parent
BOTH = ("backup", "database")
"""Folders whose tests run on both databases in ``make test``; ``make test-all`` runs all others on both as well."""
PAGES = "/services/flip"


@dataclass
class Hub:
    """Everything of one hub, and shortcuts to bring it into a state."""

    office: Office
    trusts: dict[str, SigningTrust]
    authenticator: FakeAuthenticator
    components: Path

    def who(self, name: str, workspace: str | None = None) -> Subject:
        with self.office.database.read() as session:
            return identify(session, name, workspace)

    def application(self, **changes: Any) -> Application:
        content: dict[str, Any] = {
            "title": "Breast cytology",
            "lay_summary": "Can a model tell malignant from benign cells?",
            "public_benefit": "Fewer people wait for a diagnosis they need.",
            "technical_summary": "A logistic regression on nuclear features, judged by its AUC.",
            "request_category": "efficacy",
            "organisation": "Northbridge University",
            "sector": "academic",
            "article_6": "6_1_e",
            "article_9": "9_2_j",
            "confidentiality": "not_engaged",
            "opt_out": "applied",
            "sensitivity": "de_personalised",
            "trusts": TRUSTS,
            "epsilon": 10.0,
            "expires_at": now() + timedelta(days=90),
            "planned_outputs": (PlannedOutput(kind="model", audience="publication", description="One model"),),
        }
        content |= changes
        asked = (DataAsked(trust=trust, what="Cytology of adults", why="To train on") for trust in content["trusts"])
        return Application(**({"data": tuple(asked)} | content))

    def draft(self, project_id: str = "cytology", owner: str = "ada", **changes: Any) -> str:
        wanted = NewProject(project_id=project_id, application=self.application(**changes))
        projects.create(self.office, self.who(owner), wanted)
        return project_id

    def submitted(self, project_id: str = "cytology", owner: str = "ada", **changes: Any) -> str:
        self.draft(project_id, owner, **changes)
        projects.submit(self.office, self.who(owner), project_id)
        return project_id

    def approved(self, project_id: str = "cytology", owner: str = "ada", **changes: Any) -> str:
        self.submitted(project_id, owner, **changes)
        for reviewer in ("rufus", "mina"):
            reviews.review(self.office, self.who(reviewer), project_id, APPROVE)
        self.sign(project_id)
        return project_id

    def sign(self, project_id: str = "cytology", *names: str) -> None:
        """Members put their names under the agreement; all of them unless told."""
        with self.office.database.read() as session:
            project = session.get_one(Project, project_id)
            text, members = agreement.agreement_of(project).digest, project.members
        for name in names or members:
            signature = NewSignature(agreement=text, typed_name=name.title())
            agreement.sign(self.office, self.who(name), project_id, signature)

    def ready(self, project_id: str = "cytology", owner: str = "ada", **changes: Any) -> str:
        """Approved, with catalogues, and every Trust opted in."""
        self.approved(project_id, owner, **changes)
        for trust in self.trusts.values():
            self.notice(trust.catalogue(*CONCEPTS))
            self.notice(trust.consent(project_id))
        return project_id

    def expired(self, project_id: str = "cytology") -> str:
        """Made ready, and then its time is over."""
        self.ready(project_id)
        with self.office.database.write(Routine("a test turns the clock")) as session:
            session.get_one(Project, project_id).expires_at = now() - timedelta(seconds=1)
        return project_id

    def notice(self, content: bytes) -> None:
        notices.take_notice(self.office.config, self.office.database, content)

    @cached_property
    def app(self) -> FastAPI:
        """The governance service."""
        return create_app(self.office.config, self.authenticator, components=self.components)

    def client(self, name: str | None = None, workspace: str | None = None, app: FastAPI | None = None) -> TestClient:
        """Someone's own program, with their token; or nobody's."""
        app = app or self.app
        headers = {"Authorization": f"token {self.authenticator.sign_in(name, workspace)}"} if name else {}
        return TestClient(app, headers=headers, follow_redirects=False)

    def browser(self, name: str) -> TestClient:
        """Someone's browser, signed in."""
        client = TestClient(self.app, follow_redirects=False)
        client.cookies.set("flip-session", self.authenticator.sign_in(name), path="/services/flip/")
        return client

    def count(self, project_id: str = "cytology", key: str = "k1", **changes: Any) -> SubmitJob:
        return SubmitJob(spec=CountSpec(project_id=project_id, **changes), idempotency_key=key)

    def events(self) -> list[str]:
        """Names of everything audited, in order."""
        from flip_hub.audit import export

        with self.office.database.read() as session:
            return [entry["event"] for entry in export(session)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """On which databases a test that asks for a hub or a ``store`` runs; its module may name fewer (``DATABASES``)."""
    if "database_kind" not in metafunc.fixturenames:
        return
    place = metafunc.definition.path.relative_to(HERE).parts[0]
    marks = () if place in BOTH else (pytest.mark.slow,)
    on = getattr(metafunc.module, "DATABASES", ("sqlite", "postgresql"))
    kinds = [pytest.param(kind, marks=marks if kind == "postgresql" else ()) for kind in on]
    metafunc.parametrize("database_kind", kinds, scope="session")


@dataclass
class _Templates:
    """A hub's home with its people and Trusts, made once for each kind of database and copied for each test."""

    folder: Path
    stack: ExitStack
    made: dict[str, Template] = field(default_factory=dict)

    @cached_property
    def cluster(self) -> Cluster:
        """A PostgreSQL, started when a test first asks for it."""
        return self.stack.enter_context(cluster())

    def of(self, kind: str) -> Template:
        if kind not in self.made:
            self.made[kind] = self._make(kind)
        return self.made[kind]

    def _make(self, kind: str) -> Template:
        url = self.cluster.url(self.cluster.make(name=TEMPLATE)) if kind == "postgresql" else ""
        config = HubConfig(home=self.folder / kind, database_url=url)
        config.home.mkdir()
        make_keys(config)
        return Template(config, _fill(config))


@dataclass
class Template:
    config: HubConfig
    trusts: dict[str, SigningTrust]


def _fill(config: HubConfig) -> dict[str, SigningTrust]:
    database = Database.of(config)
    upgrade(database)
    for name, (organisation, roles) in PEOPLE.items():
        people.add_person(database, name, display_name=name.title(), organisation=organisation, roles=roles, by="olga")
    show_records(database, *PEOPLE)
    signing = {name: SigningTrust(name) for name in TRUSTS}
    for trust in signing.values():
        trusts.enrol(database, trust.enrolment, fingerprint(trust.enrolment), by="olga")
    database.close()
    return signing


@pytest.fixture(scope="session")
def _templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Templates]:
    with ExitStack() as stack:
        yield _Templates(tmp_path_factory.mktemp("templates"), stack)


@pytest.fixture
def postgres(_templates: _Templates) -> Cluster:
    """A running PostgreSQL."""
    return _templates.cluster


@pytest.fixture
def postgres_of(_templates: _Templates) -> Iterator[Callable[[], str]]:
    """Makes empty databases in PostgreSQL: their addresses."""
    made: list[str] = []

    def make() -> str:
        made.append(_templates.cluster.make())
        return _templates.cluster.url(made[-1])

    yield make
    for name in made:
        _templates.cluster.drop(name)


@pytest.fixture
def store(database_kind: str, tmp_path: Path, _templates: _Templates) -> Iterator[str]:
    """Address of an empty database of either kind."""
    if database_kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'flip.db'}"
        return
    name = _templates.cluster.make()
    yield _templates.cluster.url(name)
    _templates.cluster.drop(name)


@pytest.fixture
def make_hub(tmp_path: Path, database_kind: str, _templates: _Templates) -> Iterator[Callable[[], Hub]]:
    made: list[Hub] = []
    template = _templates.of(database_kind)

    def make() -> Hub:
        shutil.copytree(template.config.home, tmp_path / "hub")
        components = tmp_path / "components"
        components.mkdir()
        url = _templates.cluster.url(_templates.cluster.make(TEMPLATE)) if database_kind == "postgresql" else ""
        office = Office.of(HubConfig(home=tmp_path / "hub", database_url=url))
        made.append(Hub(office, dict(template.trusts), FakeAuthenticator(), components))
        return made[-1]

    yield make
    for hub in made:
        hub.office.database.close()
        if database_kind == "postgresql":
            _templates.cluster.drop(str(hub.office.database.engine.url.database))


@pytest.fixture
def hub(make_hub: Callable[[], Hub]) -> Hub:
    return make_hub()
