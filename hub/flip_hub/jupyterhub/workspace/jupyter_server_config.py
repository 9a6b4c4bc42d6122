"""Jupyter Server inside a workspace: what is there may be looked at and worked on, not downloaded.

No patient data and no way out are the control; this deters. It lies outside every person's home, and it imports
nothing of the hub's, since a workspace carries none of the hub's code.
"""

from __future__ import annotations

import os
from typing import Any

from jupyter_server.auth import Authorizer
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.web import HTTPError

REASON = "Files leave a workspace through the airlock only."


class NoDownloadAuthorizer(Authorizer):
    """The person of this workspace may do everything in it but fetch files and rendered notebooks."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:  # noqa: ARG002
        """Deny conversions (but the list of formats that pages ask for), and files as base64."""
        if resource == "nbconvert":
            return bool(handler.request.path.endswith("/api/nbconvert"))
        return not (resource == "contents" and handler.get_query_argument("format", None) == "base64")


class NoDownloadContentsManager(AsyncLargeFileManager):
    """Files as text, notebooks and folders; never the bytes of other files."""

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


c = get_config()  # type: ignore[name-defined]  # noqa: F821 - Jupyter puts it here
c.ServerApp.authorizer_class = NoDownloadAuthorizer
c.ServerApp.contents_manager_class = NoDownloadContentsManager
c.ServerApp.terminals_enabled = False
c.ServerApp.jpserver_extensions = dict.fromkeys(
    ("jupyter_lsp", "jupyter_server_terminals", "voila.server_extension"), False
)
c.ContentsManager.files_handler_class = None
c.HubOAuth.cache_max_age = 30
if os.environ.get("JUPYTER_RUNTIME_DIR"):
    # over the loopback, other workspaces of the same computer could listen to what a kernel prints
    c.ConnectionFileMixin.transport = "ipc"
c.FileContentsManager.always_delete_dir = True
c.LabApp.extension_manager = "readonly"
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
