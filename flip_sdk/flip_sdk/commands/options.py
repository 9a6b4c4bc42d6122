"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

import flip_sdk as flip

if TYPE_CHECKING:
    from flip_sdk.cohorts import Rule
    from flip_sdk.project import Project

Decorator = Callable[[Any], Any]


class _Years(click.ParamType[Any]):
    """Whole years from and to, as a rule about a person."""

    name = "years"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """``40-70`` as a rule."""
        low, _, high = str(value).partition("-")
        if not (low.isdigit() and high.isdigit()):
            self.fail("give two whole numbers, such as 40-70", param, ctx)
        return flip.age_between(int(low), int(high))


project_argument = click.argument("project", required=False, help="The project; a workspace knows its own.")
project_option = click.option("--project", help="The project; a workspace knows its own.")
job_argument = click.argument("job", help="The job's id, as `flip jobs` lists it.")
trusts = click.option("--trust", "trusts", multiple=True, help="Ask only this Trust (repeat). All when left out.")


def opened(name: str | None) -> Project:
    """The project that is meant."""
    return flip.connect().project(name)


def who(function: Any) -> Any:
    """Options that say who a cohort is: ``condition``, ``without``, ``age``, ``sex`` and ``atlas``."""
    for option in (
        click.option("--atlas", type=click.Path(exists=True), help="A cohort that ATLAS exported, as JSON."),
        click.option("--sex", multiple=True, help="As the catalogue names it (repeat: any of these)."),
        click.option("--age", type=_Years(), help="Whole years, such as 40-70."),
        click.option("--without", multiple=True, help="Persons without this condition (repeat: without each)."),
        click.option("--condition", multiple=True, help="Persons with this condition (repeat: with each)."),
    ):
        function = option(function)
    return function


def cohort_of(
    condition: Sequence[str], without: Sequence[str], age: Rule | None, sex: Sequence[str], atlas: str | None
) -> flip.Cohort:
    """The cohort that the options of :func:`who` describe."""
    rules = [flip.has_condition(name) for name in condition]
    rules += [~flip.has_condition(name) for name in without]
    rules += [age] if age else []
    rules += [flip.sex_is(*sex)] if sex else []
    return flip.Cohort.from_atlas(atlas).where(*rules) if atlas else flip.Cohort(*rules)


def epsilon(preset: float) -> Decorator:
    """What a job may cost at each Trust."""
    return click.option(
        "--epsilon", type=float, default=preset, show_default=True, help="What it may cost at each Trust."
    )


def numbers(text: str, name: str) -> list[float]:
    """Numbers with commas between them.

    Raises:
        click.BadParameter: something is no number.
    """
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise click.BadParameter("give numbers with commas between them, such as 40,60", param_hint=name) from None
