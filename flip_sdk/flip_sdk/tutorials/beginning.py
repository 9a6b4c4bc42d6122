"""How a tutorial begins: on the project, where it can pay for all of it; else on made-up people, and says why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

from flip_sdk.catalogue import Catalogue, Concept
from flip_sdk.client import connect
from flip_sdk.contract.api import TrustBudget
from flip_sdk.errors import ConnectionFailedError, NotFoundError
from flip_sdk.tutorials.listed import TUTORIALS, Tutorial

if TYPE_CHECKING:
    from flip_sdk.frames import Frame
    from flip_sdk.project import Project

PERSONS, WITH_IMAGES = 300, 100
"""Made-up persons at each pretend Trust, and where each has images too."""
ROOM = 1.1
"""A ledger's bound for jobs of unlike kinds may lie a little above the sum of what they ask for."""
_PRETEND = ("pretend-north", "pretend-east", "pretend-south", "pretend-west")
_MADE_UP = "Everything works as it does at the Trusts and costs nothing, but it says nothing about patients."
_REAL = "Each answer below is about the people of your project's Trusts, and is paid for with its budget."


@dataclass(frozen=True)
class Lesson:
    """What a tutorial works with.

    Attributes:
        about: the tutorial.
        project: yours, or a pretended one over made-up people.
        catalogue: of that project.
        made_up: why the people are made up; empty where they are your project's.
    """

    about: Tutorial
    project: Project
    catalogue: Catalogue
    made_up: str = ""

    @property
    def is_real(self) -> bool:
        """Whether its answers come from the project's Trusts."""
        return not self.made_up

    def condition(self, wanted: str) -> str:
        """A condition that this project's Trusts record: the one wanted, else the one that most people have.

        Args:
            wanted: its name in the demonstration.
        """
        return _chosen(self._everywhere("Condition"), wanted)

    def measurement(self, wanted: str) -> str:
        """A measurement with public bounds: the one wanted, else the one that most people have.

        Args:
            wanted: its name in the demonstration.
        """
        return _chosen([c for c in self._everywhere("Measurement") if c.low is not None], wanted)

    def __repr__(self) -> str:
        return f"{self._headline}\n{self._rest}"

    def _repr_html_(self) -> str:
        style = "border-left:4px solid #005eb8;padding:.2em 1em;margin:.5em 0;max-width:46em"
        return f'<div style="{style}"><p><strong>{escape(self._headline)}</strong></p><p>{escape(self._rest)}</p></div>'

    @property
    def _headline(self) -> str:
        if self.made_up:
            return f"This tutorial runs on made-up people: {self.made_up}"
        return f"This tutorial runs in your project {self.project.id} and costs ε {self.about.epsilon:g} at each Trust."

    @property
    def _rest(self) -> str:
        return _MADE_UP if self.made_up else _REAL

    def _everywhere(self, domain: str) -> list[Concept]:
        """Concepts that as many Trusts name as name any, the most frequent first."""
        of_domain = [c for c in self.catalogue if c.domain == domain]
        most = max((len(c.trusts) for c in of_domain), default=0)
        return sorted((c for c in of_domain if len(c.trusts) == most), key=lambda c: -(c.persons or 0))


def begin(number: int) -> Lesson:
    """Begin a tutorial: in the workspace's project, if its Trusts' budgets cover all of it; else on made-up people.

    Args:
        number: of the tutorial.

    Raises:
        NotFoundError: there is no such tutorial.
    """
    about = _tutorial(number)
    try:
        project = connect().project()
    except (ConnectionFailedError, NotFoundError) as error:
        return _pretended(about, f"this notebook is not connected to a project ({error.message.rstrip('.')}).")
    catalogue = project.catalogue()
    why_not = _why_not(about, project, catalogue)
    return _pretended(about, why_not, catalogue) if why_not else Lesson(about, project, catalogue)


