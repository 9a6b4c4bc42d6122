"""TLS of what listens at a Trust: files in PEM, and what a sender has to show."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from flip_trust.errors import SetupError


@dataclass(frozen=True)
class Tls:
    """Files in PEM: our certificate and its key, and the authority whose certificates senders must show, if any."""

    certificate: Path
    key: Path
    authority: Path | None = None

    @classmethod
    def of(cls, certificate: Path | None, key: Path | None, authority: Path | None) -> Self | None:
        """What a command's options say; None without any.

        Raises:
            SetupError: one is given without the other that it needs.
        """
        if (certificate is None) != (key is None) or (authority and not certificate):
            raise SetupError("TLS needs a certificate and its key.", "Give --tls-certificate and --tls-key.")
        return cls(certificate, key, authority) if certificate and key else None

    def context(self) -> ssl.SSLContext:
        """TLS 1.2 or newer (BCP 195; for DICOM PS3.15 B.12).

        Raises:
            SetupError: a file cannot be read or does not fit.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.key)
            if self.authority:
                context.load_verify_locations(self.authority)
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ssl.SSLError) as error:
            raise SetupError(
                "The TLS certificate, its key or the authority cannot be used.", "Give PEM files that belong together."
            ) from error
        return context
