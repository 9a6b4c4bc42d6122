"""The Content-Security-Policy of dashboards' pages."""

from __future__ import annotations

from collections.abc import Sequence


def static_policy(frames: Sequence[str] = ()) -> str:
    """Of a page that was drawn: nothing in it runs, or is fetched; pages of these origins may embed it."""
    ancestors = " ".join(frames) or "'none'"
    return (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; "
        f"form-action 'none'; frame-ancestors {ancestors}; sandbox"
    )


def content_security_policy(protocol: str, host: str) -> str:
    """What a dashboard's page may load and reach.

    Its notebook was written by a researcher, and is viewed by colleagues under their own session at the same host.
    """
    own = f"{host}/services/dashboards/"
    sockets = "wss" if protocol == "https" else "ws"
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            f"connect-src {protocol}://{own} {sockets}://{own}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "sandbox allow-scripts allow-same-origin",
        )
    )