def contents() -> Frame:
    """The tutorials: minutes, ε, and on whose data each would run if it began now."""
    from flip_sdk.frames import frame

    try:
        project = connect().project()
        catalogue = project.catalogue()
        told = {one.number: _why_not(one, project, catalogue) for one in TUTORIALS}
    except (ConnectionFailedError, NotFoundError) as error:
        told = dict.fromkeys((one.number for one in TUTORIALS), error.message)
    rows = [
        {
            "notebook": one.file,
            "about": one.title,
            "minutes": one.minutes,
            "epsilon": one.epsilon,
            "people": "your project's" if not told[one.number] else f"made-up: {told[one.number]}",
        }
        for one in TUTORIALS
    ]
    schema = {"notebook": str, "about": str, "minutes": int, "epsilon": float, "people": str}
    return frame(rows, schema, "Tutorials (epsilon: what all of it costs at each Trust)")


def _tutorial(number: int) -> Tutorial:
    for one in TUTORIALS:
        if one.number == number:
            return one
    raise NotFoundError(
        f"There is no tutorial {number}.", f"There are {TUTORIALS[0].number} to {TUTORIALS[-1].number}."
    )


def _why_not(about: Tutorial, project: Project, catalogue: Catalogue) -> str:
    """Why the project cannot carry a tutorial, as the end of a sentence; empty where it can."""
    if about.images and not _has_images(project, catalogue):
        return "your project is not about images."
    if not any(c.domain == "Condition" for c in catalogue) or not (about.images or catalogue.features()):
        return "your project's Trusts have not published what it needs in their catalogues."
    willing = [b for b in project._budgets() if _takes_part(b, about)]
    if len(willing) < about.trusts:
        return (
            f"it needs {about.trusts} Trust(s) that are online and opted in to its jobs, and there are {len(willing)}."
        )
    short = [b for b in willing if not _covers(b, about)]
    if short:
        return f"its ε {about.epsilon:g} is more than the budget has left at {', '.join(_left(b) for b in short)}."
    return ""


def _has_images(project: Project, catalogue: Catalogue) -> bool:
    approved = any("images" in asked.domains for asked in project.view.application.data)
    return approved or not catalogue.imaging().is_empty()


def _takes_part(budget: TrustBudget, about: Tutorial) -> bool:
    over = budget.expires_at is not None and budget.expires_at <= datetime.now(UTC)
    allowed = not budget.job_kinds or set(about.kinds) <= set(budget.job_kinds)
    shares = about.trusts == 1 or "distributed" in budget.trust_models
    return budget.consent == "opted_in" and budget.online and not over and allowed and shares


def _covers(budget: TrustBudget, about: Tutorial) -> bool:
    total, needed = budget.total, ROOM * about.epsilon
    if total is not None and (total.max_epsilon_per_job < about.largest or total.spent + needed > total.epsilon):
        return False
    return budget.epsilon is not None and budget.spent + needed <= budget.epsilon


def _left(budget: TrustBudget) -> str:
    return f"{budget.trust} ({max((budget.epsilon or 0) - budget.spent, 0):.2g})"


def _pretended(about: Tutorial, why: str, catalogue: Catalogue | None = None) -> Lesson:
    from flip_sdk import simulate

    known = catalogue if catalogue is not None and _suffices(catalogue) else _demonstration()
    names = [row["trust"] for row in known.trusts.iter_rows(named=True)]
    names += _PRETEND[: max(0, about.trusts - len(names))]
    people = simulate.synthetic(known, persons=dict.fromkeys(names, WITH_IMAGES if about.images else PERSONS))
    images = simulate.images(known, people, lesion=_label(known)) if about.images else None
    project = simulate.project(people, known, epsilon=max(10.0, 2 * about.epsilon), images=images)
    return Lesson(about, project, project.catalogue(), why)


def _suffices(catalogue: Catalogue) -> bool:
    return bool(catalogue.features()) and any(c.domain == "Condition" for c in catalogue)


def _demonstration() -> Catalogue:
    """The concepts of the demonstration, at four pretend Trusts."""
    from flip_sdk.testing import FakeHub

    hub = FakeHub()
    return connect(hub.api, hub.token, transport=hub.transport).project(hub.view.project_id).catalogue()


def _label(catalogue: Catalogue) -> str:
    return _chosen([c for c in catalogue if c.domain == "Condition"], "mass in a lung")


def _chosen(concepts: Sequence[Concept], wanted: str) -> str:
    if not concepts:
        raise NotFoundError("The Trusts' catalogues name nothing of this kind.", "Ask their data stewards.")
    named = [c.name for c in concepts if c.name == wanted]
    return named[0] if named else concepts[0].name
