from __future__ import annotations

import io
import struct
import zlib

import matplotlib as mpl
import numpy as np
import pytest
from flip_hub.airlock.checks import pixels
from flip_hub.airlock.checks.containers import ContainerError, read_jpeg, read_png
from matplotlib import pyplot as plt
from PIL import Image, PngImagePlugin

from tests.hub.airlock.checks.conftest import Checking, found, notes, rules

mpl.use("agg")
LOOK = "image.no_counts_behind"
COUNTS = "sex,persons\nwomen,120\nmen,95\n"


@pytest.fixture(autouse=True)
def _no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tesseract takes a second an image; it reads in the tests that are about it."""
    monkeypatch.setattr(pixels, "words_of", lambda picture: "")


def figure(kind: str, form: str = "png") -> bytes:
    drawn, axes = plt.subplots(figsize=(4, 3))
    random = np.random.default_rng(5)
    match kind:
        case "bars":
            axes.bar(["women", "men"], [120, 95])
        case "scatter":
            axes.scatter(random.normal(size=200), random.normal(size=200), s=8)
        case "heat":
            axes.imshow(random.random((12, 12)))
    return saved(drawn, form)


def saved(drawn: plt.Figure, form: str) -> bytes:
    file = io.BytesIO()
    drawn.savefig(file, format=form)
    plt.close(drawn)
    return file.getvalue()


def picture(values: np.ndarray, form: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, form, **options)
    return file.getvalue()


def scan() -> np.ndarray:
    y, x = np.mgrid[:256, :256]
    body = 120 + 60 * np.sin(x / 20) + 40 * np.cos(y / 15)
    return (body * ((x - 128) ** 2 + (y - 128) ** 2 < 110**2)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("kind", "form", "expected"),
    [
        ("bars", "png", {LOOK}),
        ("bars", "jpg", {LOOK}),
        ("heat", "png", {LOOK}),
        ("scatter", "png", {LOOK, "image.points"}),
        ("bars", "svg", {LOOK}),
        ("heat", "svg", {LOOK}),
        ("scatter", "svg", {LOOK, "image.points"}),
    ],
)
def test_figures_need_a_person_and_points_are_told(check: Checking, kind: str, form: str, expected: set[str]) -> None:
    name = f"a.{form}"
    assert rules(check({name: figure(kind, form)})[name]) == expected


def test_a_figure_with_large_counts_behind_it_passes(check: Checking) -> None:
    stated = {"a.png": {"underlying": "b.csv"}, "b.csv": {"leaves": False}}
    large = check({"a.png": figure("bars"), "b.csv": COUNTS}, stated)["a.png"]
    small = check({"a.png": figure("bars"), "b.csv": COUNTS.replace("95", "4")}, stated)["a.png"]

    assert (large.verdict, "image.counts_behind" in notes(large)) == ("pass", True)
    assert rules(small) == {"image.small_behind"}


def comment(text: str) -> PngImagePlugin.PngInfo:
    information = PngImagePlugin.PngInfo()
    information.add_text("Comment", text)
    return information


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("a.png", picture(scan()), "image.looks_medical"),
        ("a.png", picture(scan().astype(np.uint16) * 100), "image.looks_medical"),
        ("a.jpg", picture(scan(), "JPEG"), "image.looks_medical"),
        (
            "a.png",
            picture(np.random.default_rng(5).integers(0, 255, (100, 100, 3), np.uint8)),
            "image.looks_like_a_photograph",
        ),
        ("a.png", figure("bars") + b"rows of persons", "image.data_after_the_end"),
        ("a.jpg", figure("bars", "jpg") + b"rows of persons", "image.data_after_the_end"),
        ("a.png", picture(np.full((9, 9, 3), 255, np.uint8), pnginfo=comment("943 476 5919")), "image.metadata"),
        (
            "a.jpg",
            picture(np.full((9, 9, 3), 255, np.uint8), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0"),
            "image.metadata",
        ),
        ("a.jpg", picture(np.full((9, 9, 3), 255, np.uint8), "JPEG", comment=b"943 476 5919"), "image.metadata"),
        ("a.png", figure("bars")[:-400], "image.broken"),
        ("a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "image.broken"),
    ],
)
def test_what_an_image_must_not_hold_is_found(check: Checking, name: str, content: bytes, rule: str) -> None:
    assert rule in rules(check({name: content})[name])


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def test_parts_that_no_viewer_shows_are_found(check: Checking) -> None:
    plain = picture(np.full((9, 9, 3), 255, np.uint8))
    hiding = plain[:-12] + chunk(b"prVt", b"943 476 5919") + plain[-12:]

    assert "image.hidden_data" in rules(check({"a.png": hiding})["a.png"])


def test_a_picture_of_a_thousand_million_pixels_is_not_decoded(check: Checking) -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )

    assert "image.too_large" in rules(check({"a.png": bomb})["a.png"])


@pytest.mark.parametrize("read", [read_png, read_jpeg])
def test_a_structure_that_is_cut_off_anywhere_is_told_as_that(read) -> None:
    whole = figure("bars", "png" if read is read_png else "jpg")
    for end in range(2, len(whole) - 1, max(1, len(whole) // 300)):
        with pytest.raises(ContainerError):
            read(whole[:end])


@pytest.mark.skipif(not pixels.usable(), reason="tesseract is not installed")
def test_words_in_a_picture_are_read(check: Checking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    drawn, axes = plt.subplots(figsize=(4, 2))
    axes.set_axis_off()
    axes.text(0.02, 0.5, "NHS number 943 476 5919", fontsize=18)
    examined = check({"a.png": saved(drawn, "png")})["a.png"]

    assert "text.identifier" in rules(examined)
    assert found(examined, "text.identifier").message.startswith("Written in the picture")
