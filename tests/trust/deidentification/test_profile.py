from __future__ import annotations

import csv

import pytest
from flip_trust.cli import app
from flip_trust.deidentification import describe, profile, table
from flip_trust.errors import SetupError
from typer.testing import CliRunner


def test_the_profiles_that_come_with_the_trust() -> None:
    assert profile.names() == ["basic", "research-default", "retain-dates-shifted", "retain-uids"]
    assert len({profile.load(name).digest for name in profile.names()}) == 4


@pytest.mark.parametrize(
    "content",
    [
        "title: t\npurpose: p\noptions: [clean_graphics]",
        "title: t\npurpose: p\noptions: [full_dates, modified_dates]",
        "title: t\npurpose: p\nunknown: 1",
        "title: t\npurpose: p\nprivate: [{creator: A, elements: {0019xx01: DS}}]",
        "title: t\npurpose: p\noptions: [safe_private]\nprivate: [{creator: A, elements: {0019xx01: LO}}]",
        "title: t\npurpose: p\nmasks: [{manufacturer: A, boxes: []}]",
        "extends: ../../etc/passwd",
        "- a list",
        "title: [",
    ],
)
def test_a_profile_that_says_what_it_cannot_is_refused(content, tmp_path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(content)

    with pytest.raises(SetupError):
        profile.load(str(path))


def test_a_hospitals_own_profile_extends_one_of_ours(tmp_path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("extends: basic\noptions: [device]\nmasks: [{manufacturer: ACME, boxes: [[0, 0, 100, 20]]}]")

    own = profile.load(str(path))

    assert own.name == "own"
    assert own.refused_classes == profile.load("basic").refused_classes


@pytest.mark.parametrize("name", ["basic", "research-default", "retain-dates-shifted", "retain-uids"])
def test_a_reviewer_sees_every_attribute(name, tmp_path) -> None:
    rows = list(describe.described(profile.load(name)))

    assert {row.tag for row in rows} >= set(table.table())
    for suffix in ("html", "csv"):
        result = CliRunner().invoke(app, ["deid-profile", name, "--export", str(tmp_path / f"p.{suffix}")])
        assert result.exit_code == 0
    with (tmp_path / "p.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == len(rows)
    assert "Patient&#x27;s Name" in (tmp_path / "p.html").read_text()


def test_what_a_reviewer_reads_is_what_the_profile_is_for() -> None:
    actions = {row.name: row.action for row in describe.described(profile.load("retain-dates-shifted"))}

    assert actions["Patient's Name"] == "keyed pseudonym"
    assert actions["Study Date"] == "moved by the person's days"
    assert actions["Patient's Birth Date"] == "emptied"
    assert actions["Study Description"] == "reduced to known words"
    assert actions["Patient's Age"] != "kept"
    assert actions["Study Instance UID"] == "new UID"
    assert actions["Institution Name"] == "replaced by a dummy"
