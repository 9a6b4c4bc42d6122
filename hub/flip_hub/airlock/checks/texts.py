"""Text, whichever file it is in: identifiers, small numbers of persons, and data that was encoded as letters."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator

from flip_sdk.contract.airlock import FileKind, Finding

from flip_hub.airlock.checks import identifiers
from flip_hub.airlock.checks.counting import counts_persons
from flip_hub.airlock.checks.limits import Limits
from flip_hub.airlock.checks.rules import Check, Rule, Subject, listed, many

IDENTIFIER = Rule(
    "text.identifier",
    "flag",
    "{where}What looks like {what}: {lines}.",
    "Take it out. If it is none, say in the context what it is.",
)
IDENTIFIERS = Rule(
    "text.identifiers",
    "block",
    "{where}{many} that look like {what}: {lines}.",
    "Take them out: identifiers of persons never leave.",
)
SMALL_NUMBER = Rule(
    "text.small_number",
    "flag",
    "{where}Fewer than {threshold} persons are told of: {lines}.",
    "Write “fewer than {threshold}”, or say in the context why the number is not of persons.",
)
ENCODED = Rule(
    "text.encoded",
    "block",
    "{where}It holds {size:,} letters of encoded data, which nobody can read: {lines}.",
    "Take the encoded part out, and send what it holds as a file of its own.",
)
NAME = Rule(
    "text.named_after",
    "block",
    "The file's name, title or context holds what looks like {what}.",
    "Call it otherwise.",
)
TOO_LONG = Rule(
    "text.too_long",
    "block",
    "It has {letters:,} letters, more than a person reads ({most:,}).",
    "Send a summary.",
)
SMALL_IN_JSON = Rule(
    "text.small_number_in_json",
    "flag",
    "Numbers that are called like counts are under {threshold}: {names}.",
    "Keep them back (null), or join groups.",
)
LOOSE_NUMBERS = Rule(
    "text.numbers_in_json",
    "flag",
    "It holds {many} outside a table, which were not checked as counts.",
    "Send them as CSV, or as a JSON list of records.",
)
MOST_LETTERS = 2_000_000
MOST_LOOSE_NUMBERS = 30
_MANY = 3
_WHO = (
    r"(?:patients?|persons?|people|participants?|individuals?|subjects?|cases|controls|women|woman|men|man|children|child"
    r"|boys?|girls?|babies|infants?|adults?|deaths?|survivors?)"
)
_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBER_OF_PERSONS = re.compile(
    rf"(?<![\d.,/–—-])\b(\d{{1,4}}|{'|'.join(_WORDS[1:])})\b(?![.,:/%]\d| ?%)"
    rf"(?: of (?:the )?\d{{1,9}}| [a-z-]{{1,30}}){{0,2}} {_WHO}\b"
    rf"|\bn ?= ?(\d{{1,4}})\b(?![.,]\d)|\b{_WHO}: ?(\d{{1,4}})\b(?![.,]\d)",
    re.IGNORECASE,
)
_NOT_A_COUNT = re.compile(
    r"\b(?:per|for every|in every|at least|fewer than|less than|under|over|more than)\s+$", re.IGNORECASE
)
_ENCODED = re.compile(
    r"(?:[A-Za-z0-9+/_-]{60,}={0,2}\s?){2,}|[A-Za-z0-9+/_-]{200,}={0,2}|(?:[0-9a-fA-F]{2}[\s:]?){100,}"
)


def read_text(text: str, limits: Limits, where: str = "") -> Iterator[Finding]:
    """What a person would be told by a text.

    Args:
        text: of any kind.
        limits: those in force.
        where: put before each message, such as ``Cell 3: ``.
    """
    lines = _Lines(text)
    places: dict[str, list[int]] = defaultdict(list)
    words = {}
    for kind, start in identifiers.found_in(text):
        places[kind.name].append(start)
        words[kind.name] = kind.words
    for name, starts in places.items():
        rule = IDENTIFIERS if len(starts) >= _MANY and name in ("nhs_number", "date_of_birth") else IDENTIFIER
        yield rule.found(
            numbers={name: len(starts)},
            where=where,
            what=words[name],
            lines=lines.of(starts),
            many=many(len(starts), "place"),
        )
    yield from _small_numbers(text, lines, limits, where)
    encoded = [match for match in _ENCODED.finditer(text) if not _is_rule(match[0])]
    if encoded:
        size = sum(len(match[0]) for match in encoded)
        starts = [match.start() for match in encoded]
        yield ENCODED.found(where=where, size=size, lines=lines.of(starts), numbers={"letters": size})


def _small_numbers(text: str, lines: _Lines, limits: Limits, where: str) -> Iterator[Finding]:
    starts = []
    for match in _NUMBER_OF_PERSONS.finditer(text):
        word = (match[1] or match[2] or match[3]).lower()
        number = int(word) if word.isdigit() else _WORDS.index(word)
        if 1 <= number < limits.threshold and not _NOT_A_COUNT.search(text[max(0, match.start() - 20) : match.start()]):
            starts.append(match.start())
    if starts:
        numbers = {"places": len(starts), "threshold": limits.threshold}
        yield SMALL_NUMBER.found(where=where, threshold=limits.threshold, lines=lines.of(starts), numbers=numbers)


def _is_rule(text: str) -> bool:
    """Whether it is a line drawn of one or two signs."""
    return len(set(text) - set("\r\n ")) <= 2


class _Lines:
    """Numbers of lines, in words."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def of(self, places: list[int]) -> str:
        numbers = sorted({bisect_right(self._starts, place) for place in places})
        return f"line{'s' if len(numbers) > 1 else ''} {listed([str(number) for number in numbers], 8)}"


