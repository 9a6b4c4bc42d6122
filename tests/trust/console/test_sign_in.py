"""Who gets in, how long they stay, and who is turned away before anything is looked at."""

from __future__ import annotations

import os
import socket
from dataclasses import replace

import pytest
from flip_trust.console import people
from flip_trust.console.pages import sign_in
from flip_trust.console.peer import account_of
from flip_trust.errors import ConsentError

from tests.trust.console.world import OLI, SAM

PASSPHRASE = "seven lamps over aldgate"


def test_a_link_lets_one_person_in_once(console) -> None:
    link = console.desk.sessions.link(SAM)
    first, second = console.stranger(), console.stranger()
    assert "as <strong>sam</strong>" in first.open(f"/enter?link={link}").text
    assert "Today at Aldgate" in first.client.post("/enter", data={"link": link}).text
    assert second.client.post("/enter", data={"link": link}).status_code == 403
    (entered,) = console.trust.events("console.entered")
    assert (entered["actor"], entered["details"]["by"]) == ("steward/sam", "link")


def test_looking_at_a_link_does_not_use_it_and_it_grows_old(console) -> None:
    link = console.desk.sessions.link(SAM)
    for _ in range(3):
        console.stranger().open(f"/enter?link={link}")
    console.clock.pass_(minutes=11)
    assert console.stranger().client.post("/enter", data={"link": link}).status_code == 403


def test_the_cookie_is_for_this_browser_and_these_pages_alone(console) -> None:
    entered = console.stranger(follow_redirects=False).client.post(
        "/enter", data={"link": console.desk.sessions.link(SAM)}
    )
    cookie = entered.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert cookie.startswith("flip-console-8601=")


@pytest.mark.parametrize("path", ["/", "/projects", "/ledger", "/quarantine", "/audit", "/settings", "/trusts"])
def test_without_signing_in_there_is_nothing_to_see(console, path) -> None:
    found = console.stranger(follow_redirects=False).open(path)
    assert (found.status_code, found.headers["location"]) == (303, "/enter")


def test_a_form_without_signing_in_does_nothing(console) -> None:
    console.hear()
    sent = console.stranger().client.post("/projects/breast-cytology/opt-in", data={"epsilon": "1", "confirmed": "yes"})
    assert sent.status_code == 401
    assert console.trust.database.read("SELECT * FROM consent") == []


def test_who_does_nothing_for_a_while_is_signed_out(console) -> None:
    browser = console.browser()
    for _ in range(3):
        console.clock.pass_(minutes=14)
        assert "Today at Aldgate" in browser.open("/").text
    console.clock.pass_(minutes=16)
    assert "Today at Aldgate" not in browser.open("/").text


def test_nobody_stays_for_ever(console) -> None:
    browser = console.browser()
    for _ in range(45):
        console.clock.pass_(minutes=14)
        browser.open("/settings")
    assert "flip-trust console" in browser.open("/").text


def test_signing_out_ends_the_session(console) -> None:
    browser = console.browser()
    browser.open("/")
    cookie = browser.client.cookies.get("flip-console-8601")
    browser.send("/leave")
    again = console.stranger(follow_redirects=False, cookies={"flip-console-8601": cookie})
    assert again.open("/").status_code == 303


def test_a_cookie_is_of_no_use_to_another_account_of_the_machine(console, monkeypatch) -> None:
    monkeypatch.setattr(sign_in, "account_at", lambda _request: 1001)
    monkeypatch.setattr("flip_trust.console.desk.account_at", lambda _request: 1001)
    browser = console.browser()
    assert "Today at Aldgate" in browser.open("/").text
    monkeypatch.setattr("flip_trust.console.desk.account_at", lambda _request: 1002)
    assert "Today at Aldgate" not in browser.open("/").text


def test_the_account_at_the_other_end_of_a_connection_is_known() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(listening.getsockname()) as one:
        ours, theirs = one.getsockname(), one.getpeername()
        assert account_of(ours, theirs) == os.getuid()
        assert account_of(("192.0.2.1", 40000), theirs) is None
        assert account_of((ours[0], 1), theirs) is None


def test_a_passphrase_lets_in_and_a_wrong_one_does_not(console) -> None:
    people.add(console.trust.database, "mo", "auditor", PASSPHRASE, "root")
    browser = console.stranger()
    wrong = browser.client.post("/enter", data={"name": "mo", "passphrase": "something else here"})
    unknown = browser.client.post("/enter", data={"name": "nobody", "passphrase": PASSPHRASE})
    assert (wrong.status_code, unknown.status_code) == (403, 403)
    assert "do not belong together" in wrong.text
    entered = browser.client.post("/enter", data={"name": "mo", "passphrase": PASSPHRASE})
    assert "mo (auditor)" in entered.text
    refused = console.trust.events("console.refused")
    assert [entry["details"]["name"] for entry in refused] == ["mo", "somebody unknown"]


