"""The hub's settings, keys and certificates."""

from __future__ import annotations

import dataclasses
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from flip_hub.certificates import make_certificates
from flip_hub.config import HubConfig
from flip_hub.errors import ConfigError
from flip_hub.keys import make_keys, secret, signing_key, write_private


def _home(tmp_path: Path, text: str = "") -> Path:
    (tmp_path / "hub.toml").write_text(text)
    return tmp_path


def test_the_file_then_the_environment(tmp_path: Path) -> None:
    home = _home(tmp_path, 'title = "A hub"\ngateway_port = 1\nsign_off_hours = 2\nproduction = true\n')
    config = HubConfig.load(home, {"FLIP_HUB_GATEWAY_PORT": "2", "FLIP_HUB_PRODUCTION": "false", "FLIP_HUB_OTHER": "x"})
    assert (config.title, config.gateway_port, config.sign_off_hours, config.production) == ("A hub", 2, 2.0, False)
    assert config.database == f"sqlite:///{tmp_path / 'flip.db'}"
    assert HubConfig.load(environ={"FLIP_HUB_HOME": str(tmp_path)}).home == tmp_path


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ("unknown = 1", {}),
        ("gateway_port = '9443'", {}),
        ("gateway_port = true", {}),
        ("this is not TOML", {}),
        ("", {"FLIP_HUB_GATEWAY_PORT": "many"}),
        ("", {"FLIP_HUB_PRODUCTION": "perhaps"}),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, text: str, environment: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        HubConfig.load(_home(tmp_path, text), environment)


def test_no_home(tmp_path: Path) -> None:
    for home in (None, tmp_path / "nothing"):
        with pytest.raises(ConfigError):
            HubConfig.load(home, {})


def test_keys_are_made_once(tmp_path: Path) -> None:
    config = HubConfig(home=tmp_path)
    with pytest.raises(ConfigError):
        signing_key(config, "governance")
    make_keys(config)
    before = signing_key(config, "governance").public
    make_keys(config)
    assert signing_key(config, "governance").public == before != signing_key(config, "dispatcher").public
    with pytest.raises(FileExistsError):
        write_private(config.keys / "governance.pem", b"other")


def test_processes_that_come_first_agree_on_a_secret(tmp_path: Path) -> None:
    config = HubConfig(home=tmp_path)
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: secret(config, "shared"), range(8)))
    assert len(found) == 1
    assert [path.name for path in config.secrets.iterdir()] == ["shared"]


@pytest.mark.parametrize(("host", "kind"), [("127.0.0.1", x509.IPAddress), ("hub.example.org", x509.DNSName)])
def test_the_servers_certificate_names_its_host(tmp_path: Path, host: str, kind: type) -> None:
    config = HubConfig(home=tmp_path, gateway_address=f"{host}:9443")
    make_certificates(config)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(config.tls / "server.pem", config.tls / "server.key")
    certificate = x509.load_pem_x509_certificate((config.tls / "server.pem").read_bytes())
    authority = x509.load_pem_x509_certificate((config.tls / "ca.pem").read_bytes())
    certificate.verify_directly_issued_by(authority)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert host in map(str, names.get_values_for_type(kind))


def test_certificates_are_renewed_under_the_same_authority(tmp_path: Path) -> None:
    config = HubConfig(home=tmp_path)
    make_certificates(config)
    authority, server = ((config.tls / name).read_bytes() for name in ("ca.pem", "server.pem"))
    make_certificates(config)
    assert (config.tls / "server.pem").read_bytes() == server
    make_certificates(dataclasses.replace(config, gateway_address="hub.example.org:443"))
    assert (config.tls / "server.pem").read_bytes() != server
    assert (config.tls / "ca.pem").read_bytes() == authority
