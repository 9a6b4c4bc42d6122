from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flip_hub.config import HubConfig
from flip_hub.errors import ConfigError
from flip_hub.jupyterhub import configure, forms
from flip_hub.jupyterhub.organisation import OrganisationAuthenticator
from flip_hub.jupyterhub.proxy import VARIABLE
from flip_hub.jupyterhub.roles import PERSON_SCOPES, workspace_scopes
from flip_sdk.at_rest import is_encrypted
from traitlets.config import Config

from tests.hub.jupyterhub.forms import SETTINGS

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HubConfig:
    packages = tmp_path / "node_modules"
    program = packages / "configurable-http-proxy" / "bin" / "configurable-http-proxy"
    program.parent.mkdir(parents=True)
    program.touch()
    monkeypatch.setenv(VARIABLE, str(packages))
    return HubConfig(home=tmp_path / "hub", hub_url="http://127.0.0.1:8123/base", proxy_api_port=8124)


def test_the_configuration_file_is_short() -> None:
    assert len((REPOSITORY / "hub" / "jupyterhub_config.py").read_text().splitlines()) <= 30


def test_everything_listens_on_the_loopback_and_is_kept_in_the_home(config: HubConfig) -> None:
    c = Config()
    configure(c, config)
    assert c.JupyterHub.bind_url == "http://127.0.0.1:8123/base/"
    assert c.JupyterHub.hub_ip == "127.0.0.1"
    assert c.ConfigurableHTTPProxy.api_url == "http://127.0.0.1:8124"
    assert all(service["url"].startswith("http://127.0.0.1:") for service in c.JupyterHub.services if "url" in service)
    kept = (
        c.JupyterHub.db_url.removeprefix("sqlite:///"),
        c.JupyterHub.cookie_secret_file,
        c.ConfigurableHTTPProxy.pid_file,
    )
    assert {Path(path).parent for path in kept} == {config.jupyterhub}
    assert c.JupyterHub.default_url == "/base/services/flip/"


def test_only_named_servers_are_offered_and_nobody_is_an_administrator(config: HubConfig) -> None:
    c = Config()
    configure(c, config)
    assert c.JupyterHub.allow_named_servers
    assert not c.JupyterHub.redirect_to_server
    assert not c.JupyterHub.admin_access
    assert "admin_users" not in c.PersonAuthenticator
    assert not any("admin" in scope for role in c.JupyterHub.load_roles for scope in role["scopes"])