def test_who_tries_too_often_has_to_wait_even_with_the_right_passphrase(console) -> None:
    people.add(console.trust.database, "mo", "auditor", PASSPHRASE, "root")
    client = console.stranger().client
    for _ in range(5):
        client.post("/enter", data={"name": "mo", "passphrase": "x"})
    locked = client.post("/enter", data={"name": "mo", "passphrase": PASSPHRASE})
    assert (locked.status_code, "too many tries" in locked.text) == (403, True)
    console.clock.pass_(minutes=2)
    assert client.post("/enter", data={"name": "mo", "passphrase": PASSPHRASE}).status_code == 200


def test_a_program_that_tries_all_day_does_not_fill_the_log(console) -> None:
    client = console.stranger().client
    for number in range(60):
        assert client.post("/enter", data={"name": f"x{number}", "passphrase": "y"}).status_code == 403
    assert len(console.trust.events("console.refused")) == 20
    console.clock.pass_(minutes=2)
    client.post("/enter", data={"link": "no such link"})
    assert len(console.trust.events("console.refused")) == 21


def test_a_closed_sign_in_ends_what_is_under_way(console) -> None:
    people.add(console.trust.database, "mo", "auditor", PASSPHRASE, "root")
    browser = console.stranger()
    browser.client.post("/enter", data={"name": "mo", "passphrase": PASSPHRASE})
    assert browser.open("/ledger").status_code == 200
    people.close(console.trust.database, "mo", "root")
    closed = browser.open("/ledger")
    assert (closed.status_code, "trust.people.closed" in closed.text) == (403, True)
    assert browser.client.post("/enter", data={"name": "mo", "passphrase": PASSPHRASE}).status_code == 403


@pytest.mark.parametrize(
    ("name", "role", "passphrase"),
    [("Mo!", "auditor", PASSPHRASE), ("mo", "king", PASSPHRASE), ("mo", "auditor", "short")],
)
def test_a_registration_that_does_not_do_is_refused(trust, name, role, passphrase) -> None:
    with pytest.raises(ConsentError):
        people.add(trust.database, name, role, passphrase, "root")


def test_no_passphrase_is_kept(trust) -> None:
    people.add(trust.database, "mo", "auditor", PASSPHRASE, "root")
    kept = str(trust.database.read("SELECT * FROM console_person")) + str(trust.database.read("SELECT * FROM audit"))
    assert PASSPHRASE not in kept
    assert "$argon2id$" in kept


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:9999", "localhost.evil.example:8601", ""])
def test_a_name_that_is_not_the_consoles_is_turned_away(console, host) -> None:
    browser = console.browser()
    answer = browser.client.get("/", headers={"host": host})
    assert answer.status_code == 421
    assert "Today" not in answer.text


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}]
)
def test_a_form_from_another_page_is_turned_away(console, headers) -> None:
    console.hear()
    browser = console.browser()
    browser.open("/projects/breast-cytology/opt-in")
    sent = browser.client.post("/projects/breast-cytology/opt-in", data=browser.hidden(), headers=headers)
    assert sent.status_code == 421


@pytest.mark.parametrize("token", ["", "0" * 64, "another session's"])
def test_a_form_without_this_sessions_token_does_nothing(console, token) -> None:
    console.trust.opt_in()
    browser, other = console.browser(), console.browser()
    other.open("/")
    sent = browser.client.post(
        "/projects/breast-cytology/leave", data={"form_token": other.token() if token.startswith("another") else token}
    )
    assert sent.status_code == 403
    assert console.trust.database.read("SELECT state FROM consent") == [{"state": "opted_in"}]


def test_every_answer_lets_nothing_foreign_in(console) -> None:
    for path in ("/enter", "/static/console.css", "/nowhere"):
        headers = console.stranger().open(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "script-src" not in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
    assert console.browser().open("/").headers["cache-control"] == "no-store"


def test_the_styles_fetch_nothing_from_elsewhere(console) -> None:
    assert "https://" not in console.stranger().open("/static/nhsuk/nhsuk-frontend.min.css").text.replace(
        "https://github", ""
    )


def test_more_than_a_form_holds_is_refused(console) -> None:
    sent = console.stranger().client.post("/enter", data={"name": "x" * 100_000})
    assert sent.status_code == 413


def test_a_person_of_no_role_is_not_let_in(console) -> None:
    link = console.desk.sessions.link(replace(OLI, role="visitor"))
    refused = console.stranger().client.post("/enter", data={"link": link})
    assert (refused.status_code, "trust.overview" in refused.text) == (403, True)
