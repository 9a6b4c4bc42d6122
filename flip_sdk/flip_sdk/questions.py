"""The questions a project answers: counts in tables, means, quantiles, survival and regressions, all noisy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flip_sdk import describing
from flip_sdk.asking import Names, checked, several
from flip_sdk.catalogue import Concept
from flip_sdk.categories import Grouping, named
from flip_sdk.contract import statistics as contract
from flip_sdk.contract.jobs import Part, StatisticsSpec
from flip_sdk.errors import PublicError
from flip_sdk.privacy import build

if TYPE_CHECKING:
    from flip_sdk.asking import CohortLike, FeatureLike, LabelLike
    from flip_sdk.catalogue import Catalogue
    from flip_sdk.cohorts import ConceptLike
    from flip_sdk.contract.api import JobResult, ProjectView
    from flip_sdk.contract.features import Feature
    from flip_sdk.frames import Frame
    from flip_sdk.jobs import Job
    from flip_sdk.preflight import Spec

    PredictorLike = FeatureLike | Grouping
    Events = ConceptLike | Sequence[ConceptLike] | None


class Questions:
    """Part of a project: what may be asked about a cohort.

    Every answer has one row an estimate, per Trust and for ``all`` together, with ``standard_error`` and a 95 %
    interval that include the noise. It costs ``epsilon`` (and for means and regressions ``delta``, the project's where
    none is given) of the budget at each Trust. Every method may raise SpecError (the job breaks rules, or no budget
    covers it), NotFoundError (a name is unknown) and JobFailedError (no Trust answered).
    """

    view: ProjectView

    def statistics(
        self,
        question: contract.AnyQuestion,
        *,
        cohort: CohortLike = None,
        epsilon: float = 1.0,
        delta: float | None = None,
        part: Part = "all",
        trusts: Sequence[str] = (),
    ) -> Job:
        """Ask a question of the contract, without waiting; ``job.result().statistics()`` is the answer.

        Args:
            question: such as ``flip_sdk.contract.statistics.Histogram``; the other methods make them.
            cohort: who it is about; everybody when left out.
            epsilon: bound for the whole answer at each Trust.
            delta: of means and regressions; the project's when left out.
            part: ``all`` persons, or those of the ``train`` or ``test`` part.
            trusts: whom to ask; every Trust of the project when left out.
        """
        given = self.view.application.delta if delta is None else delta
        spec = checked(
            StatisticsSpec,
            project_id=self.view.project_id,
            trusts=several(trusts),
            cohort=self._names().cohort(cohort),
            question=question,
            epsilon=epsilon,
            delta=0.0 if contract.is_pure(question) else given,
            part=part,
        )
        return self._submit(spec)

    def cross_table(self, *by: Grouping, **asked: Any) -> Frame:
        """Persons by one to three groupings, such as ``by_age(40, 60)`` and ``by_condition("malignant")``.

        Small cells are kept back for the eye; ``total`` is of all noisy cells. Takes :meth:`statistics`' arguments.
        """
        return self._answer(build(contract.CrossTable, by=self._categories(by)), asked)

    def describe(
        self,
        cohort: CohortLike = None,
        *,
        ages: Sequence[int] = describing.AGES,
        sexes: Sequence[ConceptLike] | None = None,
        conditions: Sequence[ConceptLike] | None = None,
        epsilon: float = 1.0,
        **asked: Any,
    ) -> Frame:
        """Who a cohort is, in one job: how many persons, their ages and sexes, and who has which conditions.

        One row a figure, per Trust and together, the conditions by how many have them. ``share`` is of the cohort. A
        person counts once in the ages, once in the sexes and once for each condition: ε is shared among these, so that
        every condition more makes all figures noisier.

        Args:
            cohort: who it is about; everybody when left out.
            ages: where age bands begin.
            sexes: names or concept ids; those of the catalogue when left out.
            conditions: names or concept ids; the commonest six of the catalogue when left out.
            epsilon: of the budget at each Trust, for everything together.
            asked: :meth:`statistics`' ``part`` and ``trusts``.
        """
        names = self._names()
        groupings = describing.groupings(names.catalogue, ages, sexes, conditions)
        by = tuple(grouping.record(names.catalogue) for grouping in groupings)
        question = build(contract.Description, by=by)
        return describing.described(self._answer(question, {"cohort": cohort, "epsilon": epsilon, **asked}))

    def histogram(self, measurement: FeatureLike, bins: int = 20, **asked: Any) -> Frame:
        """Persons by value of a measurement, in bins between its public bounds, and who is outside or not measured."""
        feature = self._names().measurements([measurement])[0]
        return self._answer(build(contract.Histogram, measurement=feature, bins=bins), asked)

    def mean(self, *measurements: FeatureLike, **asked: Any) -> Frame:
        """Mean and standard deviation of measurements, whose values are clamped to their public bounds."""
        return self._answer(build(contract.Mean, measurements=self._names().measurements(measurements)), asked)

    def quantiles(
        self,
        measurement: FeatureLike,
        probabilities: Sequence[float] = (0.25, 0.5, 0.75),
        bins: int = 64,
        **asked: Any,
    ) -> Frame:
        """Values below which these shares of the measured persons lie, between the measurement's public bounds."""
        feature = self._names().measurements([measurement])[0]
        fields = {"measurement": feature, "probabilities": tuple(probabilities), "bins": bins}
        return self._answer(build(contract.Quantiles, **fields), asked)

    def bounds(
        self,
        measurements: Sequence[FeatureLike],
        *,
        epsilon: float,
        shares: tuple[float, float] = (0.01, 0.99),
        bins: int = 64,
        cohort: CohortLike = None,
        trusts: Sequence[str] = (),
    ) -> list[Feature]:
        """These measurements as features, with bounds estimated under differential privacy.

        For measurements whose public bounds are far wider than what patients have. The bounds are noisy quantiles of
        the latest values of the persons of the ``train`` part, between the public bounds that are known already, of
        all Trusts together: they may be told and used as public ones from then on. A job for each measurement.

        Args:
            measurements: by name, or as ``flip.measurement("creatinine", low=0, high=5000).mean(days=…)``.
            epsilon: of the budget at each Trust, for all of them together.
            shares: of the persons, who are below the lower bound and below the upper one.
            bins: equal ones between the public bounds: no bound is told more finely.
            cohort: who it is about; everybody when left out.
            trusts: whom to ask; every Trust of the project when left out.

        Raises:
            PublicError: the noise leaves no range, or a count has no bounds to estimate.
            NotFoundError: a name is unknown.
            SpecError: the job breaks rules, or no budget covers it.
        """
        from flip_sdk.bounding import estimated

        features = self._names().measurements(measurements)
        each, chosen = epsilon / len(features), self._names().cohort(cohort)

        def ask(question: contract.Quantiles) -> JobResult:
            job = self.statistics(question, cohort=chosen, epsilon=each, part="train", trusts=trusts)
            return job.result().record

        return estimated(features, shares, bins, ask)

    def kaplan_meier(
        self,
        event: Events = None,
        *,
        days: int,
        start: Events = None,
        intervals: int = 10,
        by: Grouping | None = None,
        **asked: Any,
    ) -> Frame:
        """Share of persons still without an event, by days from the start.

        Args:
            event: condition(s) that end the follow-up; death when left out.
            days: how long anybody is followed at most.
            start: condition(s) whose first record starts it; the start of observation when left out.
            intervals: at the end of which the share is told.
            by: a curve for each group.
            **asked: :meth:`statistics`' arguments.
        """
        group = self._categories([by])[0] if by is not None else None
        follow_up = self._follow_up(event, start, days, intervals)
        return self._answer(build(contract.KaplanMeier, follow_up=follow_up, by=group), asked)

    def linear_regression(self, outcome: FeatureLike, on: Sequence[PredictorLike], **asked: Any) -> Frame:
        """Least squares of a measurement on measurements and groups: coefficients in the measurements' own units."""
        feature = self._names().measurements([outcome])[0]
        question = build(contract.LinearRegression, outcome=feature, predictors=self._predictors(on))
        return self._answer(question, asked)

    def logistic_regression(
        self, outcome: LabelLike, on: Sequence[PredictorLike], rounds: int = 8, **asked: Any
    ) -> Frame:
        """Log odds ratios of having a condition, and odds ratios, per unit of each measurement and by group."""
        label = self._names().label(outcome)
        fields = {"outcome": label, "predictors": self._predictors(on), "rounds": rounds}
        return self._answer(build(contract.LogisticRegression, **fields), asked)

    def cox_regression(
        self,
        event: Events = None,
        *,
        on: Sequence[PredictorLike],
        days: int,
        start: Events = None,
        intervals: int = 5,
        rounds: int = 10,
        **asked: Any,
    ) -> Frame:
        """Log hazard ratios of an event, and hazard ratios; the arguments are :meth:`kaplan_meier`'s."""
        follow_up = self._follow_up(event, start, days, intervals)
        fields = {"follow_up": follow_up, "predictors": self._predictors(on), "rounds": rounds}
        return self._answer(build(contract.CoxRegression, **fields), asked)

    def catalogue(self) -> Catalogue:
        """What the Trusts of this project say they hold: names and public bounds."""
        raise NotImplementedError

    def _submit(self, spec: Spec) -> Job:
        raise NotImplementedError

    def _answer(self, question: contract.AnyQuestion, asked: dict[str, Any]) -> Frame:
        return self.statistics(question, **asked).result().statistics()

    def _names(self) -> Names:
        return Names(self.catalogue)

    def _categories(self, groupings: Sequence[Grouping]) -> tuple[contract.Category, ...]:
        names = self._names()
        if wrong := [one for one in groupings if not isinstance(one, Grouping)]:
            raise PublicError(
                f"{wrong[0]!r} is no grouping.", "Give flip.by_age(…), flip.by_sex(…) or flip.by_condition(…)."
            )
        return tuple(grouping.record(names.catalogue) for grouping in groupings)

    def _predictors(self, given: Sequence[PredictorLike]) -> contract.Predictors:
        groupings = [one for one in given if isinstance(one, Grouping)]
        features = [one for one in given if not isinstance(one, Grouping)]
        found = self._names().measurements(features) if features else ()
        return build(contract.Predictors, measurements=found, categories=self._categories(groupings))

    def _follow_up(self, event: Events, start: Events, days: int, intervals: int) -> contract.FollowUp:
        fields = {"event": self._conditions(event), "start": self._conditions(start)}
        return build(contract.FollowUp, **fields, maximum_days=days, intervals=intervals)

    def _conditions(self, given: Events) -> tuple[int, ...]:
        if given is None:
            return ()
        names = self._names()
        asked = (given,) if isinstance(given, str | int | Concept) else given
        return tuple(named(one, names.catalogue, "Condition")[0] for one in asked)
