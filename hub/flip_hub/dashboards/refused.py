"""The page that says why a dashboard is not shown."""

from __future__ import annotations

from html import escape
from string import Template

from flip_hub.jupyterhub.roles import FLIP

_TITLES = {403: "This is not open to you now", 404: "There is no such dashboard"}
_TITLES |= dict.fromkeys((429, 503), "Not at this moment")
_PAGE = Template(
    """<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>$title</title>
  <style>
    body { margin: 0; font: 1.2rem/1.5 system-ui, sans-serif; color: #212b32; }
    header { background: #005eb8; padding: 1rem 1.5rem; }
    header a { color: #fff; font-weight: 600; text-decoration: none; }
    main { max-width: 45rem; margin: 2rem auto; padding: 0 1.5rem; }
    a:focus { outline: 3px solid #ffeb3b; background: #ffeb3b; color: #212b32; }
  </style>
</head>
<body>
  <header><a href="$projects">$hub</a></header>
  <main>
    <h1>$title</h1>
    <p id="reason">$reason</p>
    <p><a href="$projects">Your projects</a></p>
  </main>
</body>
</html>
"""
)


def refusal_page(hub: str, status: int, reason: str) -> str:
    """A whole page, with its reason in words."""
    return _PAGE.substitute(
        hub=escape(hub),
        title=_TITLES.get(status, "Something went wrong"),
        reason=escape(reason or "The hub's operator finds the cause in the log of the dashboards."),
        projects=f"/services/{FLIP}/",
    )
