"""A hub with made-up people in this very process: no account, no budget, the same calls as the real one."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import lru_cache
from typing import TYPE_CHECKING

from flip_sdk.client import Hub
from flip_sdk.connection import Connection
from flip_sdk.extras import needed
from flip_sdk.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flip_sdk.testing import FakeHub, FakeTrust


class MadeUpHub(Hub):
    """A hub that is only played, over Trusts with made-up people.

    It trains, counts, asks, prices and releases as a hub does: by the Trusts' own mechanisms, with their noise, floors
    and ledgers. What is left out is what needs no trying: signatures, sandboxes, the wire.

    Attributes:
        played: what stands behind it; ``hub.played.airlock.decide(…)`` plays the checkers of a release.
    """

    def __init__(self, played: FakeHub) -> None:
        self.played = played
        super().__init__(Connection(Settings(played.api, played.token), transport=played.transport))

    def __repr__(self) -> str:
        return f"Hub(made up: {len(self.played.trusts)} pretend Trusts, nobody's data, no budget is spent)"

    def _repr_html_(self) -> str:
        from flip_sdk import looks

        words = f"{len(self.played.trusts)} pretend Trusts on this computer: nobody's data, and no budget is spent."
        tip = looks.tip("hub.project()", "a project like a real one")
        return looks.card("Hub, made up", looks.said(words), tip, state=("offline", "plain"))

    def serve(self) -> AbstractContextManager[dict[str, str]]:
        """Answer other programs on this machine; gives the environment variables by which they find it."""
        return self.played.serve()


def offline(trusts: Sequence[FakeTrust] | None = None) -> MadeUpHub:
    """A hub to try everything on, without an account: ``flip.offline().project()`` is a project like a real one.

    The same calls work as over ``flip.connect()``, in a notebook, a script or a terminal (``flip offline``). A program
    that says ``flip.connect()`` runs on it unchanged where the environment says ``FLIP_HUB_API=offline``.

    Args:
        trusts: of ``flip_sdk.testing``; four with made-up patients of a breast clinic when left out.

    Raises:
        ExtraMissingError: numpy is not installed.
    """
    with needed("learning", "A hub with made-up people"):
        from flip_sdk.simulate.noise import LOUD
        from flip_sdk.testing import FakeHub

    return MadeUpHub(FakeHub(trusts, noise=LOUD))


@lru_cache(maxsize=1)
def shared() -> MadeUpHub:
    """The one of this process: who connects again finds what was asked before."""
    return offline()
