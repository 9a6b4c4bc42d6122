"""The PACS that this Trust may fetch from: ``pacs.toml`` in its home, a table for each."""

from __future__ import annotations

import ssl
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from flip_trust.errors import ImagingError

FILE_NAME = "pacs.toml"
Title = Annotated[
    str, StringConstraints(pattern=r"^[\x21-\x5b\x5d-\x7e]([\x20-\x5b\x5d-\x7e]{0,14}[\x21-\x5b\x5d-\x7e])?$")
]
Port = Annotated[int, Field(ge=1, le=65_535)]


class _Pacs(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    associations: Annotated[int, Field(ge=1, le=16)] = 1
    rate: Annotated[float, Field(ge=0)] = 0.0
    patience: Annotated[float, Field(gt=0)] = 300.0
    authority: str = ""


class DimsePacs(_Pacs):
    """A PACS that is asked by C-FIND and delivers by C-MOVE or C-GET.

    Attributes:
        ae_title: the PACS's.
        our_ae_title: what we call ourselves; the PACS knows it as a destination, with our address and ``receive_port``.
        retrieve: ``move``: it connects to our port; ``get``: images come over our own association.
        tls: speak TLS; likewise where there is an authority or a certificate.
        certificate: PEM below the home: what we show, with its ``key``.
        authority: PEM below the home: whose certificates we believe.
        associations: studies at a time.
        rate: instances a second at most, on the average; 0: as fast as it goes.
        patience: seconds of silence after which the PACS is given up.
    """

    protocol: Literal["dimse"]
    host: str
    port: Port
    ae_title: Title
    our_ae_title: Title = "FLIP"
    retrieve: Literal["move", "get"] = "move"
    receive_host: str = "127.0.0.1"
    receive_port: Port = 11112
    tls: bool = False
    certificate: str = ""
    key: str = ""


class WebPacs(_Pacs):
    """A PACS that speaks DICOMweb.

    Attributes:
        url: what ``/studies`` stands behind.
        secret_file: below the home, for its owner alone: ``Bearer …``, or name and password as ``name:password``.
    """

    protocol: Literal["dicomweb"]
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s?#]+$")]
    secret_file: str = ""


Pacs = Annotated[DimsePacs | WebPacs, Field(discriminator="protocol")]
_FILE = TypeAdapter(dict[str, Pacs])


def load(home: Path, name: str) -> DimsePacs | WebPacs:
    """A PACS by its name.

    Raises:
        ImagingError: there is none, or the file says what it cannot say; every violation at once.
    """
    path = home / FILE_NAME
    try:
        known = _FILE.validate_python(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ImagingError(f"There is no {path}.", "Describe the PACS in it (docs/imaging.md).") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ImagingError(f"{path} cannot be read.", "Correct the file.") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise ImagingError(f"{path}: {wrong}.", "Correct the file.") from error
    if name not in known:
        raise ImagingError(f"{path} knows no PACS '{name}'.", f"Use one of: {', '.join(sorted(known)) or 'none yet'}.")
    return known[name]


def secret(home: Path, pacs: WebPacs) -> str:
    """What DICOMweb's requests carry; empty where nothing is needed.

    Raises:
        ImagingError: the file cannot be read, or others can read it.
    """
    if not pacs.secret_file:
        return ""
    path = home / pacs.secret_file
    try:
        if path.stat().st_mode & 0o077:
            raise ImagingError(f"Others can read {path}.", f"Run: chmod 600 {path}")
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImagingError(f"{path} cannot be read.", "Put 'Bearer …' or 'name:password' into it.") from error


def context(home: Path, authority: str, certificate: str = "", key: str = "") -> ssl.SSLContext:
    """TLS 1.2 or newer, to a PACS whose certificate is checked.

    Raises:
        ImagingError: a file cannot be read or does not fit.
    """
    try:
        made = ssl.create_default_context(cafile=home / authority if authority else None)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate:
            made.load_cert_chain(home / certificate, home / key if key else None)
    except (OSError, ssl.SSLError) as error:
        raise ImagingError(
            "The PACS's authority, our certificate or its key cannot be used.", "Give PEM files that belong together."
        ) from error
    return made
