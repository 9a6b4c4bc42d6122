"""The table of de-identified instances: what others rely on."""

from __future__ import annotations

import polars as pl
import pytest
from flip_trust.errors import SetupError
from flip_trust.imaging.cleaned import SCHEMA, Place, cleaned, profile_of
from flip_trust.ingest import store


@pytest.fixture
def home(tmp_path):
    (tmp_path / "trust.toml").write_text('name = "aldgate"\ntitle = "Aldgate"\n')
    return tmp_path


def told(home, *rows):
    place = Place(home, profile_of(home))
    frame = pl.DataFrame(rows, schema=["file", "path", "reason"], orient="row")
    with store.writing(place.records.folder):
        place.records.add(frame.select("file", "path", pl.lit(place.profile.digest).alias("profile"), "reason"))


def test_it_has_exactly_the_columns_that_it_says_even_when_empty(home):
    assert cleaned(home).collect().schema == SCHEMA


def test_each_file_is_there_once_and_the_refused_ones_are_not(home):
    told(home, ("a.dcm", "p/s/a.dcm", ""), ("b.dcm", "", "BURNED_IN"))
    told(home, ("a.dcm", "p/s/a.dcm", ""), ("c.dcm", "p/s/c.dcm", ""))

    found = cleaned(home).sort("file").collect()
    place = Place(home, profile_of(home))
    assert found.schema == SCHEMA
    assert found["file"].to_list() == ["a.dcm", "c.dcm"]
    assert found["path"].to_list() == [str(place.folder / f"p/s/{name}.dcm") for name in "ac"]
    assert set(found["profile"]) == {place.profile.digest}


def test_another_profile_starts_from_nothing_and_the_first_ones_files_are_there_when_it_comes_back(home, monkeypatch):
    told(home, ("a.dcm", "p/s/a.dcm", ""))
    monkeypatch.setenv("FLIP_TRUST_DEIDENTIFICATION_PROFILE", "basic")
    assert cleaned(home).collect().is_empty()
    monkeypatch.delenv("FLIP_TRUST_DEIDENTIFICATION_PROFILE")
    assert cleaned(home).collect().height == 1


def test_a_profile_of_the_hospitals_own_lies_in_its_home(home):
    (home / "own.yaml").write_text("extends: basic\ntitle: Ours\n")
    with (home / "trust.toml").open("a") as settings:
        settings.write('deidentification_profile = "own.yaml"\n')

    assert profile_of(home).title == "Ours"
    (home / "own.yaml").unlink()
    with pytest.raises(SetupError):
        profile_of(home)
