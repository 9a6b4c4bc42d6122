from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from flip_sdk.errors import ConnectionFailedError
from flip_sdk.settings import Settings, config_file, keep, load

WORKSPACE = {"FLIP_HUB_API": "http://127.0.0.1:8000/services/flip/api/", "JUPYTERHUB_API_TOKEN": "workspace-token"}
KEPT = Settings("https://hub.example.org/services/flip/api", "kept-token")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path)}


@pytest.fixture
def signed_in(environ: dict[str, str]) -> dict[str, str]:
    keep(KEPT, config_file(environ))
    return environ


def test_a_workspace_says_everything(environ: dict[str, str]) -> None:
    settings = load(environ={**environ, **WORKSPACE, "FLIP_PROJECT": "breast-cytology"})
    assert settings == Settings("http://127.0.0.1:8000/services/flip/api", "workspace-token", "breast-cytology")
    assert settings.is_loopback


def test_elsewhere_the_kept_login_is_used(signed_in: dict[str, str]) -> None:
    assert load(environ=signed_in) == KEPT


def test_a_workspace_wins_over_a_kept_login(signed_in: dict[str, str]) -> None:
    assert load(environ={**signed_in, **WORKSPACE}).token == "workspace-token"


@pytest.mark.parametrize("environment", [{}, WORKSPACE])
def test_no_hub_is_sent_another_hubs_token(signed_in: dict[str, str], environment: dict[str, str]) -> None:
    with pytest.raises(ConnectionFailedError):
        load("https://elsewhere.example.org/api", environ={**signed_in, **environment})


def test_a_token_of_some_other_jupyterhub_is_not_sent_to_the_kept_hub(signed_in: dict[str, str]) -> None:
    assert load(environ={**signed_in, "JUPYTERHUB_API_TOKEN": "foreign"}).token == "kept-token"


def test_nobody_signed_in(environ: dict[str, str]) -> None:
    with pytest.raises(ConnectionFailedError) as caught:
        load(environ=environ)
    assert caught.value.mend


def test_an_address_without_a_token(environ: dict[str, str]) -> None:
    with pytest.raises(ConnectionFailedError):
        load("https://hub.example.org/api", environ=environ)


def test_the_file_is_its_owners_alone(signed_in: dict[str, str]) -> None:
    file = config_file(signed_in)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert list(file.parent.iterdir()) == [file]


def test_keeping_again_replaces(signed_in: dict[str, str]) -> None:
    keep(Settings(KEPT.api, "newer"), config_file(signed_in))
    assert load(environ=signed_in).token == "newer"


def test_a_file_others_can_read_is_refused(signed_in: dict[str, str]) -> None:
    os.chmod(config_file(signed_in), 0o644)
    with pytest.raises(ConnectionFailedError):
        load(environ=signed_in)


@pytest.mark.parametrize("content", ["", "[]", '{"api": "x"}', "not json"])
def test_a_damaged_file(signed_in: dict[str, str], content: str) -> None:
    config_file(signed_in).write_text(content)
    with pytest.raises(ConnectionFailedError):
        load(environ=signed_in)


def test_the_token_is_not_shown() -> None:
    assert "kept-token" not in repr(KEPT)
