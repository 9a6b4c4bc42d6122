from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest
from flip_hub.config import HubConfig
from flip_hub.errors import InvalidError
from flip_hub.jupyterhub.accounts import has_password, set_password


@pytest.fixture
def config(tmp_path: Path) -> HubConfig:
    return HubConfig(home=tmp_path)


def test_a_password_is_known_to_its_person_alone(config: HubConfig) -> None:
    set_password(config, "ada", "correct horse battery")
    set_password(config, "ben", "another long password")
    assert has_password(config, "ada", "correct horse battery")
    assert not has_password(config, "ada", "another long password")
    assert not has_password(config, "eve", "correct horse battery")
    assert not has_password(config, "eve", "")


def test_a_new_password_replaces_the_old_one(config: HubConfig) -> None:
    set_password(config, "ada", "correct horse battery")
    set_password(config, "ada", "staple of the correct horse")
    assert not has_password(config, "ada", "correct horse battery")
    assert has_password(config, "ada", "staple of the correct horse")


def test_passwords_are_kept_as_hashes_that_only_the_hub_reads(config: HubConfig) -> None:
    set_password(config, "ada", "correct horse battery")
    kept = config.jupyterhub / "accounts.sqlite"
    assert b"correct horse" not in kept.read_bytes()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("name", "password"), [("Ada", "x" * 12), ("a/da", "x" * 12), ("", "x" * 12), ("ada", "short")]
)
def test_unusable_names_and_passwords_are_refused(config: HubConfig, name: str, password: str) -> None:
    with pytest.raises(InvalidError) as caught:
        set_password(config, name, password)
    assert caught.value.mend


def test_production_has_no_passwords(config: HubConfig) -> None:
    with pytest.raises(InvalidError):
        set_password(replace(config, production=True), "ada", "correct horse battery")
