from __future__ import annotations

import base64
import json

import pytest

from tests.hub.airlock.checks.conftest import Checking, rules

CSV = "person_id,stage\n" + "".join(f"{i},2\n" for i in range(100))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("She is 943 476 5919.", "text.identifier"),
        ("943 476 5919, 450 557 7104 and 401 023 2137", "text.identifiers"),
        ("Three women died.", "text.small_number"),
        ("n = 4", "text.small_number"),
        ("2 of 120 patients", "text.small_number"),
        ("He was born on 12/03/1950.", "text.identifier"),
        ("Ask a.person@example.nhs.uk", "text.identifier"),
        ("data: " + base64.b64encode(CSV.encode()).decode(), "text.encoded"),
        ("data: " + CSV.encode().hex(), "text.encoded"),
        ("password = 'kr8mwoPq'  # pragma: allowlist secret", "secret.found"),
        ("postgresql://flip:kr8mwoPq@db/flip", "secret.found"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII", "secret.found"),
        ("token = 'ghp_abcdefghijklmnopqrstuvwxyz0123456789'", "secret.found"),
        ("see http://10.1.2.3/ and db01.internal", "secret.internal_address"),
        ("right\u202eleft", "format.hidden_characters"),
        ("zero\u200bwidth", "format.hidden_characters"),
    ],
)
def test_what_a_text_must_not_tell_is_found(check: Checking, text: str, rule: str) -> None:
    assert rule in rules(check({"a.md": text})["a.md"])


@pytest.mark.parametrize(
    "text",
    [
        "The model was trained on 1,240 patients in 2023; fewer than 10 women had it.",
        "Table 3 shows the 120 participants. The AUC is 0.81 (0.78 to 0.84).",
        "-" * 300 + "\n" + "=" * 200,
        "Call `project.count(cohort)` with epsilon=1.0 and see model.local() for the rest.",
        "1234567890 is no NHS number.",
    ],
)
def test_ordinary_texts_are_left_alone(check: Checking, text: str) -> None:
    assert rules(check({"a.md": text})["a.md"]) == set()


def test_numbers_in_json_that_is_no_table_are_looked_at(check: Checking) -> None:
    small = '{"by sex": {"women": {"persons": 3}, "men": {"persons": 120}}, "auc": 0.81}'
    many = json.dumps({"layers": [[i / 7 for i in range(20)], [i / 3 for i in range(20)]]})

    assert rules(check({"a.json": small})["a.json"]) == {"text.small_number_in_json"}
    assert rules(check({"a.json": many})["a.json"]) == {"text.numbers_in_json"}


def test_what_nobody_reads_is_not_released(check: Checking) -> None:
    assert rules(check({"a.txt": "word\n" * 500_000})["a.txt"]) == {"text.too_long"}


def test_names_titles_and_contexts_are_read_too(check: Checking) -> None:
    assert "text.named_after" in rules(check({"of 943 476 5919.md": "x"})["of 943 476 5919.md"])
    assert "text.named_after" in rules(check({"a.md": "x"}, {"a.md": {"context": "born 12/03/1950"}})["a.md"])


def test_what_was_found_is_not_repeated(check: Checking) -> None:
    examined = check({"a.md": "943 476 5919 has the password = 'kr8mwoPq'"})["a.md"]

    assert examined.verdict == "block"
    assert all(said not in examined.model_dump_json() for said in ("5919", "kr8mwoPq"))
