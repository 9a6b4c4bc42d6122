"""Errors of flip-trust: everything derives from :class:`TrustError`."""

from __future__ import annotations


class TrustError(Exception):
    """Base of every error of this distribution."""
