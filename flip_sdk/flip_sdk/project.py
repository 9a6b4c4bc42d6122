"""A project: its budget, its catalogue, and the jobs that its members may run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from flip_sdk import looks
from flip_sdk.airlock import Airlock, File, ReleaseRequest
from flip_sdk.asking import Files, Names, checked, several
from flip_sdk.catalogue import Catalogue
from flip_sdk.contract.airlock import Audience
from flip_sdk.contract.api import (
    DashboardView,
    JobView,
    ProjectView,
    PublishDashboard,
    SubmitJob,
    TrustBudget,
    TrustCatalogue,
)
from flip_sdk.contract.jobs import CountSpec, EvaluateSpec, TrainSpec
from flip_sdk.contract.records import Record
from flip_sdk.errors import SpecError
from flip_sdk.extras import needed
from flip_sdk.jobs import Job
from flip_sdk.preflight import Spec, notes, priced, violations
from flip_sdk.presets import preset_of
from flip_sdk.privacy import Privacy, build, guarantee, told_of
from flip_sdk.publishing import Dashboard, Dashboards, said_of, without_outputs
from flip_sdk.questions import Questions
from flip_sdk.results import Result
from flip_sdk.sharing import Sharing
from flip_sdk.subjects import Given, export, subject

if TYPE_CHECKING:
    from torch import nn

    from flip_sdk.asking import CohortLike, FeatureLike, ImagesLike, LabelLike
    from flip_sdk.connection import Connection
    from flip_sdk.contract.features import Index
    from flip_sdk.contract.graph import Loss
    from flip_sdk.contract.jobs import Part, Scaling
    from flip_sdk.frames import Frame


class Project(Questions, Sharing):
    """An approved purpose with people, data, an expiry and a privacy budget.

    Attributes:
        view: the project as the hub told it when it was opened.
    """

    def __init__(self, connection: Connection, view: ProjectView) -> None:
        self._connection = connection
        self.view = view

    @property
    def id(self) -> str:
        """The name in addresses."""
        return self.view.project_id

    def __repr__(self) -> str:
        view = self.view
        return f"Project {self.id}: {view.application.title} ({view.state.value}, until {view.expires_at:%d %b %Y})"

    def _repr_html_(self) -> str:
        view = self.view
        return looks.card(
            view.application.title,
            looks.said(view.application.lay_summary),
            looks.facts([("Project", self.id), *self._facts()]),
            looks.tip("project.budget()", "what may still be spent, Trust by Trust"),
            looks.tip("project.catalogue()", "what the Trusts hold"),
            state=(view.state.value.replace("_", " "), looks.tone_of(view.state)),
        )

    def in_words(self) -> str:
        """The project in a few lines: title, state, purpose, people, Trusts."""
        view = self.view
        lines = [repr(self), view.application.lay_summary]
        lines += [f"{name}: {words}" for name, words in self._facts() if words]
        return "\n".join(lines)

    def budget(self) -> Frame:
        """One row a Trust: consent, whether it is online, and what its privacy ledger has left for this project."""
        from flip_sdk import tables

        return tables.budgets(self._budgets())

    def price(self, job: nn.Module | Spec, **asked: Any) -> Frame:
        """What a job would cost at each Trust, before anything is sent: exactly what its ledger will be debited.

        One row a Trust: ``job``, the ε of the job by itself; ``before`` and ``after``, what is spent without and with
        it (costs compose: ``after`` is not the sum); ``left``; ``admitted``, whether the Trust's budgets cover it, and
        ``why_not``. Where noise is shared, the same if every other Trust worked with the hub: ``…_alone``. Jobs that
        are under way but not debited yet are not in it.

        Args:
            job: the model to train, with the same arguments as :meth:`train`; or any job's specification.
            asked: the arguments of :meth:`train`.

        Raises:
            ModelError: the module cannot cross.
            NotFoundError: a name is unknown.
            SpecError: the job breaks rules, or names a Trust that takes no part in the project.
        """
        from flip_sdk import tables

        with needed("learning", "A job's price"):
            import numpy  # noqa: F401 (which every price is reckoned by)
        spec = job if isinstance(job, Record) else self._training(job, **asked)[0]
        budgets = self._budgets()
        found = [violation for violation in violations(spec, budgets) if violation.rule != "budget_exceeded"]
        if found:
            raise SpecError(found)
        return tables.prices(spec, budgets)

    def catalogue(self) -> Catalogue:
        """What the Trusts of this project say they hold: names and public bounds."""
        return Catalogue(self._connection.get_all(f"projects/{self.id}/catalogue", TrustCatalogue))

    def count(self, cohort: CohortLike = None, epsilon: float = 0.5, trusts: Sequence[str] = ()) -> Frame:
        """How many persons are in a cohort, per Trust and together. Waits for the answer.

        Each count carries noise, is rounded to 5, and is kept back where it is under the floor of 10 persons. It costs
        ``epsilon`` of the budget at each Trust.

        Raises:
            SpecError: the job breaks rules, or no budget covers it.
            NotFoundError: a concept's name is unknown.
            JobFailedError: no Trust answered, with each one's reason.
        """
        spec = checked(
            CountSpec,
            project_id=self.id,
            trusts=several(trusts),
            cohort=Names(self.catalogue).cohort(cohort),
            epsilon=epsilon,
        )
        return self._submit(spec).result().counts()

    def train(  # noqa: PLR0913 (a researcher's form: everything by name, all but three with a preset)
        self,
        model: nn.Module,
        *,
        features: Sequence[FeatureLike] = (),
        images: ImagesLike | None = None,
        label: LabelLike,
        index: Index | None = None,
        cohort: CohortLike = None,
        loss: Loss | None = None,
        privacy: Privacy | None = None,
        scaling: Scaling | None = None,
        rounds: int | None = None,
        trusts: Sequence[str] = (),
        min_trusts: int = 1,
        max_records_per_person: int | None = None,
        part: Part = "train",
    ) -> Job:
        """Train a model at the Trusts, on persons that never leave them.

        Args:
            model: an ordinary torch module, from scaled features (persons × features) to logits. With images its
                ``forward`` takes ``(image)`` of shape ``[n, channels, *size]``, in [-1, 1], or ``(image, table)`` where
                there are features too.
            features: measurements by name, or words such as ``flip.age()`` and ``flip.had("diabetes")``.
            images: what the model is shown: ``flip.images("CT")…`` or ``flip.tiles(…)``.
            label: a condition by name, ``flip.label(…)``, or ``flip.classes(…)`` where there are several.
            index: the day around which days are counted: ``now``, the day on which the Trust freezes the cohort (the
                preset); ``entry``, the person's first entry into the cohort; ``image``, the day of each image.
            cohort: who it is about; everybody when left out. Seven persons in ten are trained on.
            loss: what is made small; left out, binary_cross_entropy, or cross_entropy for several classes.
            privacy: the guarantee for the whole job at each Trust, and by which mechanism.
            scaling: public means and spreads of the features, with ``Privacy(scaling="given")``.
            rounds: how often the Trusts' sums come together; the mechanism's preset when left out.
            trusts: whom to ask; every Trust of the project when left out.
            min_trusts: with fewer answers the job fails.
            max_records_per_person: 1 takes the latest values; more take a record for each date of measurement, so many
                at most, by chance; with images, a record for each image (the preset takes as many as are asked of a
                person). A person's gradient is the mean over their records: the unit stays the person.
            part: of the persons: ``train``, or ``fit`` to leave a tenth of all persons for ``validation``.

        Raises:
            ModelError: the module cannot cross (BatchNorm, control flow on data, an operator not allowed, too large).
            NotFoundError: a feature's or label's name is unknown.
            SpecError: the job breaks rules, or no budget covers it.
            NotAllowedError: the project is not approved, or has expired.
        """
        spec, files = self._training(
            model,
            features=features,
            images=images,
            label=label,
            index=index,
            cohort=cohort,
            loss=loss,
            privacy=privacy,
            scaling=scaling,
            rounds=rounds,
            trusts=trusts,
            min_trusts=min_trusts,
            max_records_per_person=max_records_per_person,
            part=part,
        )
        return self._submit(spec, files, told_of(spec, privacy))

    def evaluate(  # noqa: PLR0913 (the same form)
        self,
        model: Result | Job | str | nn.Module,
        *,
        features: Sequence[FeatureLike] | None = None,
        images: ImagesLike | None = None,
        label: LabelLike | None = None,
        index: Index | None = None,
        cohort: CohortLike = None,
        loss: Loss | None = None,
        epsilon: float = 2.0,
        bins: int = 10,
        trusts: Sequence[str] = (),
        part: Part = "test",
    ) -> Job:
        """Score a model at the Trusts, on the three persons in ten it was not trained on.

        Args:
            model: a result of :meth:`train` (or its job, or the job's id), or a torch module on features scaled by
                their public bounds.
            features: the model's inputs; a result brings its own.
            images: what it is shown; a result brings its own.
            label: what it tells; a result brings its own.
            index: the day around which days are counted; a result brings its own.
            cohort: who it is about; a result brings its own.
            loss: what a module of your own was trained for; it says how its outputs become probabilities.
            epsilon: what the one noisy table of scores costs at each Trust (delta is 0).
            bins: of scores, where the label has two classes.
            trusts: whom to ask; every Trust of the project when left out.
            part: of the persons: ``test``, or ``validation`` of a model that was trained on ``fit``.

        Raises:
            SpecError: the job breaks rules, or no budget covers it.
            NotFoundError: a name is unknown, or features and label are missing.
            ModelError: the module cannot cross.
        """
        trained = self.job(model) if isinstance(model, str) else model
        given = trained.result() if isinstance(trained, Job) else trained
        asked = Given(features, images, label, index, cohort)
        what = subject(given, asked, Names(self.catalogue), loss, part)
        spec = checked(
            EvaluateSpec,
            project_id=self.id,
            trusts=several(trusts),
            **what.inputs.fields(),
            model=what.model,
            scaling=what.scaling,
            epsilon=epsilon,
            bins=bins,
            part=part,
        )
        return self._submit(spec, what.files)

    def jobs(self) -> Frame:
        """The project's jobs, newest first."""
        from flip_sdk import tables

        return tables.jobs(self._connection.get_all(f"projects/{self.id}/jobs", JobView))

    def job(self, job_id: str) -> Job:
        """A job by its id, as :meth:`jobs` lists it, to watch it again."""
        return Job(self._connection, self._connection.get(f"jobs/{job_id}", JobView))

    def publish(
        self, notebook: str | Path, name: str, jobs: Sequence[Job | Result | str] = (), *, frames: Sequence[str] = ()
    ) -> Dashboard:
        """Publish a notebook as a dashboard: a draft for the project's team, until its release.

        Stored outputs are taken out: the dashboard shows what the notebook computes from the released results. To show
        it to others, ask for the release of the very notebook, naming the dashboard and the same jobs.

        Args:
            notebook: path of the ``.ipynb`` file.
            name: lower case, digits and hyphens; the same name makes a new version of the dashboard.
            jobs: whose results it may read, by ``flip_sdk.dashboards.load_results()``.
            frames: origins of web pages that may embed it, as ``https://intranet.example.org``: once it is released to
                everybody with them, and where it has no controls.

        Raises:
            NotFoundError: there is no such notebook.
        """
        content = without_outputs(Path(notebook))
        ids = tuple(job if isinstance(job, str) else job.id for job in jobs)
        address = self._connection.upload(self.id, content)
        body = build(PublishDashboard, notebook=address, name=name, jobs=ids, frames=tuple(frames), **said_of(content))
        return Dashboard(self._connection.post(f"projects/{self.id}/dashboards", body, DashboardView))

    def dashboards(self) -> Dashboards:
        """The project's published dashboards: a list that shows itself as a table."""
        views = self._connection.get_all(f"projects/{self.id}/dashboards", DashboardView)
        return Dashboards(Dashboard(view) for view in views)

    @property
    def airlock(self) -> Airlock:
        """The one door out of the project's workspaces, and into them."""
        return Airlock(self._connection, self.id)

    def release(
        self,
        *files: File,
        purpose: str,
        context: str = "",
        jobs: Sequence[Job | Result | str] = (),
        audience: Audience = "project",
    ) -> ReleaseRequest:
        """Ask for files to be released from the workspace: ``project.airlock.request``.

        Args:
            files: paths, or ``flip.Output`` with what a checker has to know.
            purpose: which planned output they are, and who will see them.
            context: of files that are given as paths alone: variables, population, how they were made.
            jobs: likewise, whose results they are made of.
            audience: who may fetch them then: the ``project``'s team, everybody who is ``signed-in`` to the hub, or
                everybody (``public``). Checkers may narrow it.

        Raises:
            NotFoundError: a file is not there.
            SpecError: files that cannot be taken, or that are never released: all that was found.
        """
        return self.airlock.request(*files, purpose=purpose, context=context, jobs=jobs, audience=audience)

    def _facts(self) -> list[tuple[str, str]]:
        view, asked = self.view, self.view.application
        return [
            ("Until", f"{view.expires_at:%d %b %Y}"),
            ("Benefit", asked.public_benefit),
            ("Organisation", asked.organisation),
            ("Members", ", ".join(view.members)),
            ("Trusts", ", ".join(asked.trusts)),
            ("Privacy asked for", f"ε {asked.epsilon:g}, δ {asked.delta:g} at each Trust (unit: person)"),
        ]

    def _budgets(self) -> list[TrustBudget]:
        return self._connection.get_all(f"projects/{self.id}/budget", TrustBudget)

    def _training(  # noqa: PLR0913 (the same form)
        self,
        model: nn.Module,
        *,
        label: LabelLike,
        features: Sequence[FeatureLike] = (),
        images: ImagesLike | None = None,
        index: Index | None = None,
        cohort: CohortLike = None,
        loss: Loss | None = None,
        privacy: Privacy | None = None,
        rounds: int | None = None,
        trusts: Sequence[str] = (),
        max_records_per_person: int | None = None,
        **more: Any,
    ) -> tuple[TrainSpec, Files]:
        inputs = Given(features, images, label, index, cohort).resolved(Names(self.catalogue))
        files = export(model, inputs, loss or inputs.loss)
        asked = guarantee(privacy, inputs.features)
        spec = checked(
            TrainSpec,
            project_id=self.id,
            trusts=several(trusts),
            **inputs.fields(),
            model=files.ref,
            loss=loss or inputs.loss,
            privacy=asked,
            rounds=preset_of(asked.mechanism).rounds if rounds is None else rounds,
            max_records_per_person=inputs.records if max_records_per_person is None else max_records_per_person,
            **more,
        )
        return spec, files

    def _submit(self, spec: Spec, files: Files | None = None, told: Sequence[str] = ()) -> Job:
        budgets = self._budgets()
        found = violations(spec, budgets)
        if found:
            raise SpecError(found)
        costs = priced(spec, budgets)
        for blob in files.blobs if files else ():
            self._connection.upload(self.id, blob)
        body = SubmitJob(spec=spec, idempotency_key=uuid4().hex)
        view = self._connection.post(f"projects/{self.id}/jobs", body, JobView)
        return Job(self._connection, view, spec=spec, notes=[*told, *notes(spec, budgets)], prices=costs)
