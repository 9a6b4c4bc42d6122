from __future__ import annotations

import pytest

from tests.hub.airlock.checks.conftest import Checking, rules

START = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'


@pytest.mark.parametrize(
    ("inside", "rule"),
    [
        ("<script>alert(1)</script>", "image.active_content"),
        ('<rect onload="alert(1)"/>', "image.active_content"),
        ("<foreignObject><p>x</p></foreignObject>", "image.active_content"),
        ('<image href="http://example.com/x.png"/>', "image.active_content"),
        ('<use xlink:href="other.svg#a"/>', "image.active_content"),
        ('<a href="javascript:alert(1)"><text>x</text></a>', "image.active_content"),
        ("<style>@import url(http://example.com/x.css);</style>", "image.active_content"),
        ('<rect style="fill:url(http://example.com/x)"/>', "image.active_content"),
        ('<animate attributeName="href" values="x"/>', "image.active_content"),
        ("<text>943 476 5919</text>", "text.identifier"),
        ("<!-- 943 476 5919 -->", "text.identifier"),
        ('<image href="data:image/png;base64,AAAA"/>', "image.broken"),
        ('<circle r="2"/>' * 50, "image.points"),
        ("<text>", "image.broken"),
    ],
)
def test_what_a_drawing_must_not_hold_is_found(check: Checking, inside: str, rule: str) -> None:
    assert rule in rules(check({"a.svg": f"{START}{inside}</svg>"})["a.svg"])


def test_entities_that_grow_are_not_expanded(check: Checking) -> None:
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "ha"}">' for i in range(10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE svg [{laughs}]>{START}<text>&l9;</text></svg>'

    assert check({"a.svg": bomb})["a.svg"].verdict == "block"


def test_a_drawing_that_says_it_is_in_another_encoding_is_refused(check: Checking) -> None:
    drawing = f'<?xml version="1.0" encoding="utf-7"?>{START}<text>+ADw-script+AD4-</text></svg>'

    assert "image.broken" in rules(check({"a.svg": drawing})["a.svg"])


def test_a_page_that_is_called_a_drawing_is_refused(check: Checking) -> None:
    assert rules(check({"a.svg": "<html><svg></svg></html>"})["a.svg"]) == {"format.disguised"}
