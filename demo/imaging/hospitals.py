"""Three hospitals whose scanners differ, as hospitals' do: maker, dose, kernel, spacing, and how people lie in them."""

from __future__ import annotations

from dataclasses import dataclass

from flip_sdk.simulate.phantoms import Scanner

SIZE = 128
SLICES = 8


@dataclass(frozen=True)
class Device:
    """What a scanner writes about itself.

    Attributes:
        intercept: of the stored values; they are signed where it is 0.
        private: its private block: the group, the creator, and elements with VR and value. ``{…}`` is filled in with
            what the header knows of the person, as scanners do.
    """

    manufacturer: str
    model: str
    software: str
    serial: str
    kernel: str
    title: str
    station: str
    intercept: int
    private: tuple[tuple[int, str, tuple[tuple[int, str, str], ...]], ...]


@dataclass(frozen=True)
class Hospital:
    """A Trust of the demo, its people and its scanner."""

    name: str
    title: str
    address: str
    phone: str
    persons: int
    ill: int
    scanner: Scanner
    device: Device


_SIEMENS = Device(
    manufacturer="SIEMENS",
    model="SOMATOM Definition AS",
    software="syngo CT 2012B",
    serial="SN-64817-AS",
    kernel="B40f",
    title="ALDCT01",
    station="CTAWP64817",
    intercept=-1024,
    private=(
        (0x0019, "SIEMENS CT VA0  COAD", ((0x10, "IS", "535"), (0xF0, "LO", "Scout for {family}"))),
        (0x0029, "SIEMENS MEDCOM HEADER", ((0x08, "CS", "SOM 5"), (0x60, "LO", "{family}, {given} {number}"))),
    ),
)
_GE = Device(
    manufacturer="GE MEDICAL SYSTEMS",
    model="LightSpeed VCT",
    software="gmp_vct.42",
    serial="GE-000000331-BRK",
    kernel="STANDARD",
    title="BRKCT02",
    station="brkct02-oc0",
    intercept=0,
    private=(
        (0x0009, "GEMS_IDEN_01", ((0x02, "SH", "CT02"), (0x27, "SL", "1735689600"), (0xF0, "LO", "{number}"))),
        (0x0011, "GEMS_PATI_01", ((0x10, "SS", "1"), (0x11, "LT", "Relative of {family}: {relative_phone}"))),
    ),
)
_PHILIPS = Device(
    manufacturer="Philips",
    model="Brilliance 64",
    software="3.5.5",
    serial="PH-10452-CAR",
    kernel="L",
    title="CARCT01",
    station="HOST-10452",
    intercept=-1000,
    private=(
        (0x00E1, "ELSCINT1", ((0x40, "SH", "{number}"), (0xF0, "LT", "{address}; {phone}"))),
        (0x01F1, "ELSCINT1", ((0xF0, "LO", "Ref {accession}"),)),
    ),
)

HOSPITALS = (
    Hospital(
        name="aldgate",
        title="Aldgate University Hospital",
        address="1 Aldgate Crescent, Northbridge NB1 4QT",
        phone="01632 960 100",
        persons=90,
        ill=45,
        scanner=Scanner(SLICES, SIZE, SIZE, noise=14, smoothness=0.9, spacing=3.125),
        device=_SIEMENS,
    ),
    Hospital(
        name="brookfield",
        title="Brookfield General",
        address="27 Mill Brook Road, Brookfield BF7 2LA",
        phone="01632 960 200",
        persons=75,
        ill=32,
        scanner=Scanner(SLICES, SIZE, SIZE, spacing=3.3, noise=24, smoothness=0.5, shift=(8, -5)),
        device=_GE,
    ),
    Hospital(
        name="carrick",
        title="Carrick Screening Service",
        address="Harbour Row 3, Carrick CK2 8YY",
        phone="01632 960 300",
        persons=80,
        ill=26,
        scanner=Scanner(SLICES, SIZE, SIZE, spacing=3.0, thickness=6.0, noise=34, smoothness=0.8, shift=(-10, 4)),
        device=_PHILIPS,
    ),
)
"""The screening service uses the smallest dose, and has the smallest share who are ill."""


def hospital(name: str) -> Hospital:
    """A hospital of the demo.

    Raises:
        KeyError: there is none of this name.
    """
    return {one.name: one for one in HOSPITALS}[name]
