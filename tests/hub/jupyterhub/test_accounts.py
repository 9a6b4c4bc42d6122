from __future__ import annotations

import hashlib
import sqlite3
import stat
from contextlib import closing
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


def test_a_password_costs_an_attacker_what_owasp_recommends(config: HubConfig) -> None:
    set_password(config, "ada", "correct horse battery")
    assert kept(config).startswith(b"$argon2id$v=19$m=19456,t=2,p=1$")


def test_a_password_that_an_earlier_release_kept_is_still_good_and_kept_anew(config: HubConfig) -> None:
    set_password(config, "ada", "correct horse battery")
    salt = b"an earlier salt."
    earlier = hashlib.scrypt(b"an earlier password", salt=salt, n=2**14, r=8, p=5, maxmem=2**26)
    with sqlite3.connect(config.jupyterhub / "accounts.sqlite") as accounts:
        accounts.execute("UPDATE account SET salt = ?, hash = ?", (salt, earlier))
    assert not has_password(config, "ada", "another long password")
    assert kept(config) == earlier
    assert has_password(config, "ada", "an earlier password")
    assert kept(config).startswith(b"$argon2id$")
    assert has_password(config, "ada", "an earlier password")


def kept(config: HubConfig) -> bytes:
    with closing(sqlite3.connect(config.jupyterhub / "accounts.sqlite")) as accounts:
        (content,) = accounts.execute("SELECT hash FROM account").fetchone()
    return content


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
