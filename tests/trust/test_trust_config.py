from __future__ import annotations

from dataclasses import fields

import pytest
from flip_sdk.contract.notices import TrustEnrolment, fingerprint, same_fingerprint
from flip_trust.config import TrustConfig
from flip_trust.database import Database
from flip_trust.errors import SetupError
from flip_trust.keys import enrolment, load_hub, load_identity, pinned_keys
from flip_trust.setup import make_home, settings_text

MINIMAL = 'name = "aldgate"\ntitle = "Aldgate"\n'


def load(tmp_path, text=MINIMAL, **environ):
    (tmp_path / "trust.toml").write_text(text)
    return TrustConfig.load(tmp_path, environ)


def test_defaults(tmp_path):
    config = load(tmp_path)

    assert (config.floor, config.rounding, config.sandbox, config.production) == (10, 5, "bubblewrap", False)


def test_the_file_and_then_the_environment(tmp_path):
    text = MINIMAL + "floor = 20\nstatus_interval = 2\nproduction = false\n"
    config = load(tmp_path, text, FLIP_TRUST_FLOOR="30", FLIP_TRUST_PRODUCTION="true", FLIP_TRUST_TITLE="Other")

    assert (config.floor, config.status_interval, config.production, config.title) == (30, 2.0, True, "Other")


def test_the_home_may_come_from_the_environment(tmp_path):
    (tmp_path / "trust.toml").write_text(MINIMAL)

    assert TrustConfig.load(None, {"FLIP_TRUST_HOME": str(tmp_path)}).home == tmp_path
    with pytest.raises(SetupError):
        TrustConfig.load(None, {})


@pytest.mark.parametrize(
    "text",
    [
        "name = 'aldgate'",
        MINIMAL + "unheard_of = 1",
        MINIMAL + "floor = 0",
        MINIMAL + "floor = 'ten'",
        MINIMAL + "floor = true",
        MINIMAL + "total_delta = 0.5",
        MINIMAL + "sandbox = 'docker'",
        MINIMAL + "sandbox = 'none'\nproduction = true",
        MINIMAL + "human_sign_off = 'sometimes'",
        MINIMAL + "status_interval = 0",
        MINIMAL + "max_epsilon_per_job = -1",
        "name = 'Not A Name'\ntitle = 'x'",
        "this is not toml",
    ],
)
def test_settings_that_do_not_fit(tmp_path, text):
    with pytest.raises(SetupError):
        load(tmp_path, text)


@pytest.mark.parametrize(("name", "value"), [("FLOOR", "ten"), ("PRODUCTION", "maybe"), ("TOTAL_EPSILON", "much")])
def test_an_environment_that_does_not_fit(tmp_path, name, value):
    with pytest.raises(SetupError):
        load(tmp_path, **{f"FLIP_TRUST_{name}": value})


def test_every_setting_is_in_the_file_that_init_writes(trust):
    text = settings_text(trust.config)

    assert all(field.name in text for field in fields(TrustConfig) if field.name != "home")
    assert TrustConfig.load(trust.config.home, {}) == trust.config


def test_a_home_is_private_and_complete(trust):
    home, hub = trust.config.home, load_hub(trust.config.hub_file)
    record = TrustEnrolment.parse(trust.config.enrolment_file.read_bytes())

    assert home.stat().st_mode & 0o777 == 0o700
    for path in (*trust.config.keys.iterdir(), trust.config.database, home / "trust.toml"):
        assert path.stat().st_mode & 0o777 == 0o600, path
    assert record == enrolment(trust.config)
    assert record.identity_key == load_identity(trust.config).public.x
    assert record.node_key.startswith("ecdsa-sha2-nistp384 ")
    assert pinned_keys(hub) == trust.hub.pinned


def test_the_hub_is_pinned_only_after_its_fingerprint_was_compared(tmp_path, hub):
    config = TrustConfig(tmp_path / "new", "aldgate", "Aldgate")
    with pytest.raises(SetupError):
        make_home(config, hub.enrolment, fingerprint(hub.enrolment)[:-1] + "x")

    assert not config.home.exists()


def test_a_home_is_made_once(trust):
    before = (trust.config.keys / "identity.pem").read_bytes()
    with pytest.raises(SetupError):
        make_home(trust.config, trust.hub.enrolment, fingerprint(trust.hub.enrolment))

    assert (trust.config.keys / "identity.pem").read_bytes() == before
    assert Database.open(trust.config.database)


def test_fingerprints_are_compared_as_people_type_them(hub):
    said = fingerprint(hub.enrolment)

    assert len(said.split()) == 16
    assert same_fingerprint(hub.enrolment, said.upper().replace(" ", "-"))
    assert same_fingerprint(hub.enrolment, said.replace(" ", ""))
    assert not same_fingerprint(hub.enrolment, said[:-1])
    assert not same_fingerprint(hub.enrolment, "")


def test_missing_keys_are_named(trust):
    (trust.config.keys / "identity.pem").unlink()
    with pytest.raises(SetupError):
        load_identity(trust.config)
    trust.config.hub_file.write_text("{}")
    with pytest.raises(SetupError):
        load_hub(trust.config.hub_file)
