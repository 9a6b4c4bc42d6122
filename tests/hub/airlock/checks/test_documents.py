from __future__ import annotations

import io

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DictionaryObject, NameObject, TextStringObject

from tests.hub.airlock.checks.conftest import Checking, rules
from tests.hub.airlock.checks.test_images import figure

LOOK = "document.look"


def script(writer: PdfWriter) -> None:
    action = {NameObject("/S"): NameObject("/JavaScript"), NameObject("/JS"): TextStringObject("app.alert(1)")}
    writer.root_object[NameObject("/OpenAction")] = DictionaryObject(action)


def changed(change) -> bytes:
    writer, file = PdfWriter(clone_from=PdfReader(io.BytesIO(figure("bars", "pdf")))), io.BytesIO()
    change(writer)
    writer.write(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (script, "document.active_content"),
        (lambda writer: writer.add_attachment("rows.csv", b"nhs,x\n1,2"), "document.active_content"),
        (lambda writer: writer.encrypt("secret"), "document.encrypted"),
        (lambda writer: writer.add_metadata({"/Author": "A. Person"}), "document.metadata"),
    ],
)
def test_what_a_pdf_must_not_hold_is_found(check: Checking, change, rule: str) -> None:
    assert rule in rules(check({"a.pdf": changed(change)})["a.pdf"])


def test_a_person_reads_every_pdf(check: Checking) -> None:
    assert rules(check({"a.pdf": figure("bars", "pdf")})["a.pdf"]) == {LOOK}


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"%PDF-1.7\nnothing", "document.broken"),
        (figure("bars", "pdf") + b"PK\x03\x04 rows", "document.data_after_the_end"),
        (figure("bars", "pdf") + b"\n%%EOF", "document.revisions"),
    ],
)
def test_broken_and_added_to_files_are_found(check: Checking, content: bytes, rule: str) -> None:
    assert rule in rules(check({"a.pdf": content})["a.pdf"])


def test_words_of_a_page_are_read(check: Checking) -> None:
    from matplotlib import pyplot as plt

    from tests.hub.airlock.checks.test_images import saved

    drawn = plt.figure()
    drawn.text(0.1, 0.5, "NHS number 943 476 5919")

    assert "text.identifier" in rules(check({"a.pdf": saved(drawn, "pdf")})["a.pdf"])
