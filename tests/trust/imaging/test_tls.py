"""TLS on both ports: who has no certificate of the authority gets nowhere, and a silent peer holds nobody up."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flip_trust.errors import ImagingError
from flip_trust.imaging.receiver import Tls
from flip_trust.imaging.stow import Stow


def certificate(folder, name, issuer=None):
    """A certificate for localhost, of an issuer (its certificate and key) or of itself; both as files too."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    by = issuer[0].subject if issuer else subject
    builder = x509.CertificateBuilder(by, subject, key.public_key(), x509.random_serial_number())
    builder = builder.add_extension(names, critical=False)
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    made = builder.sign(issuer[1] if issuer else key, hashes.SHA256())
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    formats = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / f"{name}.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *formats))
    return made, key


@pytest.fixture
def tls(tmp_path):
    authority = certificate(tmp_path, "authority")
    certificate(tmp_path, "ours", authority)
    certificate(tmp_path, "modality", authority)
    return Tls(tmp_path / "ours.pem", tmp_path / "ours.key", tmp_path / "authority.pem")


def client(tmp_path, *, known=True):
    context = ssl.create_default_context(cafile=tmp_path / "authority.pem")
    if known:
        context.load_cert_chain(tmp_path / "modality.pem", tmp_path / "modality.key")
    return context


def test_a_sender_with_a_certificate_of_the_authority_sends(tmp_path, spool, receive, associate, study, tls):
    receiver = receive(spool, tls=tls)
    association = associate(receiver, tls_args=(client(tmp_path), "localhost"))

    assert association.send_c_store(study.instance()).Status == 0


def test_without_one_nothing_is_kept(tmp_path, spool, receive, associate, tls):
    receiver = receive(spool, tls=tls)

    assert not associate(receiver, tls_args=(client(tmp_path, known=False), "localhost")).is_established
    assert not associate(receiver).is_established


def test_a_silent_peer_holds_nobody_up(tmp_path, spool, receive, associate, tls):
    receiver = receive(spool, tls=tls)
    with socket.create_connection(("127.0.0.1", receiver.port)):
        assert associate(receiver, tls_args=(client(tmp_path), "localhost")).send_c_echo().Status == 0


def test_stow_over_tls(tmp_path, spool, tls):
    with (
        Stow(spool, "t", "127.0.0.1", tls=tls) as stow,
        socket.create_connection(("127.0.0.1", stow.port)),
        httpx.Client(verify=client(tmp_path)) as sender,
    ):
        assert sender.post(f"https://localhost:{stow.port}/studies").status_code == 401


def test_files_that_do_not_fit_are_said(tmp_path, spool, receive, tls):
    with pytest.raises(ImagingError):
        receive(spool, tls=Tls(tls.certificate, tmp_path / "modality.key"))
