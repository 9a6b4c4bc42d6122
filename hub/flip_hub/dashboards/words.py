"""What a dashboard is called and said to be, in words."""

from __future__ import annotations

from flip_sdk.contract.states import OutputState

from flip_hub.database import DashboardVersion

AUDIENCES = {
    "project": "for its project's team",
    "signed-in": "for everybody signed in to this hub",
    "public": "for everybody",
}
KINDS = {
    "training report": "Training report",
    "model card": "Model card",
    "cohort report": "Cohort report",
    "fairness": "Fairness",
    "monitoring": "Monitoring",
    "other": "Other",
}


def state_of(row: DashboardVersion) -> str:
    """Whether a version is a draft, or for whom it was released, in words."""
    if row.state == OutputState.RELEASED and row.released_at is not None:
        return f"Released on {row.released_at:%d %B %Y} {AUDIENCES[row.audience]}"
    return "A draft, for its project's team"
