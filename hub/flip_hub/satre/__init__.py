"""Where the hub stands on SATRE's requirements: ``policies/satre.yaml``, held against tests that really ran."""

from flip_hub.satre.evidence import Evidence
from flip_hub.satre.judging import Judgement, Standing, judge
from flip_hub.satre.page import draw
from flip_hub.satre.requirements import Catalogue, Requirement, requirements
from flip_hub.satre.sheet import write_sheet

__all__ = [
    "Catalogue",
    "Evidence",
    "Judgement",
    "Requirement",
    "Standing",
    "draw",
    "judge",
    "requirements",
    "write_sheet",
]
