"""The governance service: JSON API and pages, behind JupyterHub's sign-in."""

from flip_hub.api.authentication import Authenticator, SignedIn
from flip_hub.api.service import create_app

__all__ = ["Authenticator", "SignedIn", "create_app"]
