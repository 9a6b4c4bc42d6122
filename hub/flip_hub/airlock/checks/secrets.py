"""Passwords, keys and addresses of the environment's own computers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flip_sdk.contract.airlock import Finding

from flip_hub.airlock.checks.rules import Check, Rule, Subject, listed

SECRET = Rule(
    "secret.found",
    "block",
    "What looks like a secret ({what}) is on {lines}.",
    "Take it out, and have it changed: whoever may read this request has seen it.",
)
INTERNAL = Rule(
    "secret.internal_address",
    "flag",
    "It names computers inside the environment or a hospital: {lines}.",
    "Take the addresses out.",
)
TOO_LONG = Rule(
    "secret.not_searched",
    "flag",
    "Only its first {lines:,} different lines were searched for secrets.",
    "Divide the file.",
)
MOST_LINES = 20_000
MOST_LETTERS = 2_000
_DETECTORS = (
    *("ArtifactoryDetector", "AWSKeyDetector", "AzureStorageKeyDetector", "BasicAuthDetector", "CloudantDetector"),
    *(
        "DiscordBotTokenDetector",
        "GitHubTokenDetector",
        "GitLabTokenDetector",
        "IbmCloudIamDetector",
        "JwtTokenDetector",
    ),
    *(
        "KeywordDetector",
        "MailchimpDetector",
        "NpmDetector",
        "OpenAIDetector",
        "PrivateKeyDetector",
        "PypiTokenDetector",
    ),
    *("SendGridDetector", "SlackDetector", "SquareOAuthDetector", "StripeDetector", "TelegramBotTokenDetector"),
    "TwilioKeyDetector",
)
_FILTERS = ("is_sequential_string", "is_templated_secret", "is_indirect_reference", "is_not_alphanumeric_string")
_SETTINGS = {
    "plugins_used": [{"name": name} for name in _DETECTORS],
    "filters_used": [{"path": f"detect_secrets.filters.heuristic.{name}"} for name in _FILTERS],
}
_OURS = re.compile(r"\b(?:JUPYTERHUB_API_TOKEN|JPY_API_TOKEN|FLIP_(?:HUB_)?TOKEN)\b\W{0,5}\w{8,}")
_PRAGMA = re.compile("pragma|allowlist|whitelist|nosec|noqa", re.IGNORECASE)
_MAY_BE = re.compile(r"[=:@/\\]|--|\.|\w{16}")
"""What a secret or an address has in a cell; without, a hundred thousand names of wards need not be searched."""
_INTERNAL = re.compile(
    r"\b(?:10\.\d{1,3}|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d{1,3}\.\d{1,3}\b"
    r"|(?<![\w.-])[\w-]{1,63}(?:\.[\w-]{1,63}){0,5}\.(?:internal|local|lan|corp|intranet|cluster\.local)\b(?!\()|(?<!\\)\\\\[\w-]{1,63}\\\w",
    re.IGNORECASE,
)


def find_secrets(text: str) -> Iterator[Finding]:
    """Secrets and internal addresses in a text; what they are is never repeated."""
    from detect_secrets.core.scan import scan_line
    from detect_secrets.settings import transient_settings

    lines: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        lines.setdefault(line.strip(), number)
    found, kinds = [], set()
    with transient_settings(_SETTINGS):
        for line, number in list(lines.items())[:MOST_LINES]:
            for piece in _pieces(line):
                what = sorted(
                    {secret.type for secret in scan_line(piece)} | ({"token"} if _OURS.search(piece) else set())
                )
                if what:
                    found.append(number)
                    kinds.update(what)
    if found:
        yield SECRET.found(what=listed(sorted(kinds)), lines=_lines(found), numbers={"lines": len(found)})
    if inside := [number for line, number in lines.items() if any(map(_INTERNAL.search, _pieces(line)))]:
        yield INTERNAL.found(lines=_lines(inside), numbers={"lines": len(inside)})
    if len(lines) > MOST_LINES:
        yield TOO_LONG.found(lines=MOST_LINES)


def _pieces(line: str) -> Iterator[str]:
    """A line without what tells a scanner to look away, in pieces that a pattern gets through."""
    clean = _PRAGMA.sub("", line)
    for start in range(0, len(clean), MOST_LETTERS - 200):
        yield clean[start : start + MOST_LETTERS]


def _lines(numbers: list[int]) -> str:
    return f"line{'s' if len(numbers) > 1 else ''} {listed([str(number) for number in sorted(numbers)], 8)}"


def _secrets(subject: Subject) -> Iterator[Finding]:
    table = subject.file.table
    if table is None:
        yield from find_secrets(subject.file.text or "")
        return
    words = dict.fromkeys((*table.columns, *(word for c in table.labels for word in table.words(c))))
    yield from find_secrets("\n".join(filter(_MAY_BE.search, words)))


CHECKS = (
    Check(
        "secrets",
        frozenset({"table", "text", "image"}),
        _secrets,
        "Passwords, tokens, private keys, connection strings, and names of computers inside the environment.",
        needs=("detect_secrets",),
    ),
)
