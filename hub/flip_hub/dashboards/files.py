"""Styles and scripts of pages: for those who are signed in, as the pages are that fetch them."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import cache
from typing import Any

import tornado.web
from jupyter_server.base.handlers import JupyterHandler


class SignedIn(JupyterHandler):
    """Mixed into a handler of files. Voila's own answer everybody."""

    @tornado.web.authenticated
    def get(self, path: str, include_body: bool = True) -> Awaitable[None] | None:
        """One file."""
        files: Any = super()
        answer: Awaitable[None] = files.get(path, include_body)
        return answer

    @tornado.web.authenticated
    def head(self, path: str) -> Awaitable[None] | None:
        """What is told of one file."""
        return self.get(path, include_body=False)


@cache
def for_signed_in(handler: type[tornado.web.StaticFileHandler]) -> type[tornado.web.StaticFileHandler]:
    """A handler of files, which sends others to sign in."""
    return type(f"SignedIn{handler.__name__}", (SignedIn, handler), {})
