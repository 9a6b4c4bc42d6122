"""A list of what may answer: a handler that is not on it refuses, whoever asks and whichever extension brought it."""

from __future__ import annotations

import logging
import tomllib
from pathlib import Path
from typing import Any

from jupyter_server import serverapp
from jupyter_server.base.handlers import APIHandler
from tornado.web import HTTPError

REASON = "Files leave a workspace through the airlock only."
LIST = Path(__file__).parents[1] / "handlers.toml"
_log = logging.getLogger(__name__)


class RefusedHandler(APIHandler):
    """In the place of a handler that is not on the list."""

    async def prepare(self) -> None:
        """Refuse before anything is looked at.

        Raises:
            HTTPError: 403, always.
        """
        raise HTTPError(403, reason=REASON)


def allowed(path: Path = LIST) -> frozenset[str]:
    """The list: names of classes, and of packages (``package.*``)."""
    return frozenset(name for names in tomllib.loads(path.read_text(encoding="utf-8")).values() for name in names)


def is_allowed(handler: type, names: frozenset[str]) -> bool:
    """Whether a handler is on the list, by its own name: a subclass is another handler."""
    package = handler.__module__.partition(".")[0]
    return f"{handler.__module__}.{handler.__qualname__}" in names or f"{package}.*" in names


class GuardedApplication(serverapp.ServerWebApplication):  # type: ignore[misc]
    """Jupyter Server's application, which answers with nothing that is not on the list."""

    _names = allowed()

    def get_handler_delegate(
        self, request: Any, target_class: Any, target_kwargs: Any = None, path_args: Any = None, path_kwargs: Any = None
    ) -> Any:
        """Every request comes through here, after its rule was found."""
        if not is_allowed(target_class, self._names):
            _log.warning("refused: %s of %s.%s", request.path, target_class.__module__, target_class.__qualname__)
            target_class, target_kwargs, path_args, path_kwargs = RefusedHandler, None, None, None
        return super().get_handler_delegate(request, target_class, target_kwargs, path_args, path_kwargs)


def install() -> None:
    """Let Jupyter Server make its application of this class: it has no setting for it."""
    vars(serverapp)["ServerWebApplication"] = GuardedApplication
