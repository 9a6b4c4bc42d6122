"""Errors of the dispatcher.

HubError
├── ReplyError          what a Trust answered cannot be accepted
├── SignOffError        the job in the database is not the one that governance signed
└── AlreadyRunningError another dispatcher holds this hub's jobs
"""

from __future__ import annotations

from flip_sdk.errors import PublicError

from flip_hub.errors import HubError


class ReplyError(HubError):
    """What a Trust answered cannot be accepted. It is dropped, with an audit entry that gives this reason."""


class SignOffError(HubError):
    """The job in the database is not one that governance signed."""


class AlreadyRunningError(HubError, PublicError):
    """Another dispatcher holds this hub's jobs."""

    code = "already_running"
