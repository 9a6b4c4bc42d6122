"""The live view of a job in a notebook: a small page that its Python side keeps up to date.

The page is ``job.js`` and ``job.css`` in this folder; it draws ``fields`` and sends ``cancel`` when a person confirmed
it. Where no widget can be shown (a saved notebook, print, a reader without widgets) the same is there as plain HTML.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from flip_sdk.watching import page
from flip_sdk.watching.progress import Progress

_HERE = Path(__file__).parent


class JobWidget(anywidget.AnyWidget):
    """What a person sees and can do while a job runs."""

    _esm = _HERE / "job.js"
    _css = _HERE / "job.css"
    fields = traitlets.Dict().tag(sync=True)

    def __init__(self, progress: Progress, cancel: Callable[[], None]) -> None:
        super().__init__(fields=page.fields(progress))
        self._progress, self._cancel = progress, cancel
        self.on_msg(self._asked)

    def show(self, progress: Progress) -> None:
        """Draw what is new."""
        self.fields = page.fields(progress)

    def _asked(self, _: object, content: Any, __: object) -> None:
        if content == {"do": "cancel"}:
            self._cancel()

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return data | {"text/html": page.html(self._progress), "text/plain": page.text(self._progress)}, metadata
