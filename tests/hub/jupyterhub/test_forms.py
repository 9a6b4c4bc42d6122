from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from flip_hub.config import HubConfig
from flip_hub.errors import ConfigError
from flip_hub.jupyterhub import forms
from flip_hub.jupyterhub.spawner import ProjectWorkspace

from tests.hub.jupyterhub.forms import SETTINGS, of_form


@pytest.mark.parametrize("form", ["local", "docker", "kube"])
def test_one_setting_chooses_what_starts_workspaces(tmp_path: Path, form: str) -> None:
    assert issubclass(forms.spawner(of_form(tmp_path, form)), ProjectWorkspace)


def test_a_form_that_there_is_not_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        forms.spawner(replace(HubConfig(home=tmp_path), spawner="podman"))
    assert all(form in caught.value.mend for form in forms.FORMS)


BARE = {
    "docker": ("workspace_image", "workspace_hub_url", "listen_address", "workspace_network"),
    "kube": ("workspace_image", "workspace_hub_url", "listen_address", "workspace_namespace"),
    "systemd": ("workspace_account", "workspace_slice"),
}


@pytest.mark.parametrize("form", BARE)
def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path, form: str) -> None:
    bare = dict.fromkeys((name for name in SETTINGS[form] if name.startswith("workspace_")), "")
    bare |= {"listen_address": "127.0.0.1", "workspace_slice": "", "workspace_idle_minutes": 0, "workspace_uid": 0}
    with pytest.raises(ConfigError) as caught:
        forms.spawner(of_form(tmp_path, form, **bare))
    assert [setting for setting in (*BARE[form], "workspace_idle_minutes") if setting not in caught.value.message] == []


@pytest.mark.parametrize(
    ("form", "setting", "value"),
    [
        ("docker", "workspace_hub_url", "172.30.0.1:8081"),
        ("docker", "workspace_uid", 0),
        ("docker", "workspace_image", ""),
        ("kube", "workspace_namespace", "Not_A_Name"),
        ("kube", "workspace_storage", "20 gigabytes"),
        ("kube", "workspace_claim", "-hub"),
        ("kube", "workspace_proxy_url", "proxy"),
        ("systemd", "workspace_account", "root"),
        ("systemd", "workspace_account", "nobody-of-this-name"),
        ("local", "workspace_hours", 0.0),
    ],
)
def test_each_setting_is_checked_at_the_start(tmp_path: Path, form: str, setting: str, value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        forms.spawner(of_form(tmp_path, form, **{setting: value}))
    assert setting in caught.value.message


def test_in_production_an_image_has_its_digest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        forms.spawner(of_form(tmp_path, "docker", workspace_image="flip/workspace:latest", production=True))
    assert "digest" in caught.value.message


def test_profiles_that_cannot_be_read_are_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "profiles.yaml").write_text("default: none\nprofiles: [{name: small, title: Small, cpu: 0}]\n")
    with pytest.raises(ConfigError) as caught:
        forms.spawner(of_form(tmp_path, "local", workspace_profiles="profiles.yaml"))
    assert "profiles.yaml" in caught.value.message


def test_without_its_package_a_form_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(forms.FORMS, "docker", ("flip_hub.jupyterhub.not_installed", "Nothing"))
    with pytest.raises(ConfigError) as caught:
        forms.spawner(of_form(tmp_path, "docker"))
    assert "flip-hub[docker]" in caught.value.mend
