"""Who may do what at JupyterHub, in its scopes. Nobody is an administrator: one could act as any other person."""

from __future__ import annotations

from typing import Any

FLIP = "flip"
DASHBOARDS = "dashboards"
CULLER = "idle-culler"
OFF_BOARDING = "off-boarding"

PERSON_SCOPES = (
    "read:users!user",
    "servers!user",
    "access:servers!user",
    "users:activity!user",
    f"access:services!service={FLIP}",
    f"access:services!service={DASHBOARDS}",
)
"""What each signed-in person may do. Without ``tokens!user``: a token reaches a workspace past the second factor."""


def roles() -> list[dict[str, Any]]:
    """JupyterHub's ``load_roles``: ``user`` replaces the wide one that JupyterHub ships."""
    return [
        {"name": "user", "description": "A person whom the hub knows", "scopes": list(PERSON_SCOPES)},
        {
            "name": CULLER,
            "description": "Stops workspaces that nobody uses",
            "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
            "services": [CULLER],
        },
        {
            "name": OFF_BOARDING,
            "description": "Stops a person's workspaces and removes their account, by the operator's command",
            "scopes": ["read:users:name", "read:servers", "delete:servers", "delete:users"],
            "services": [OFF_BOARDING],
        },
        {
            "name": "project-closer",
            "description": "Stops workspaces of projects that are suspended, expired or closed",
            "scopes": ["delete:servers"],
            "services": [FLIP],
        },
    ]


def workspace_scopes(person: str, project: str) -> list[str]:
    """What a workspace's own token may do: report activity, be reached, and speak to the governance service.

    The governance service reads the project from ``access:servers!server=…``: the token serves that project alone.
    """
    return [
        f"users:activity!user={person}",
        f"access:servers!server={person}/{project}",
        f"access:services!service={FLIP}",
    ]
