"""Certificates made for a test: ours and a modality's, both of one authority."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flip_trust.tls import Tls


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


def issued(folder) -> Tls:
    authority = certificate(folder, "authority")
    certificate(folder, "ours", authority)
    certificate(folder, "modality", authority)
    return Tls(folder / "ours.pem", folder / "ours.key", folder / "authority.pem")


def client(folder, *, known=True):
    context = ssl.create_default_context(cafile=folder / "authority.pem")
    if known:
        context.load_cert_chain(folder / "modality.pem", folder / "modality.key")
    return context
