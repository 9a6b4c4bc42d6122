"""Signing in to dashboards through JupyterHub. Without it, Voila answers everybody."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth import Authorizer
from jupyterhub.singleuser.extension import JupyterHubIdentityProvider, JupyterHubOAuthCallbackHandler
from jupyterhub.utils import url_path_join

from flip_hub.dashboards.kernels import DashboardKernels


class HubIdentityProvider(JupyterHubIdentityProvider):  # type: ignore[misc]
    """JupyterHub's sign-in, for people who hold ``access:services!service=dashboards``."""

    def get_handlers(self) -> list[tuple[Any, ...]]:
        """The end of the sign-in, below this service's own prefix: Voila adds none."""
        callback = url_path_join(self.hub_auth.base_url, "oauth_callback")
        return [(callback, JupyterHubOAuthCallbackHandler, {"hub_auth": self.hub_auth})]


class OwnKernelAuthorizer(Authorizer):
    """A kernel is reached by the person for whose page it was started, and by nobody else."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:  # noqa: ARG002
        """Whether the kernel in the address belongs to the person."""
        kernels: DashboardKernels = handler.kernel_manager
        kernel_id = handler.path_kwargs.get("kernel_id") or next(iter(handler.path_args), "")
        return resource == "kernels" and kernels.viewer_of(kernel_id) == user.username
