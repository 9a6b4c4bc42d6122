"""``flip statistics …``: the questions of ``flip_sdk.questions``, under the same names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

import flip_sdk as flip
from flip_sdk.commands import options
from flip_sdk.commands.options import opened, project_option
from flip_sdk.commands.running import Group

if TYPE_CHECKING:
    from flip_sdk.categories import Grouping
    from flip_sdk.frames import Frame

measurement = click.argument("measurement", help="As `flip catalogue --part measurements` names it.")
measurements = click.argument("measurements", nargs=-1, required=True, help="As the catalogue names them.")
bins = click.option("--bins", type=int, default=20, show_default=True, help="Equal ones between the public bounds.")
event = click.option("--event", multiple=True, help="Condition that ends the follow-up (repeat); death when left out.")
start = click.option("--start", multiple=True, help="Condition that starts it; the start of observation if left out.")
days = click.option("--days", type=int, required=True, help="How long anybody is followed at most.")
on = click.option("--on", "on", multiple=True, help="A measurement that explains it (repeat).")


def add_to(app: Group) -> None:
    """Add the commands."""
    group = Group(
        "statistics",
        """Ask about a cohort: noisy answers, per Trust and together, with 95 % intervals that include the noise.

        Each answer costs --epsilon at each Trust; who it is about, --condition, --age and so on say.
        """,
    )
    app.add_command(group)
    _tables(group)
    _values(group)
    _survival(group)
    _regressions(group)


def asking(function: Any) -> Any:
    """Options of every question."""
    part = click.Choice(["all", "train", "test"])
    for option in (
        project_option,
        options.epsilon(1.0),
        click.option("--part", type=part, default="all", help="Of the persons."),
        options.trusts,
        options.who,
    ):
        function = option(function)
    return function


def grouped(function: Any) -> Any:
    """Options that put persons into groups."""
    for option in (
        click.option("--by-condition", multiple=True, help="With and without this condition (repeat)."),
        click.option("--by-sex", multiple=True, help="A group for this sex (repeat)."),
        click.option("--by-age", help="Where age bands begin, such as 40,60."),
    ):
        function = option(function)
    return function


def _asked(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments that every question takes."""
    who = {name: given.pop(name) for name in ("condition", "without", "age", "sex", "atlas")}
    kept = {name: given.pop(name) for name in ("epsilon", "part", "trusts")}
    return {"cohort": options.cohort_of(**who), **kept}


def _groups(given: dict[str, Any]) -> list[Grouping]:
    ages, sexes, conditions = (given.pop(name) for name in ("by_age", "by_sex", "by_condition"))
    found = [flip.by_age(*map(int, options.numbers(ages, "--by-age")))] if ages else []
    found += [flip.by_sex(*sexes)] if sexes else []
    return found + [flip.by_condition(one) for one in conditions]


def _tables(group: Group) -> None:
    @group.command_of("describe", example="flip statistics describe --condition malignant --epsilon 1")
    @asking
    def describe(project: str | None, **given: Any) -> Frame:
        """Who a cohort is: how many persons, their ages and sexes, and who has which conditions."""
        return opened(project).describe(**_asked(given))

    @group.command_of("cross-table", example="flip statistics cross-table --by-age 40,60 --by-condition malignant")
    @grouped
    @asking
    def cross_table(project: str | None, **given: Any) -> Frame:
        """Persons by one to three groupings. Small cells are kept back for the eye."""
        asked = _asked(given)
        return opened(project).cross_table(*_groups(given), **asked)


def _values(group: Group) -> None:
    @group.command_of("histogram", example='flip statistics histogram "mean radius" --bins 10')
    @measurement
    @bins
    @asking
    def histogram(project: str | None, measurement: str, bins: int, **given: Any) -> Frame:
        """Persons by value of a measurement, in bins between its public bounds."""
        return opened(project).histogram(measurement, bins, **_asked(given))

    @group.command_of("mean", example='flip statistics mean "mean radius" "mean texture"')
    @measurements
    @asking
    def mean(project: str | None, measurements: tuple[str, ...], **given: Any) -> Frame:
        """Mean and standard deviation of measurements, whose values are clamped to their public bounds."""
        return opened(project).mean(*measurements, **_asked(given))

    @group.command_of("quantiles", example='flip statistics quantiles "mean radius" --at 0.1,0.5,0.9')
    @measurement
    @click.option("--at", default="0.25,0.5,0.75", show_default=True, help="Shares of the measured persons.")
    @asking
    def quantiles(project: str | None, measurement: str, at: str, **given: Any) -> Frame:
        """Values below which these shares of the measured persons lie."""
        return opened(project).quantiles(measurement, options.numbers(at, "--at"), **_asked(given))


def _survival(group: Group) -> None:
    @group.command_of("kaplan-meier", example="flip statistics kaplan-meier --start malignant --days 1500")
    @event
    @start
    @days
    @click.option("--intervals", type=int, default=10, show_default=True, help="At whose end the share is told.")
    @grouped
    @asking
    def kaplan_meier(project: str | None, event: tuple[str, ...], start: tuple[str, ...], **given: Any) -> Frame:
        """Share of persons still without an event, by days from the start."""
        asked, groups = _asked(given), _groups(given)
        if len(groups) > 1:
            raise click.UsageError("Curves are told by one grouping: give one of --by-age, --by-sex, --by-condition.")
        by = groups[0] if groups else None
        return opened(project).kaplan_meier(event or None, start=start or None, by=by, **given, **asked)


def _regressions(group: Group) -> None:
    @group.command_of("linear-regression", example='flip statistics linear-regression "mean area" --on "mean radius"')
    @click.argument("outcome", help="The measurement that is explained.")
    @on
    @grouped
    @asking
    def linear_regression(project: str | None, outcome: str, on: tuple[str, ...], **given: Any) -> Frame:
        """Least squares of a measurement on measurements and groups: coefficients in the measurements' own units."""
        asked = _asked(given)
        return opened(project).linear_regression(outcome, [*on, *_groups(given)], **asked)

    @group.command_of("logistic-regression", example='flip statistics logistic-regression malignant --on "mean radius"')
    @click.argument("outcome", help="The condition that is explained.")
    @on
    @grouped
    @asking
    def logistic_regression(project: str | None, outcome: str, on: tuple[str, ...], **given: Any) -> Frame:
        """Odds ratios of having a condition, per unit of each measurement and by group."""
        asked = _asked(given)
        return opened(project).logistic_regression(outcome, [*on, *_groups(given)], **asked)

    @group.command_of("cox-regression", example='flip statistics cox-regression --days 1500 --on "mean radius"')
    @event
    @start
    @days
    @on
    @grouped
    @asking
    def cox_regression(project: str | None, event: tuple[str, ...], start: tuple[str, ...], **given: Any) -> Frame:
        """Hazard ratios of an event, per unit of each measurement and by group."""
        asked = _asked(given)
        predictors = [*given.pop("on"), *_groups(given)]
        found = opened(project)
        return found.cox_regression(event or None, on=predictors, start=start or None, **given, **asked)
