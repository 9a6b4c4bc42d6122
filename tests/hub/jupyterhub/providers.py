"""A real OpenID Connect provider (npm ``oidc-provider``) as a program, and a browser that signs in at it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from flip_hub.jupyterhub.proxy import node

from demo.hub_only import HubOnly
from tests.hub.jupyterhub.homes import populated_home

HERE = Path(__file__).parent
MODULES = HERE.parents[2] / "hub" / "node_modules"
SECRET = "a-secret-of-the-tests"


@dataclass
class Provider:
    """A running provider.

    Attributes:
        issuer: its address.
        people: subject → claims; ``active`` false takes somebody away.
        program: it.
    """

    issuer: str
    people: dict[str, dict[str, Any]]
    program: subprocess.Popen[str]

    def change(self, subject: str, **claims: Any) -> None:
        """Change what it says of somebody."""
        self.people[subject] |= claims
        self._control(people=self.people)

    def lie(self, about: str) -> None:
        """Make its ID tokens wrong in one thing; empty: in none."""
        self._control(lie=about)

    def renew(self, *, by_token: bool) -> None:
        """Whether it gives refresh tokens."""
        self._control(renews=by_token)

    def _control(self, **state: Any) -> None:
        httpx.post(f"{self.issuer}/control", json=state).raise_for_status()


@contextmanager
def running(redirect: str, people: dict[str, dict[str, Any]]) -> Iterator[Provider]:
    """A provider that knows these people, and one program: the hub, by its redirect address."""
    if not (MODULES / "oidc-provider").is_dir():
        pytest.fail("npm's oidc-provider is not installed: make install")
    command = [str(node()), str(HERE / "provider.mjs"), str(MODULES), redirect]
    program = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert program.stdin is not None
    assert program.stdout is not None
    try:
        program.stdin.write(json.dumps(people))
        program.stdin.close()
        yield Provider(program.stdout.readline().strip(), people, program)
    finally:
        program.kill()
        program.wait()
        program.stdout.close()


SETTINGS = """
oidc_issuer = "{issuer}"
oidc_client_id = "flip"
oidc_client_secret_file = "secrets/oidc"
oidc_title = "Northbridge University"
oidc_roles = "flip-researchers = researcher; flip-checkers = output checker"
oidc_organisation_claim = "organisation"
oidc_registers = true
oidc_refresh_seconds = 0
"""


SITE = """
from flip_hub.jupyterhub import configure
configure(c)
c.Spawner.poll_interval = 1
c.JupyterHub.services = [service for service in c.JupyterHub.services if service["name"] != "dashboards"]
"""


@contextmanager
def organisation(home: Path, people: dict[str, dict[str, Any]]) -> Iterator[tuple[HubOnly, Provider]]:
    """A running hub over a new home, and the provider at which its people sign in."""
    populated_home(home)
    configuration = home.parent / "jupyterhub_config.py"
    configuration.write_text(SITE)
    hub = HubOnly(home, configuration, dashboards=False)
    with running(f"{hub.url}/hub/oauth_callback", people) as provider:
        (home / "hub.toml").write_text(SETTINGS.format(issuer=provider.issuer))
        (home / "secrets" / "oidc").write_text(SECRET)
        (home / "secrets" / "oidc").chmod(0o600)
        with hub:
            yield hub, provider


def person(name: str, *groups: str, **claims: object) -> dict[str, Any]:
    """Claims of somebody."""
    return {
        "preferred_username": name,
        "name": name.title(),
        "email": f"{name}@northbridge.example",
        "email_verified": True,
        "organisation": "Northbridge",
        "groups": list(groups),
        **claims,
    }


def begin(hub_url: str, browser: httpx.Client) -> httpx.Response:
    """Go from the hub to the provider's form."""
    form = browser.get(f"{hub_url}/hub/oauth_login", params={"next": "/services/flip/"})
    assert "/interaction/" in str(form.url), form.text
    return form


def sign_in(hub_url: str, browser: httpx.Client, subject: str, *, second: bool = True) -> httpx.Response:
    """Sign in at the provider, and come back: the page that the person sees in the end."""
    form = begin(hub_url, browser)
    return browser.post(str(form.url), data={"name": subject, "second": "123456" if second else ""})
