"""Jupyter Server inside a workspace: what is there may be looked at and worked on, not downloaded.

No patient data and no way out are the control; this deters. It lies outside every person's home, and it imports
nothing of the hub's, since a workspace carries none of the hub's code.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
SIGNATURES = Path.home() / ".local" / "share" / "jupyter"
"""Which notebooks' outputs a person trusts: the one thing of a server's data that is theirs."""

# what lies in a home (kernels, extensions of the interface, styles) is not the server's: it would answer with it
os.environ["JUPYTER_DATA_DIR"] = str(HERE / "data")

from flip_workspace import guard, packages  # noqa: E402 - the place has to be known first
from flip_workspace.cells import RecordedConnection  # noqa: E402
from flip_workspace.contents import InstalledKernels, NoDownloadAuthorizer, NoDownloadContentsManager  # noqa: E402

guard.install()
os.environ.update(packages.environment(os.environ, Path.home()))
c = get_config()  # type: ignore[name-defined]  # noqa: F821 - Jupyter puts it here
c.ServerApp.authorizer_class = NoDownloadAuthorizer
c.ServerApp.contents_manager_class = NoDownloadContentsManager
c.ServerApp.kernel_websocket_connection_class = RecordedConnection
c.ServerApp.kernel_spec_manager_class = InstalledKernels
c.ServerApp.terminals_enabled = False
# of Dask, its own extension and the proxy fetch from any address; FLIP's shows the one dashboard
OFF = (
    "dask_labextension",
    "jupyter_lsp",
    "jupyter_server_proxy",
    "jupyter_server_terminals",
    "notebook_shim",  # for extensions of the old notebook, of which there are none; it would write where nothing can be
    "voila.server_extension",
)
c.ServerApp.jpserver_extensions = {
    "flip_sdk.prototyping.lab": True,
    "flip_workspace": True,
    **dict.fromkeys(OFF, False),
}
c.ContentsManager.files_handler_class = None
c.HubOAuth.cache_max_age = 30
if os.environ.get("JUPYTER_RUNTIME_DIR"):
    # over the loopback, other workspaces of the same computer could listen to what a kernel prints
    c.ConnectionFileMixin.transport = "ipc"
SIGNATURES.mkdir(parents=True, exist_ok=True)
c.NotebookNotary.data_dir = str(SIGNATURES)
c.FileContentsManager.always_delete_dir = True
c.LabApp.extension_manager = "readonly"
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
