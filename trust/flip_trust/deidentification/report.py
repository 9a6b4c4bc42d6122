"""The HTML pages: what a run did, and what a profile does. No identifiers: files are named by their digests alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from string import Template

from flip_trust.deidentification import describe
from flip_trust.deidentification.files import Outcome
from flip_trust.deidentification.profile import Profile
from flip_trust.deidentification.refusals import Reason

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>$title</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #212b32 }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 2rem }
caption { text-align: left; font-weight: bold; padding: .5rem 0 }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #d8dde0 }
td.number { text-align: right; font-variant-numeric: tabular-nums }
code { overflow-wrap: anywhere }
</style>
</head>
<body>
<main>
<h1>$title</h1>
$body
</main>
</body>
</html>
""")


@dataclass
class Tally:
    """What a run's outcomes add up to.

    Attributes:
        refusals: digest and reason of each refused file; an empty digest where it could not be read.
    """

    done: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    refusals: list[tuple[str, Reason]] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one file."""
        if outcome.reason:
            self.refusals.append((outcome.digest, Reason[outcome.reason]))
        else:
            self.done += 1
            self.actions.update(outcome.counts)


def run_page(profile: Profile, tally: Tally) -> str:
    """The report of a run."""
    reasons = Counter(reason for _, reason in tally.refusals)
    actions = [(describe.ACTIONS[letter], count) for letter, count in tally.actions.most_common()]
    refused = sorted((digest[:16] or "(unreadable)", reason.value) for digest, reason in tally.refusals)
    body = [
        _table("The run", ("", ""), [
            ("Profile", f"{profile.title} ({profile.name})"),
            ("Digest of the profile", profile.digest),
            ("Written", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),
            ("Files de-identified", tally.done),
            ("Files refused", len(tally.refusals)),
        ]),
        _table("Attributes, by what was done to them", ("what", "attributes"), actions),
        _table("Why files were refused", ("reason", "files"), [(r.value, n) for r, n in reasons.most_common()]),
        _table("Refused files, by the first digits of their SHA-256", ("file", "reason"), refused),
        "<p>Refused files are in quarantine under their SHA-256; slide labels are dropped.</p>",
    ]  # fmt: skip
    return _page("De-identification report", body)


def profile_page(profile: Profile) -> str:
    """What a profile does, as a page."""
    columns = ("tag", "attribute", "VR", "basic profile", "here", "what is done", "because of")
    rows = list(describe.described(profile))
    counts = Counter(row.action for row in rows).most_common()
    body = [
        _table("The profile", ("", ""), list(describe.facts(profile))),
        _table("Attributes, by what is done to them", ("what", "attributes"), counts),
        _table("DICOM PS3.15 Annex E, attribute by attribute", columns, rows),
    ]
    return _page(f"De-identification profile: {profile.title}", body)


def _page(title: str, body: Iterable[str]) -> str:
    return _PAGE.substitute(title=escape(title), body="\n".join(body))


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    if not rows:
        return f"<p>{escape(caption)}: none.</p>"
    titles = "".join(f'<th scope="col">{escape(title)}</th>' for title in head) if any(head) else ""
    lines = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><caption>{escape(caption)}</caption>\n<tr>{titles}</tr>\n{lines}\n</table>"


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f'<td class="number">{value:,}</td>'
    return f"<td>{escape(str(value))}</td>"
