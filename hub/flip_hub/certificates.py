"""The gateway's TLS: a certificate authority of the hub's own, which Trusts pin, and the server certificate."""

from __future__ import annotations

import ipaddress
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from flip_hub.config import HubConfig
from flip_hub.errors import ConfigError

_CA_DAYS = 3650
_SERVER_DAYS = 397
_RENEW_DAYS = 30


def make_certificates(config: HubConfig) -> None:
    """Make what is missing, and renew a server certificate that ends soon or names another host."""
    config.tls.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (config.tls / "ca.pem").exists():
        key = ec.generate_private_key(ec.SECP256R1())
        _write(config.tls / "ca.key", _pem(key))
        _write(config.tls / "ca.pem", _authority(config, key).public_bytes(serialization.Encoding.PEM))
    if _needs_server_certificate(config):
        _make_server_certificate(config)


def certificate_authority(config: HubConfig) -> str:
    """PEM of the authority that Trusts pin.

    Raises:
        ConfigError: there is none yet.
    """
    try:
        return (config.tls / "ca.pem").read_text(encoding="ascii")
    except OSError as error:
        raise ConfigError("The hub has no certificate authority.", "Run: flip-hub init --home …") from error


def _needs_server_certificate(config: HubConfig) -> bool:
    path = config.tls / "server.pem"
    if not path.exists():
        return True
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    ends_soon = certificate.not_valid_after_utc < datetime.now(UTC) + timedelta(days=_RENEW_DAYS)
    return ends_soon or list(names) != _names(config)


def _make_server_certificate(config: HubConfig) -> None:
    authority_key = serialization.load_pem_private_key((config.tls / "ca.key").read_bytes(), None)
    authority = x509.load_pem_x509_certificate((config.tls / "ca.pem").read_bytes())
    if not isinstance(authority_key, ec.EllipticCurvePrivateKey):
        raise ConfigError("tls/ca.key is not an elliptic curve key.", "Restore it from a backup.")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(config.title, authority.subject, key, _SERVER_DAYS)
        .add_extension(x509.SubjectAlternativeName(_names(config)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_issuer(authority_key), critical=False)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    _write(config.tls / "server.key", _pem(key))
    _write(config.tls / "server.pem", certificate.public_bytes(serialization.Encoding.PEM))


def _authority(config: HubConfig, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _subject(f"{config.title} authority")
    return (
        _builder(f"{config.title} authority", name, key, _CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _builder(title: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
    moment = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_subject(title))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - timedelta(minutes=5))
        .not_valid_after(moment + timedelta(days=days))
    )


def _names(config: HubConfig) -> list[x509.GeneralName]:
    hosts = dict.fromkeys((config.gateway.rpartition(":")[0].strip("[]"), config.gateway_host))
    return [_general_name(host) for host in hosts]


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _subject(title: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title[:64])])


def _issuer(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=None,  # type: ignore[arg-type]
        decipher_only=None,  # type: ignore[arg-type]
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
