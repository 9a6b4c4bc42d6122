"""Opting in, pausing and leaving: what is shown, what holds, and what a hostile hub cannot do about it."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from flip_sdk.contract.notices import PeerKey
from flip_sdk.contract.signatures import SigningKey
from flip_trust import consent, heard
from flip_trust.audit import verify_database
from flip_trust.cli import app
from flip_trust.database import Database
from typer.testing import CliRunner

from tests.trust.console.lived_in import HOSTILE
from tests.trust.console.world import IRIS, OLI, told
from tests.trust.world import PROJECT, answer_of, count_spec

PAGE = f"/projects/{PROJECT}"


def fill(browser, **changes: object):
    """The opt-in form, filled in and sent once."""
    browser.open(f"{PAGE}/opt-in")
    hidden = browser.hidden()
    fields = {
        "told": hidden["told"],
        "job_kinds": ["count", "train"],
        "trust_models": ["local"],
        "epsilon": "2",
        "delta": "0.00001",
        "epsilon_alone": "",
        "until": "",
        "reason": "The committee of 3 June",
    }
    return browser.send(f"{PAGE}/opt-in", **(fields | changes))


def confirm(browser, **changes: object):
    hidden = {name: value for name, value in browser.hidden().items() if name != "form_token"}
    return browser.send(f"{PAGE}/opt-in", **(hidden | changes))


@pytest.fixture
def until(console) -> str:
    return f"{console.clock() + timedelta(days=60):%Y-%m-%d}"


def test_terms_hold_only_once_they_were_read_again(console, until) -> None:
    console.hear()
    browser = console.browser()
    shown = fill(browser, until=until)
    assert "Check your terms before they hold" in shown.text
    assert "Still refused: evaluate a model" in shown.text
    assert consent.standing(console.trust.database, PROJECT) is None
    assert confirm(browser).status_code == 200
    decided = consent.standing(console.trust.database, PROJECT)
    assert decided is not None
    assert (decided.state, decided.terms.epsilon, decided.terms.job_kinds) == ("opted_in", 2.0, ("count", "train"))
    assert decided.terms.expires_at.date().isoformat() == until
    (event,) = console.trust.events("consent.opted_in")
    assert (event["actor"], event["details"]["reason"]) == ("steward/sam", "The committee of 3 June")


def test_a_job_runs_on_the_terms_that_were_set_here(console, until) -> None:
    console.hear()
    browser = console.browser()
    fill(browser, until=until)
    confirm(browser)
    trust = console.trust
    agent = trust.agent()
    received = trust.carrier.put(trust.hub.parts(trust.hub.job(count_spec()), "count"))
    agent.take(trust.carrier.receive())
    record, tensors = answer_of(trust, trust.carrier.answer(received))
    assert tensors is not None
    assert record.project_id == PROJECT if hasattr(record, "project_id") else True
    page = browser.open(PAGE).text
    assert "Answered" in page
    assert "400" in page


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epsilon", "3.5"), ("epsilon", "-1"), ("epsilon", "much"), ("epsilon", "nan"), ("epsilon", "inf"),
        ("delta", "0.5"), ("delta", ""), ("job_kinds", []), ("job_kinds", ["statistics"]), ("trust_models", []),
        ("until", "tomorrow"), ("until", "2020-01-01"), ("until", "2999-01-01"), ("epsilon_alone", "1"),
        ("reason", "x" * 501),
    ],
)  # fmt: skip
def test_terms_that_do_not_do_are_told_beside_their_field(console, until, field, value) -> None:
    console.hear()
    browser = console.browser()
    shown = fill(browser, **({"until": until, "confirmed": "yes"} | {field: value}))
    assert shown.status_code == 422
    assert f'href="#{field}"' in shown.text
    assert console.trust.database.read("SELECT * FROM consent") == []


def test_everything_that_is_wrong_is_told_at_once_and_nothing_typed_is_lost(console) -> None:
    console.hear()
    shown = fill(console.browser(), epsilon="99", delta="1", until="never", reason="because").text
    assert all(f'href="#{name}"' in shown for name in ("epsilon", "delta", "until"))
    assert "because</textarea>" in shown


def test_a_hub_that_changes_its_words_while_they_are_read_is_noticed(console, until) -> None:
    console.hear()
    browser = console.browser()
    fill(browser, until=until)
    console.hear(told(epsilon=3.0, lay_summary="Something else altogether."))
    shown = confirm(browser)
    assert (shown.status_code, "has changed while you were reading" in shown.text) == (409, True)
    assert console.trust.database.read("SELECT * FROM consent") == []


def test_what_a_hub_says_later_changes_no_terms(console, until) -> None:
    console.hear()
    browser = console.browser()
    fill(browser, until=until)
    confirm(browser)
    before = consent.standing(console.trust.database, PROJECT)
    console.clock.pass_(minutes=1)
    console.hear(told(epsilon=900.0, job_kinds=("count", "statistics")))
    assert consent.standing(console.trust.database, PROJECT) == before
    assert "What the hub tells has changed" in browser.open("/").text
    assert "What the hub tells has changed" in browser.open(PAGE).text


@pytest.mark.parametrize(
    ("change", "state", "event"),
    [("pause", "paused", "consent.paused"), ("leave", "left", "consent.left")],
)
def test_pausing_and_leaving_are_read_first_and_keep_the_reason(console, change, state, event) -> None:
    console.hear()
    console.trust.opt_in()
    browser = console.browser()
    shown = browser.open(f"{PAGE}/{change}").text
    assert "refused at once" in shown
    assert consent.standing(console.trust.database, PROJECT).state == "opted_in"
    browser.send(f"{PAGE}/{change}", reason="A complaint")
    assert consent.standing(console.trust.database, PROJECT).state == state
    assert console.trust.events(event)[-1]["details"]["reason"] == "A complaint"
    assert "A complaint" in browser.open(PAGE).text


def test_a_pause_ends_on_the_terms_there_were(console) -> None:
    console.hear()
    console.trust.opt_in(epsilon=7.0)
    browser = console.browser()
    for change in ("pause", "resume"):
        browser.open(f"{PAGE}/{change}")
        browser.send(f"{PAGE}/{change}", reason="")
    decided = consent.standing(console.trust.database, PROJECT)
    assert (decided.state, decided.terms.epsilon) == ("opted_in", 7.0)


@pytest.mark.parametrize("change", ["resume", "explode"])
def test_a_step_that_is_none_is_refused(console, change) -> None:
    console.hear()
    console.trust.opt_in()
    browser = console.browser()
    browser.open("/")
    assert browser.send(f"{PAGE}/{change}").status_code in {404, 422}


def test_a_project_that_the_hub_took_back_cannot_be_opted_in_to(console) -> None:
    console.hear(told(), told(project_id="other"))
    console.hear(told(project_id="other"))
    shown = console.browser().open(f"{PAGE}/opt-in")
    assert (shown.status_code, "does not ask for this project any more" in shown.text) == (422, True)


@pytest.mark.parametrize("person", [IRIS, OLI])
def test_only_a_steward_decides(console, person) -> None:
    console.hear()
    console.trust.opt_in()
    browser = console.browser(person)
    browser.open("/")
    sent = browser.send(f"{PAGE}/leave", reason="x")
    assert (sent.status_code, "Only a data steward decides" in sent.text) == (403, True)
    assert consent.standing(console.trust.database, PROJECT).state == "opted_in"
    (denied,) = console.trust.events("console.denied")
    assert denied["details"]["policy"] == "trust.decide"


def test_a_hostile_hubs_words_are_words(console) -> None:
    console.hear(told(title=HOSTILE, lay_summary='"><img src=x onerror=alert(1)>\u2067', researchers=(HOSTILE,)))
    browser = console.browser()
    for path in ("/", "/projects", PAGE, f"{PAGE}/opt-in"):
        page = browser.open(path).text
        assert "<script" not in page
        assert "<img" not in page
        assert "\u202e" not in page
        assert "\u2067" not in page
        assert "[U+202E]" in page


def test_what_is_heard_first_after_a_decision_or_of_other_trusts_is_no_change(console) -> None:
    console.trust.opt_in()
    console.clock.pass_(minutes=1)
    one = told()
    console.hear(one)
    assert "has changed" not in console.browser().open(PAGE).text
    console.clock.pass_(minutes=1)
    key = PeerKey(trust="bermondsey", identity_key=SigningKey.generate().public.x)
    console.hear(one.model_copy(update={"peers": (key,)}))
    assert "has changed" not in console.browser().open(PAGE).text
    assert "bermondsey" in console.browser().open("/trusts").text
    console.clock.pass_(minutes=1)
    console.hear(one.model_copy(update={"title": "Something else"}))
    assert "has changed" in console.browser().open(PAGE).text


def test_the_same_list_again_is_no_news_and_a_shorter_one_is(console) -> None:
    database, now = console.trust.database, console.clock()
    one, other = told(), told(project_id="b")
    assert heard.keep(database, [one, other], now)
    assert not heard.keep(database, [other, one], now)
    assert heard.keep(database, [one], now)
    assert [(one.record.project_id, one.listed) for one in heard.every(database)] == [("b", False), (PROJECT, True)]
    assert heard.keep(database, [one, other], now)
    assert heard.one(database, "b").listed
    verify_database(database)


def test_the_command_line_shows_what_the_hub_told_last_while_it_is_away(console) -> None:
    console.hear(told(title="Cytology"))
    shown = CliRunner().invoke(app, ["consent", "list", "--home", str(console.trust.config.home)])
    assert shown.exit_code == 0
    assert "Cytology" in shown.output


def test_a_database_that_cannot_be_written_says_so_and_changes_nothing(console, monkeypatch) -> None:
    console.hear()
    console.trust.opt_in()
    browser = console.browser()
    browser.open(f"{PAGE}/leave")
    full = SimpleNamespace(database=console.trust.database)
    full.database._connection.execute("PRAGMA query_only = ON")
    sent = browser.send(f"{PAGE}/leave", reason="x")
    full.database._connection.execute("PRAGMA query_only = OFF")
    assert (sent.status_code, "Nothing was changed" in sent.text) == (503, True)
    assert consent.standing(Database.open(console.trust.config.database), PROJECT).state == "opted_in"
