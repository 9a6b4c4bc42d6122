"""Links of a played hub: asked for and ended; no output checkers decide here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from flip_sdk.contract.api import DashboardView
from flip_sdk.contract.links import AskLink, LinkReaderView, LinkView
from flip_sdk.errors import NotFoundError, PublicError


class PlayedLinks:
    """Links by their ids.

    Args:
        dashboards: of the project, by name.
        clock: the time.
        by: who asks.
    """

    def __init__(self, dashboards: dict[str, DashboardView], clock: Callable[[], datetime], by: str) -> None:
        self._dashboards, self._clock, self._by = dashboards, clock, by
        self.all: dict[str, LinkView] = {}

    def ask(self, board: str, content: bytes) -> LinkView:
        """One more, with the only sight of its address."""
        asked = AskLink.parse(content)
        shown = self._dashboards.get(board)
        if shown is None:
            raise NotFoundError(
                "There is no such dashboard, or none of its versions is shown.", "Have it released first."
            )
        number = f"link-{len(self.all) + 1}"
        self.all[number] = LinkView(
            link_id=number,
            project_id=shown.project_id,
            dashboard=board,
            version=shown.version,
            title=shown.title,
            state="asked",
            reason=asked.reason,
            readers=tuple(LinkReaderView(name=one, display_name=one, organisation="") for one in asked.readers),
            asked_by=self._by,
            asked_at=self._clock(),
            ends_at=asked.ends_at,
        )
        return self.all[number].model_copy(update={"address": f"/services/flip/links/open/{number}"})

    def of(self, board: str) -> list[LinkView]:
        """A dashboard's links, the newest first."""
        return [one for one in reversed(self.all.values()) if one.dashboard == board]

    def end(self, link: str, content: bytes) -> LinkView:  # noqa: ARG002 - a route's
        """End one."""
        if self.all[link].state != "asked":
            raise PublicError("This link has ended.", "Ask for another one where it is needed.")
        self.all[link] = self.all[link].model_copy(update={"state": "ended"})
        return self.all[link]
