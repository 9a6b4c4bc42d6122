"""Files of a workspace, to be looked at and worked on, not downloaded."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_core.paths import ENV_JUPYTER_PATH, SYSTEM_JUPYTER_PATH
from jupyter_server.auth import Authorizer
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.web import HTTPError
from traitlets import default

from flip_workspace.guard import REASON

CODE = frozenset(
    {".cfg", ".css", ".ini", ".ipynb", ".md", ".py", ".r", ".rst", ".sh", ".sql", ".toml", ".txt", ".yaml", ".yml"}
)
"""Endings of what may be uploaded."""
MOST_BYTES = 2**20
COMES_IN = "Data comes in through the airlock only: see Files brought in, on the page of the project."


def check_upload(model: Mapping[str, Any], path: str) -> None:
    """Refuse an upload that is not code or notes, short and readable. What is typed is told apart: it comes as text.

    It keeps data from coming in by the drag of a mouse. Whoever means to may type or paste what they like.

    Raises:
        HTTPError: 403.
    """
    if model.get("chunk") is None and model.get("format") != "base64":
        return
    content = str(model.get("content") or "")
    if model.get("chunk") is not None or Path(path).suffix.lower() not in CODE or len(content) > 4 * MOST_BYTES // 3:
        raise HTTPError(403, reason=COMES_IN)
    try:
        base64.b64decode(content, validate=True).decode("utf-8")
    except ValueError as error:
        raise HTTPError(403, reason=COMES_IN) from error


class NoDownloadAuthorizer(Authorizer):
    """The person of this workspace may do everything in it but fetch files and rendered notebooks."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:  # noqa: ARG002
        """Deny conversions (but the list of formats that pages ask for), and files as base64."""
        if resource == "nbconvert":
            return bool(handler.request.path.endswith("/api/nbconvert"))
        return not (resource == "contents" and handler.get_query_argument("format", None) == "base64")


class NoDownloadContentsManager(AsyncLargeFileManager):
    """Files as text, notebooks and folders; never the bytes of others, and no data by the file browser's upload."""

    async def save(self, model: dict[str, Any], path: str = "") -> Any:
        """Keep a file.

        Raises:
            HTTPError: 403 where it is an upload of something else than code and notes.
        """
        check_upload(model, path)
        return await super().save(model, path)  # type: ignore[no-untyped-call]

    async def get(
        self,
        path: str,
        content: bool = True,
        type: str | None = None,
        format: str | None = None,
        require_hash: bool = False,
    ) -> Any:
        """A model of a file, notebook or folder.

        Raises:
            HTTPError: 403 where its content would be bytes.
        """
        model = await super().get(path, content=content, type=type, format=format, require_hash=require_hash)  # type: ignore[no-untyped-call]
        if content and model["format"] == "base64":
            raise HTTPError(403, REASON)
        return model


class InstalledKernels(KernelSpecManager):
    """The kernels that are installed here: a kernel's folder in a home would serve whatever lies in it as its logo."""

    @default("kernel_dirs")
    def _installed(self) -> list[str]:
        return [str(Path(folder, "kernels")) for folder in (*ENV_JUPYTER_PATH, *SYSTEM_JUPYTER_PATH)]
