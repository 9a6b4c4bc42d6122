"""The report as one page of HTML that needs nothing beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from flip_hub.satre.evidence import Evidence
from flip_hub.satre.judging import Judgement, Standing
from flip_hub.satre.requirements import Catalogue

_TEMPLATES = Path(__file__).parent / "templates"
_IMPORTANCES = ("mandatory", "recommended", "optional")


def draw(catalogue: Catalogue, judgements: Sequence[Judgement], evidence: Evidence, now: datetime) -> str:
    """The whole page.

    Args:
        catalogue: the specification.
        judgements: of its requirements.
        evidence: what they were made from.
        now: the moment that the report bears.
    """
    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
    counts = Counter((item.standing, item.requirement.importance) for item in judgements)
    pillars = [(name, list(items)) for name, items in groupby(judgements, key=lambda item: item.requirement.pillar)]
    return environment.get_template("satre.html").render(
        catalogue=catalogue,
        evidence=evidence,
        now=now,
        pillars=pillars,
        standings=list(Standing),
        importances=_IMPORTANCES,
        counts=counts,
        total=len(judgements),
    )
