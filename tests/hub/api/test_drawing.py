"""What makes pages quick shows nothing else: components from memory, and names of who is on the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from flip_hub.api.pages.drawing import _environment
from flip_hub.api.pages.names import display_names
from flip_hub.database import Routine, once
from flip_hub.policy import Object, Policies, Subject
from jinja2 import ChainableUndefined, Environment, PackageLoader
from markupsafe import Markup

from tests.hub.conftest import PEOPLE

_PARAMETERS = (
    ("tag", {"text": "In review", "colour": "blue"}),
    ("tag", {"text": "<b>", "colour": "blue"}),
    ("tag", {"text": Markup("<b>"), "colour": "blue"}),
    ("tag", {"html": "<b>1</b>"}),
    ("tag", {"text": 1}),
    ("tag", {"text": True}),
    ("button", {"text": "Save", "preventDoubleClick": True}),
    ("button", {"text": "Save", "preventDoubleClick": 1}),
    ("button", {"text": "Save", "href": "/a?b=1&c=2"}),
    ("input", {"id": "a", "name": "a", "label": {"text": "A"}, "value": '">'}),
    ("select", {"id": "s", "name": "s", "label": {"text": "S"}, "items": [{"value": "1", "text": "One"}]}),
    (
        "select",
        {"id": "s", "name": "s", "label": {"text": "S"}, "items": [{"value": "1", "text": "One", "selected": 1}]},
    ),
)
_CALLED = (
    '{% from "nhsuk/components/card/macro.jinja" import card %}{% call card({"heading": "A"}) %}<p>B</p>{% endcall %}'
)


@pytest.fixture(scope="module")
def plain() -> Environment:
    """The design system without a memory."""
    loader = PackageLoader("nhsuk_frontend_jinja")
    return Environment(
        loader=loader, undefined=ChainableUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )


def test_a_component_from_memory_is_what_its_macro_draws(plain: Environment) -> None:
    for _ in range(2):
        for name, parameters in _PARAMETERS:
            source = f'{{% from "nhsuk/components/{name}/macro.jinja" import {name} %}}{{{{ {name}(p) }}}}'
            for missing in ({}, {"classes": ChainableUndefined(name="nothing")}):
                shown = [e.from_string(source).render(p=parameters | missing) for e in (_environment(), plain)]
                assert shown[0] == shown[1], (name, parameters)


def test_a_component_around_other_words_is_drawn_anew(plain: Environment) -> None:
    other = _CALLED.replace("<p>B</p>", "<p>C</p>")
    for source in (_CALLED, other, _CALLED):
        assert _environment().from_string(source).render() == plain.from_string(source).render()


def test_names_are_those_of_who_is_on_the_page(hub) -> None:
    name = next(iter(PEOPLE))
    with hub.office.database.read() as session:
        names = display_names(session, [name, "a stranger"], {"aldgate": "Aldgate Hospital"})
        assert set(names) == {name, "aldgate"}
        others = [other for other in PEOPLE if other != name]
        assert all(PEOPLE[other][0] in names[other] for other in others)
        assert names.get("a stranger", "nobody") == "nobody"
        with pytest.raises(KeyError):
            names["another stranger"]


def test_only_a_transaction_that_reads_remembers(hub) -> None:
    made = iter(range(9))
    with hub.office.database.read() as session:
        assert [once(session, "k", lambda: next(made)) for _ in range(2)] == [0, 0]
    with hub.office.database.read() as session:
        assert once(session, "k", lambda: next(made)) == 1
    with hub.office.database.write(Routine("a test")) as session:
        assert [once(session, "k", lambda: next(made)) for _ in range(2)] == [2, 3]


def test_the_same_question_is_put_to_the_policies_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    judge = Policies._judge
    monkeypatch.setattr(Policies, "_judge", lambda self, new: asked.append(len(new)) or judge(self, new))
    policies = Policies.read(Path(__file__).parents[3] / "policies" / "hub")
    who = Subject("rufus", "Board", frozenset({"governance reviewer"}))
    things = [Object(project=f"p-{n}", owner="a", members=frozenset({"a"}), submitted=n < 2) for n in range(3)]
    first = policies.allowed(who, "view_project", things)
    assert policies.allowed(who, "view_project", things) == first == [True, True, False]
    policies.foresee(who, ("view_project", "review_project", "edit_project"), things[0])
    assert not policies.decide(who, "edit_project", things[0]).allowed
    assert policies.decide(who, "edit_project", things[0]).reason
    assert asked == [3, 2]
    # another person, and the same one with another role, are other questions
    assert not policies.decide(replace(who, roles=frozenset()), "view_project", things[0]).allowed
