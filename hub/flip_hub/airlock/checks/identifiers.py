"""What points at one person, by the form that it is written in. What was found is never repeated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_WEIGHTS = range(10, 1, -1)
_NHS = re.compile(r"(?<![\d.,-])\d{3}([ -]?)\d{3}\1\d{4}(?![\d-]|[.,]\d)")
_DAY, _MONTH = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
DATE = re.compile(
    rf"\b(?:\d{{4}}[-/.]{_MONTH}[-/.]{_DAY}|{_DAY}[-/.]{_MONTH}[-/.](?:19|20)\d{{2}}"
    rf"|{_DAY}[ -](?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{{0,6}}[ -](?:19|20)\d{{2}})(?:\b|T)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Identifier:
    """One kind of it.

    Attributes:
        name: as ``identifier.{name}`` in a rule's numbers.
        words: what it is, for a person.
        pattern: how it is written.
    """

    name: str
    words: str
    pattern: re.Pattern[str]


KINDS = (
    Identifier("nhs_number", "an NHS or CHI number with a right check digit", _NHS),
    Identifier(
        "email", "an e-mail address", re.compile(r"[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,5}")
    ),
    Identifier("postcode", "a full postcode", re.compile(r"\b(?:GIR|[A-Z]{1,2}\d[A-Z\d]?) ?\d[ABD-HJLNP-UW-Z]{2}\b")),
    Identifier(
        "date_of_birth",
        "a date of birth",
        re.compile(rf"\b(?:d\.?o\.?b\.?|date of birth|birth ?date|born)\b.{{0,20}}?{DATE.pattern}", re.IGNORECASE),
    ),
    Identifier(
        "hospital_number",
        "a hospital's own number of a person",
        re.compile(
            r"\b(?:mrn|hospital (?:no|number)|patient[ _]?id|person[ _]?id|accession(?: "
            r"number)?)\b\W{0,4}[A-Za-z]{0,3}\d{4,}",
            re.IGNORECASE,
        ),
    ),
    Identifier("phone", "a telephone number", re.compile(r"(?<![\w.])(?:\+44 ?|0)7\d{3} ?\d{3} ?\d{3}(?![\w.])")),
    Identifier(
        "insurance_number", "a National Insurance number", re.compile(r"\b[A-CEGHJ-PR-TW-Z]{2} ?(?:\d{2} ?){3}[A-D]\b")
    ),
    Identifier("image_uid", "the UID of an image", re.compile(r"\b[12]\.\d{1,3}(?:\.\d{1,20}){5,20}\b")),
)


def nhs_number(digits: str) -> bool:
    """Whether ten digits have the check digit of NHS numbers (modulus 11); CHI numbers have the same."""
    if len(digits) != 10 or not digits.isdigit() or len(set(digits)) == 1:
        return False
    rest = 11 - sum(int(digit) * weight for digit, weight in zip(digits, _WEIGHTS, strict=False)) % 11
    return rest != 10 and rest % 11 == int(digits[9])


def found_in(text: str) -> Iterator[tuple[Identifier, int]]:
    """Every identifier in a text: its kind and where it begins."""
    for kind in KINDS:
        for match in kind.pattern.finditer(text):
            if kind.name != "nhs_number" or nhs_number(re.sub(r"\D", "", match[0])):
                yield kind, match.start()