def _text(subject: Subject) -> Iterator[Finding]:
    text = subject.file.text or ""
    if len(text) > MOST_LETTERS:
        yield TOO_LONG.found(letters=len(text), most=MOST_LETTERS)
        return
    yield from read_text(text, subject.limits)
    if subject.file.form == "json":
        yield from _leaves(subject)


def _leaves(subject: Subject) -> Iterator[Finding]:
    """Numbers in JSON that is no table: those called like counts, and whether there are many."""
    numbers = list(_numbers(subject.file.data, ""))
    threshold = subject.limits.threshold
    small = [name for name, number in numbers if number < threshold and number % 1 == 0 and counts_persons(name)]
    if small:
        yield SMALL_IN_JSON.found(names=listed(small), threshold=threshold, numbers={"places": len(small)})
    if len(numbers) > MOST_LOOSE_NUMBERS:
        yield LOOSE_NUMBERS.found(many=many(len(numbers), "number"), numbers={"numbers": len(numbers)})


def _numbers(data: object, name: str) -> Iterator[tuple[str, float]]:
    if isinstance(data, int | float) and not isinstance(data, bool):
        yield name, float(data)
    parts = (
        data.items() if isinstance(data, dict) else ((name, part) for part in data) if isinstance(data, list) else ()
    )
    for key, part in parts:
        yield from _numbers(part, f"{name} {key}".strip() if isinstance(data, dict) else name)


def _name(subject: Subject) -> Iterator[Finding]:
    statement = subject.statement
    said = "\n".join((statement.path.rpartition(".")[0], statement.title, statement.context))
    for what in dict.fromkeys(kind.words for kind, _ in identifiers.found_in(said)):
        yield NAME.found(what=what)


_ALL: frozenset[FileKind] = frozenset({"table", "text", "image", "notebook", "model", "document"})
CHECKS = (
    Check("names", _ALL, _name, "Identifiers of persons in a file's name, title or context."),
    Check(
        "text",
        frozenset({"text"}),
        _text,
        "Text, Markdown and JSON: NHS numbers, dates of birth, postcodes, addresses and other identifiers; small "
        "numbers before a word for persons; encoded data.",
    ),
)
