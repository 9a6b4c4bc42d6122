"""Slides in tiled TIFF: brought in without anything of the person in the file, refused with a reason, kept once."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
import tifffile
from flip_sdk.contract.images import TileImages
from flip_trust.cli import app
from flip_trust.errors import ImagingError
from flip_trust.features.images import image_rows
from flip_trust.imaging.slides import slides, take
from flip_trust.ingest import links
from flip_trust.scaleout import HERE
from tiffslide import TiffSlide
from typer.testing import CliRunner

from tests.trust.features.images import glass

PATCH = (128, 64, 256, 192)
SECRETS = (b"Doe", b"S-2024-17", b"NHS-1", b"2024:02:29", b"Scanner", b"macro", b"label", b"Barcode")


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "trust.toml").write_text('name = "aldgate"\ntitle = "Aldgate"\n')
    return home


def manifest(folder, *rows):
    path = folder / "manifest.csv"
    path.write_text("file,patient_id,date,stain,mpp\n" + "".join(f"{','.join(row)}\n" for row in rows))
    return path


def test_a_slide_is_brought_in_without_who_it_is_of(home, tmp_path):
    glass.svs(tmp_path / "a.svs", glass.picture(512, PATCH))
    taken = take(home, manifest(tmp_path, ("a.svs", "NHS-1", "2024-03-01", "HE", "")))

    assert (taken.slides, taken.refused) == (1, [])
    [row] = slides(home).collect().to_dicts()
    content = open(row["path"], "rb").read()  # noqa: SIM115
    assert [secret for secret in SECRETS if secret in content] == []
    assert (row["day"], row["stain"]) == (date(2024, 3, 1), "HE")
    with tifffile.TiffFile(row["path"]) as made:
        assert [level.shape[:2] for level in made.series[0].levels] == [(512, 512), (256, 256), (128, 128)]
        assert len(made.series) == 1
    with TiffSlide(tmp_path / "a.svs") as given, TiffSlide(row["path"]) as made:
        assert np.array_equal(*(np.asarray(one.read_region((40, 100), 0, (200, 200))) for one in (given, made)))
    [occurrence] = pl.read_parquet(home / "omop" / "image_occurrence.parquet").to_dicts()
    assert (occurrence["image_occurrence_id"], occurrence["person_id"]) == (row["item"], row["person_id"])


def test_its_tiles_are_rows_of_the_person(home, tmp_path):
    glass.svs(tmp_path / "a.svs", glass.picture(512, PATCH))
    file = manifest(tmp_path, ("a.svs", "NHS-1", "2024-03-01", "", ""))
    take(home, file)
    take(home, file)
    [person] = slides(home).collect()["person_id"]
    asked = TileImages(mpp=1.0, tile=16, tiles=8, which="all")
    who = pl.DataFrame({"person_id": [person], "index_day": [None]}, {"person_id": pl.Int64, "index_day": pl.Date})
    rows = image_rows(asked, who, home, 100, home / "images.f16", HERE)

    assert rows.rows() == [(person, date(2024, 3, 1))] * 8
    tiles = np.fromfile(home / "images.f16", "<f2").reshape(8, 3, 16, 16)
    assert np.abs(tiles - (np.array(glass.STAIN) / 127.5 - 1)[:, None, None]).mean() < 0.05


def test_what_cannot_be_taken_is_refused_with_its_reason_and_the_rest_goes_on(home, tmp_path):
    glass.svs(tmp_path / "a.svs", glass.picture(256, PATCH))
    tifffile.imwrite(tmp_path / "flat.tiff", glass.picture(64, PATCH))
    tifffile.imwrite(tmp_path / "bare.tiff", glass.picture(64, PATCH), tile=(16, 16), photometric="rgb")
    (tmp_path / "half.svs").write_bytes((tmp_path / "a.svs").read_bytes()[:300])
    (tmp_path / "none.svs").write_text("no slide")
    day = "2024-03-01"
    file = manifest(
        tmp_path, ("a.svs", "1", day, "", ""), ("gone.svs", "1", day, "", ""), ("flat.tiff", "1", day, "", "0.5"),
        ("bare.tiff", "1", day, "", ""), ("half.svs", "1", day, "", ""), ("none.svs", "1", day, "", ""),
        ("a.svs", "", day, "", ""), ("a.svs", "1", "March", "", ""), ("bare.tiff", "2", day, "", "0.5"),
    )  # fmt: skip
    done = CliRunner().invoke(app, ["ingest", "slides", str(file), "--home", str(home)], env={"COLUMNS": "200"})

    assert done.exit_code == 2, done.output
    assert "Taken: 2; refused: 7." in done.output
    assert "row 2: it cannot be read" in done.output
    assert "row 4: it does not tell its scale" in done.output
    assert not list((home / "imaging" / "slides").glob(".*"))


def test_a_manifest_without_its_columns(home, tmp_path):
    (tmp_path / "manifest.csv").write_text("file,who\na.svs,1\n")
    with pytest.raises(ImagingError):
        take(home, tmp_path / "manifest.csv")


def test_a_linked_person_is_found(home, tmp_path):
    from flip_trust.deidentification.keyed import Keyed

    links.add(home, [(links.NUMBER, links.key_of(Keyed.load(home), "NHS-1"), 42)])
    glass.svs(tmp_path / "a.svs", glass.picture(256, PATCH))
    take(home, manifest(tmp_path, ("a.svs", "NHS-1", "2024-03-01", "", "")))
    assert slides(home).collect()["person_id"].to_list() == [42]
