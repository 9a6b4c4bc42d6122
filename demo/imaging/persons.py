"""The demo's people: everything that a hospital writes into an image's header about somebody, all of it made up.

Phone numbers are of the ranges that Ofcom keeps for drama, NHS numbers begin with 999 and so are nobody's.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import numpy as np

from demo.imaging.hospitals import HOSPITALS, Hospital

SEED = 2031
_FIRST_DAY = datetime.date(2025, 1, 6)
_FAMILY = (
    "Abernathy", "Balogun", "Cartwright", "Dziedzic", "Eriksen", "Featherstone", "Gunawardena", "Hathersage", "Ibekwe",
    "Jankowski", "Kettleborough", "Lindqvist", "Macgillivray", "Nakashima", "Okonkwo", "Pemberton", "Quennell",
    "Ravensworth", "Satyanarayana", "Thistlewood", "Umarov", "Vasquez", "Wolstenholme", "Xenakis",
    "Yardley", "Zielinski",
)  # fmt: skip
_WOMEN = ("Agnieszka", "Beatrice", "Chiamaka", "Dorothea", "Eleanor", "Fatoumata", "Guinevere", "Hyacinth", "Ingeborg")
_MEN = ("Alasdair", "Bartholomew", "Chukwuemeka", "Demetrios", "Emmanuel", "Ferdinand", "Gwilym", "Hamish", "Ignatius")
_STREETS = ("Larkspur Avenue", "Tannery Lane", "Cobblers Walk", "Foundry Terrace", "Saffron Hill", "Weavers Court")
_DOCTORS = ("Harcastle", "Mbekwe", "Oyelaran", "Prendergast", "Szymanska", "Tredwell", "Vijayakumar", "Whittingstall")


@dataclass(frozen=True)
class Visit:
    """One examination: its day, its time, and the hospital's number for it."""

    day: datetime.date
    time: str
    accession: str
    radiologist: str
    operator: str


@dataclass(frozen=True)
class Person:
    """Somebody who was in a hospital's scanner.

    Attributes:
        number: the hospital's own, which its records and its images know the person by.
        nhs_number: the country's.
        ill: whether there is a mass.
        visits: one or two.
        seed: that the person's chest is made from.
    """

    person_id: int
    number: str
    nhs_number: str
    family: str
    given: str
    female: bool
    born: datetime.date
    address: str
    phone: str
    relative_phone: str
    doctor: str
    ill: bool
    visits: tuple[Visit, ...]
    seed: tuple[int, int]

    def age_on(self, day: datetime.date) -> int:
        """In whole years."""
        return day.year - self.born.year - ((day.month, day.day) < (self.born.month, self.born.day))

    def identifiers(self) -> set[str]:
        """What must not be left in an image of this person; each as it is written in a header."""
        doctors = {self.doctor, *(visit.radiologist for visit in self.visits), *(v.operator for v in self.visits)}
        found = {self.number, self.nhs_number, self.family, self.given, f"{self.born:%Y%m%d}", self.address}
        found |= {self.phone, self.relative_phone, *doctors}
        return found | {visit.accession for visit in self.visits} | {f"{visit.day:%Y%m%d}" for visit in self.visits}


def persons_of(place: Hospital) -> tuple[Person, ...]:
    """The people of one hospital, always the same ones."""
    which = [one.name for one in HOSPITALS].index(place.name)
    random = np.random.default_rng([SEED, which])
    ill = random.permutation(place.persons) < place.ill
    return tuple(_person(place, which, number, bool(ill[number]), random) for number in range(place.persons))


def _person(place: Hospital, which: int, number: int, ill: bool, random: np.random.Generator) -> Person:
    female = bool(random.random() < 0.5)
    family = str(random.choice(_FAMILY))
    if random.random() < 0.3:
        family += f"-{random.choice([other for other in _FAMILY if other != family])}"
    born = datetime.date(int(np.clip(random.normal(1960, 11), 1936, 1998)), *_day_of_year(random))
    first = _FIRST_DAY + datetime.timedelta(days=int(random.integers(0, 400)))
    days = [first, first + datetime.timedelta(days=int(random.integers(60, 150)))][: 1 + (random.random() < 0.35)]
    town = place.address.rpartition(", ")[2]
    return Person(
        person_id=(which + 1) * 1_000_000 + int(random.integers(0, 900)) * 1000 + number,
        number=f"{place.name[:3].upper()}-{int(random.integers(10, 99))}{number:04}",
        nhs_number=_nhs_number(which * 1000 + number),
        family=family,
        given=str(random.choice(_WOMEN if female else _MEN)),
        female=female,
        born=born,
        address=f"{int(random.integers(2, 200))} {random.choice(_STREETS)}, {town}",
        phone=f"07700 900{int(random.integers(0, 1000)):03}",
        relative_phone=f"01632 960{int(random.integers(400, 1000)):03}",
        doctor=str(random.choice(_DOCTORS)),
        ill=ill,
        visits=tuple(_visit(place, day, number, random) for day in days),
        seed=(which, number),
    )


def _visit(place: Hospital, day: datetime.date, number: int, random: np.random.Generator) -> Visit:
    radiologist, operator = random.choice(_DOCTORS, 2, replace=False)
    time = f"{int(random.integers(8, 18)):02}{int(random.integers(0, 60)):02}{int(random.integers(0, 60)):02}"
    return Visit(day, time, f"{place.name[0].upper()}{day:%y%j}{number:04}", str(radiologist), str(operator))


def _day_of_year(random: np.random.Generator) -> tuple[int, int]:
    return int(random.integers(1, 13)), int(random.integers(1, 29))


def _nhs_number(number: int) -> str:
    """The first number from 999 onwards whose check digit there is (NHS Data Dictionary, modulus 11)."""
    for candidate in range(999_000_000 + 10 * number, 999_000_000 + 10 * number + 10):
        digits = f"{candidate}"
        check = 11 - sum(int(digit) * (10 - place) for place, digit in enumerate(digits)) % 11
        if check != 10:
            return f"{digits}{check % 11}"
    raise AssertionError("of ten numbers in a row, one has a check digit")