def test_services_know_the_home_and_nothing_of_the_rest_of_the_environment(
    config: HubConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLIP_HUB_TITLE", "Our hub")
    monkeypatch.setenv("SOME_SECRET", "s")
    c = Config()
    configure(c, config)
    flip = next(service for service in c.JupyterHub.services if service["name"] == "flip")
    assert flip["environment"]["FLIP_HUB_HOME"] == str(config.home)
    assert flip["environment"]["FLIP_HUB_TITLE"] == "Our hub"
    assert "SOME_SECRET" not in flip["environment"]


@pytest.mark.parametrize("given", [(), ("authenticator_class",), ("spawner_class",)])
def test_production_refuses_what_is_for_demonstrations(config: HubConfig, given: tuple[str, ...]) -> None:
    c = Config()
    for name in given:
        c.JupyterHub[name] = "some.site.Class"
    with pytest.raises(ConfigError) as caught:
        configure(c, replace(config, production=True, hub_url="https://hub.example.org"))
    assert "c.JupyterHub." in caught.value.mend


def test_production_is_reached_by_https_alone(config: HubConfig) -> None:
    with pytest.raises(ConfigError) as caught:
        configure(Config(), replace(config, production=True))
    assert "hub_url" in caught.value.mend


def test_production_takes_the_sites_own_sign_in_and_spawner(config: HubConfig) -> None:
    c = Config()
    c.JupyterHub.authenticator_class = "some.site.Authenticator"
    c.JupyterHub.spawner_class = "some.site.Spawner"
    configure(c, replace(config, production=True, hub_url="https://hub.example.org", encrypted_by="the hypervisor"))
    assert c.JupyterHub.spawner_class == "some.site.Spawner"


@pytest.mark.parametrize("elsewhere", ["", "postgresql://db.example.org/flip"])
def test_production_keeps_nothing_on_disks_that_nobody_says_are_encrypted(config: HubConfig, elsewhere: str) -> None:
    c = Config()
    c.JupyterHub.authenticator_class = "some.site.Authenticator"
    c.JupyterHub.spawner_class = "some.site.Spawner"
    real = replace(config, production=True, hub_url="https://hub.example.org", database_url=elsewhere)
    if not elsewhere and is_encrypted(config.home.parent):
        pytest.skip("this machine's temporary folder is on an encrypted disk")
    with pytest.raises(ConfigError) as caught:
        configure(c, real)
    assert "encrypted_by" in caught.value.mend


@pytest.mark.parametrize("form", ["docker", "kube"])
def test_production_starts_workspaces_in_the_form_that_one_setting_names(config: HubConfig, form: str) -> None:
    c = Config()
    c.JupyterHub.authenticator_class = "some.site.Authenticator"
    real = replace(config, production=True, hub_url="https://hub.example.org", encrypted_by="the hypervisor")
    configure(c, replace(real, spawner=form, **SETTINGS[form]))
    assert c.JupyterHub.spawner_class is forms.spawner(replace(real, spawner=form, **SETTINGS[form]))
    assert c.JupyterHub.cleanup_servers == (form == "local")
    assert c.JupyterHub.hub_connect_url == "http://172.30.0.1:8081"
    assert c.JupyterHub.hub_ip == "172.30.0.1"
    assert c.Spawner.disable_user_config


@pytest.fixture
def organisation(config: HubConfig) -> HubConfig:
    """A hub at which people sign in by a provider."""
    (config.home / "secrets").mkdir(parents=True)
    secret = config.home / "secrets" / "oidc"
    secret.write_text("s3cret\n")
    secret.chmod(0o600)
    return replace(
        config,
        hub_url="https://hub.example.org",
        oidc_issuer="https://login.example.org/realm",
        oidc_client_id="flip",
        oidc_client_secret_file="secrets/oidc",
    )


def test_production_signs_people_in_at_their_provider(organisation: HubConfig) -> None:
    c = Config()
    c.JupyterHub.spawner_class = "some.site.Spawner"
    configure(c, replace(organisation, production=True, encrypted_by="the hypervisor"))
    assert c.JupyterHub.authenticator_class is OrganisationAuthenticator
    settings = c.OrganisationAuthenticator
    assert (settings.client_id, settings.client_secret) == ("flip", "s3cret")
    assert settings.oauth_callback_url == "https://hub.example.org/hub/oauth_callback"
    assert settings.enable_pkce
    assert settings.enable_auth_state
    assert len(c.CryptKeeper["keys"][0]) == 32


@pytest.mark.parametrize(
    "changes",
    [
        {"oidc_issuer": "http://login.example.org"},
        {"oidc_issuer": "login.example.org"},
        {"oidc_issuer": "http://127.0.0.1:8080", "production": True},
        {"oidc_client_id": ""},
        {"oidc_client_secret_file": ""},
        {"oidc_client_secret_file": "secrets/nothing"},
        {"oidc_roles": "group = astronaut"},
        {"oidc_required_amr": "", "production": True},
    ],
)
def test_a_provider_that_cannot_be_used_is_refused_at_the_start(
    organisation: HubConfig, changes: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError) as caught:
        configure(Config(), replace(organisation, **changes))
    assert "oidc_" in f"{caught.value.message} {caught.value.mend}"


def test_a_secret_that_everybody_can_read_is_refused(organisation: HubConfig) -> None:
    (organisation.home / "secrets" / "oidc").chmod(0o644)
    with pytest.raises(ConfigError):
        configure(Config(), organisation)


def test_people_cannot_make_tokens_or_share_their_servers() -> None:
    assert not any(scope.startswith(("self", "inherit", "tokens", "shares", "admin")) for scope in PERSON_SCOPES)


def test_a_workspaces_token_names_its_one_project() -> None:
    scopes = workspace_scopes("ada", "breast-cytology")
    assert [scope for scope in scopes if scope.startswith("access:servers")] == [
        "access:servers!server=ada/breast-cytology"
    ]
    assert "access:services!service=dashboards" not in " ".join(scopes)
