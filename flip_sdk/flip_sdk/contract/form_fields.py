"""What a form is made of: fields with their words, in sections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "line", "text", "number", "whole", "date", "end", "choice", "choices", "flag", "lines", "people", "trusts", "trust",
    "entries",
]  # fmt: skip
Reader = Literal["public", "trusts", "reviewers"]
Choices = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class FormField:
    """One field.

    Attributes:
        name: attribute of ``Application`` (or of an entry of it), and the field's name on every page.
        needed: has to be given before the application is submitted.
        readers: how far it is shown: ``public`` includes Trusts, ``trusts`` includes reviewers and the team.
        fewest: of a text's characters, where it is given.
        most: of a text's characters.
        register: its name in HDR UK's Data Use Register; empty where the register does not ask for it.
        choices: values with their words.
        parts: the fields of each entry.
        one: what an entry is called.
    """

    name: str
    label: str
    kind: Kind
    hint: str = ""
    needed: bool = False
    readers: Reader = "reviewers"
    fewest: int = 0
    most: int = 200
    register: str = ""
    choices: Choices = ()
    parts: tuple[FormField, ...] = ()
    one: str = ""

    def words(self, value: str) -> str:
        """A choice as people read it."""
        return dict(self.choices).get(value, value)

    def part(self, name: str) -> FormField:
        """A field of its entries."""
        return next(part for part in self.parts if part.name == name)


@dataclass(frozen=True)
class Section:
    """Some fields under one of the Five Safes."""

    name: str
    title: str
    question: str
    fields: tuple[FormField, ...]
