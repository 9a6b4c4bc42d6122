"""What each page shows, to whom, and how fast where there is much."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from flip_sdk.accounting.calibrate import Debit
from flip_sdk.accounting.caps import Cap
from flip_sdk.accounting.events import Pure
from flip_sdk.contract.applications import DataAsked, PlannedOutput
from flip_sdk.contract.notices import PeerKey, ProjectForTrust
from flip_sdk.contract.signatures import SigningKey
from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.errors import RecordError
from flip_sdk.graph_words import listing
from flip_trust import catalogue, seen
from flip_trust.agent import pulse
from flip_trust.audit import Entry, read_export, verify_entries
from flip_trust.console import spending
from flip_trust.console.chart import chart
from flip_trust.console.settings_view import settable_by_the_hub
from flip_trust.console.words import what_epsilon_means
from flip_trust.disclosure.presets import presets
from flip_trust.imaging import cleaning
from flip_trust.ledger import store
from flip_trust.verify import verify_task

from tests.trust.console.lived_in import live, refuse_things, spend
from tests.trust.console.world import IRIS, OLI, SAM, told
from tests.trust.world import GRAPH, NAME, PROJECT, count_spec

PAGE = f"/projects/{PROJECT}"


def test_the_first_page_tells_how_the_agent_is(console) -> None:
    browser, home, now = console.browser(), console.trust.config.home, console.clock().isoformat()
    assert "Not running" in browser.open("/").text
    beat = pulse.Pulse(now, now)
    pulse.write(home, beat.beat(console.clock(), "", asked=True))
    assert "connected to the hub" in browser.open("/").text
    pulse.write(home, beat.beat(console.clock(), "away", asked=False))
    assert "The hub cannot be reached; everything on this console works" in browser.open("/").text
    console.clock.pass_(minutes=5)
    assert "Not running" in browser.open("/").text


def test_a_restored_trust_says_that_it_refuses_everything(console) -> None:
    browser = console.browser()
    assert "Restored from a backup" not in browser.open("/").text
    with console.trust.database.transaction() as transaction:
        entry = Entry("operator", "trust.restored", "trust/aldgate")
        transaction.write(entry, ("INSERT INTO restored (at, archive) VALUES ('2026-11-30', 'x')", ()))
    assert "flip-trust ledger reconcile" in browser.open("/").text


def test_what_is_asked_is_told_in_the_forms_words(console) -> None:
    data = DataAsked(trust="aldgate", what="Cells of adults", why="To learn", domains=("conditions", "measurements"))
    output = PlannedOutput(kind="model", audience="publication", description="One model")
    console.hear(told(data=(data,), planned_outputs=(output, output)))
    shown = console.browser().open(PAGE).text
    assert "Which patients, which data: Cells of adults\nWhat it is needed for: To learn\n" in shown
    assert "Kinds of data: Diagnoses, Measurements and laboratory results" in shown
    assert "Kind: Trained model\nFor whom: " in shown
    assert "domains" not in shown
    assert "audience" not in shown


def test_a_pulse_that_cannot_be_read_is_none(tmp_path) -> None:
    assert pulse.read(tmp_path) is None
    (tmp_path / pulse.FILE).write_text("[]")
    assert pulse.read(tmp_path) is None


def test_only_a_steward_sees_exact_sizes(console) -> None:
    job = live(console)
    steward, auditor = console.browser(), console.browser(IRIS)
    size = seen.job_of(console.trust.database, job).persons
    assert size
    assert f"<strong>{size}</strong>" in steward.open(f"/jobs/{job}").text
    assert "Do not pass on" in steward.open(PAGE).text
    for path in (PAGE, f"/jobs/{job}"):
        page = auditor.open(path).text
        assert "exact" not in page.lower()
        assert f">{size}<" not in page
    assert auditor.open(f"{PAGE}/questions").status_code == 403


def test_what_ran_and_what_was_refused_are_told_in_words(console) -> None:
    job = live(console)
    browser = console.browser()
    page = browser.open(PAGE).text
    assert "The epsilon asked for is over the Trust&#39;s cap for one job." in page
    assert "ada" in page
    page = browser.open(f"/jobs/{job}").text
    assert "mean radius, mean texture" in page
    assert "whether there is a record of malignant" in page
    assert "linear(person, weight, bias)" in page
    assert "rufus</bdi>, <bdi>mina" in page


def test_exact_sizes_of_every_kind_are_kept_here_and_nowhere_else(console) -> None:
    trust = console.trust
    trust.opt_in()
    agent = trust.agent()
    job = trust.hub.job(count_spec())
    received = trust.carrier.put(trust.hub.parts(job, "count"))
    agent.take(trust.carrier.receive())
    trust.carrier.answer(received)
    assert seen.job_of(trust.database, job.job_id).persons == 400
    audited = str(trust.database.read("SELECT details FROM audit"))
    assert "persons" not in audited
    assert b"400" not in b"".join(trust.carrier.wire())


@pytest.mark.parametrize(
    ("person", "seen_pages"),
    [
        (SAM, {"projects", "ledger", "quarantine", "audit", "trusts", "settings"}),
        (IRIS, {"projects", "ledger", "quarantine", "audit", "trusts", "settings"}),
        (OLI, {"quarantine", "settings"}),
    ],
)
def test_who_sees_which_pages(console, person, seen_pages) -> None:
    live(console)
    browser = console.browser(person)
    first = browser.open("/").text
    for name in ("projects", "ledger", "quarantine", "audit", "trusts", "settings"):
        assert browser.open(f"/{name}").status_code == (200 if name in seen_pages else 403)
        assert (f'href="/{name}"' in first) == (name in seen_pages)


def test_pages_of_an_empty_trust_say_that_they_are_empty(console) -> None:
    browser = console.browser()
    for path, words in {
        "/": "No project waits for a decision",
        "/projects": "The hub has not told of any project yet",
        "/ledger": "Nothing was spent yet",
        "/quarantine": "No image was refused",
        "/trusts": "Nothing was published yet",
        "/audit?actor=nobody": "No entry fits",
    }.items():
        found = browser.open(path)
        assert (found.status_code, words in found.text) == (200, True), path
    for path in ("/projects/none", "/jobs/none", "/quarantine/images/imaging/none", "/quarantine/records/fhir/x.jsonl"):
        assert browser.open(path).status_code == 404
    assert browser.open("/projects/NOT A NAME").status_code == 422
    assert browser.open("/quarantine/records/fhir/..%2F..%2Ftrust.toml").status_code == 404


def test_the_ledger_is_drawn_and_told(console) -> None:
    console.hear()
    console.trust.opt_in(epsilon=40.0)
    spend(console, 90)
    browser = console.browser()
    for path in ("/ledger", f"/ledger?project={PROJECT}"):
        page = browser.open(path).text
        assert '<path class="flip-chart__line" d="M0 220V' in page
        assert "If the last 30 days repeat themselves" in page
        assert "discrete Laplace" in page
        assert "style=" not in page


def test_spending_over_time_ends_where_the_ledger_stands(console) -> None:
    spend(console, 60)
    database = console.trust.database
    points = spending.series(database, 1e-5, console.clock(), PROJECT)
    assert points[-1].epsilon == pytest.approx(store.spent(database, 1e-5, PROJECT))
    assert [point.epsilon for point in points] == sorted(point.epsilon for point in points)
    assert chart(points, 100.0).cap_y is None
    assert chart(points, points[-1].epsilon).cap_y is not None
    assert chart([], 1.0) is None


def test_a_forecast_is_made_only_where_there_is_something_to_make_it_from(console) -> None:
    database, now = console.trust.database, console.clock()
    cap = Cap(40.0, 1e-5, 160.0)
    assert spending.forecast(database, cap, now).kind == "young"
    spend(console, 60)
    found = spending.forecast(database, cap, now)
    assert found.kind == "until"
    assert found.until > now + timedelta(days=60)
    assert spending.forecast(database, Cap(1.0, 1e-5, 4.0), now).kind == "used"
    assert spending.forecast(database, Cap(1e6, 1e-5, 4e6), now).kind == "long"
    assert spending.forecast(database, cap, now + timedelta(days=40)).kind == "idle"


def test_a_header_is_told_without_whom_it_shows(console) -> None:
    name = refuse_things(console)
    browser = console.browser(OLI)
    page = browser.open(f"/quarantine/images/deidentification/{name}").text
    assert "Sono 3" in page
    assert "EXAMPLE" not in page
    assert "9434765919" not in page
    assert console.trust.events("quarantine.looked")[0]["actor"] == "operator/oli"


def test_a_file_that_is_no_dicom_is_told_so(console) -> None:
    name = refuse_things(console)
    path = console.trust.config.home / "quarantine" / "deidentification" / name
    for content in (b"", b"nonsense" * 40, b"\0" * 128 + b"DICM" + b"\xff" * 60):
        path.write_bytes(content)
        assert console.browser().open(f"/quarantine/images/deidentification/{name}").status_code == 200


def test_an_auditor_sees_counts_of_what_was_refused_and_nothing_else(console) -> None:
    name = refuse_things(console)
    browser = console.browser(IRIS)
    page = browser.open("/quarantine").text
    assert "Text was found in the picture" in page
    assert name not in page
    assert browser.open(f"/quarantine/images/deidentification/{name}").status_code == 403


def test_a_refused_image_is_deleted_with_a_reason_and_never_tried_again(console) -> None:
    name = refuse_things(console)
    home = console.trust.config.home
    raw = home / "imaging" / "raw" / name[:2] / name
    raw.parent.mkdir(parents=True)
    raw.write_bytes(b"raw")
    browser = console.browser()
    address = f"/quarantine/images/deidentification/{name}"
    browser.open(address)
    assert browser.send(f"{address}/delete", reason=" ").status_code == 422
    assert raw.exists()
    assert browser.send(f"{address}/delete", reason="Sent by mistake").status_code == 200
    assert not raw.exists()
    assert not (home / "quarantine" / "deidentification" / name).exists()
    assert cleaning.is_deleted(home, name)
    (event,) = console.trust.events("quarantine.deleted")
    assert event["details"] == {"reason": "Sent by mistake", "refused": "text was found in the picture"}
    assert cleaning.clean(str(home), cleaning.Cleaning(home).place.profile.model_dump_json(), [name]) == [
        (name, "", "DELETED")
    ]


def test_refused_records_are_told_by_place_and_reason_and_deleted(console) -> None:
    refuse_things(console)
    browser = console.browser()
    page = browser.open("/quarantine").text
    assert "FHIR: 40 refused" in page
    address = page.partition('href="/quarantine/records')[2].partition('"')[0]
    page = browser.open(f"/quarantine/records{address}?page=2").text
    assert "line 39" in page
    assert "MRS EXAMPLE" not in page
    browser.send(f"/quarantine/records{address}/delete", reason="The source was put right")
    assert "No record was refused" in browser.open("/quarantine").text


def test_only_a_steward_deletes(console) -> None:
    name = refuse_things(console)
    browser = console.browser(OLI)
    browser.open("/quarantine")
    sent = browser.send(f"/quarantine/images/deidentification/{name}/delete", reason="x")
    assert (sent.status_code, "Only a data steward deletes" in sent.text) == (403, True)


def test_the_log_is_searched_verified_and_taken_away(console) -> None:
    live(console)
    browser = console.browser(IRIS)
    page = browser.open("/audit?event=consent.&actor=steward/").text
    assert "consent.opted_in" in page
    assert "task.offered" not in page
    assert "consent.opted_in" in browser.open(f"/audit?event=consent&since={console.clock():%Y-%m-%d}").text
    assert "No entry fits" in browser.open("/audit?until=2020-01-01").text
    assert browser.open("/audit?since=yesterday").status_code == 422
    browser.open("/audit")
    assert "The log is whole" in browser.send("/audit/verify").text
    copy = browser.send("/audit/export")
    assert "attachment" in copy.headers["content-disposition"]
    entries = list(read_export(copy.text.splitlines()))
    verify_entries(entries)
    assert entries[-1]["event"] == "audit.exported"


def test_a_log_that_was_changed_is_told_with_its_entry(console) -> None:
    live(console)
    connection = console.trust.database._connection
    connection.execute("DROP TRIGGER audit_fixed")
    connection.execute("UPDATE audit SET actor = 'nobody' WHERE sequence = 4")
    browser = console.browser()
    browser.open("/audit")
    page = browser.send("/audit/verify").text
    assert "The log is not whole" in page
    assert "entry 4" in page


def test_the_settings_say_where_they_come_from_and_that_the_hub_has_no_say(console, monkeypatch) -> None:
    monkeypatch.setenv("FLIP_TRUST_ROUNDING", "5")
    page = console.browser().open("/settings").text
    assert "none is a field of a task, of a signed-off job" in page
    assert "environment" in page
    assert "OpenSAFELY" in page
    path = console.trust.config.home / "trust.toml"
    path.write_text(path.read_text() + "floor = 3\n")
    assert "It says something else now" in console.browser().open("/settings").text
    for broken in ("floor = ", "unheard_of = 1\n", "\xff"):
        path.write_text(broken)
        assert "The file cannot be read any more" in console.browser().open("/settings").text
    path.unlink()
    assert console.browser().open("/settings").status_code == 200


def test_the_hospitals_own_policies_are_shown_and_so_is_what_is_wrong_with_them(console) -> None:
    assert "There is none." in console.browser().open("/settings").text
    path = console.trust.config.home / "jobs.cedar"
    path.write_text('@id("ours.all") @reason("The hospital is moving.") forbid (principal, action, resource);')
    page = console.browser().open("/settings").text
    assert "ours.all" in page
    assert "The hospital is moving." in page
    path.write_text("permit (principal, action, resource);")
    page = console.browser().open("/settings").text
    assert "cannot be used" in page
    assert "permits something" in page


def test_why_a_policy_refused_a_task_is_told_at_the_trust(console) -> None:
    trust = console.trust
    trust.opt_in()
    (trust.config.home / "jobs.cedar").write_text(
        '@id("ours.all") @reason("The hospital is moving.") forbid (principal, action, resource);'
    )
    runner = trust.runner()
    answer = runner.run(
        verify_task(
            trust.hub.parts(trust.hub.job(count_spec()), "count"),
            hub=trust.hub.pinned,
            trust=NAME,
            now=datetime.now(UTC),
            seen=lambda _: False,
        )
    )
    assert answer.code == RefusalCode.JOB_KIND_NOT_ALLOWED
    assert b"moving" not in answer.canonical()
    assert "The hospital is moving." in console.browser().open(PAGE).text


def test_nothing_that_a_hub_sends_has_a_place_for_a_setting() -> None:
    assert settable_by_the_hub() == frozenset()
    for name, value in {"floor": 1, "total_epsilon": 1e6, "production": False}.items():
        with pytest.raises(RecordError):
            ProjectForTrust.parse(told().model_dump(mode="json") | {name: value})


def test_presets_are_what_their_names_say() -> None:
    found = {preset.name: (preset.floor, preset.rounding) for preset in presets()}
    assert found == {"nhs-england": (10, 5), "opensafely": (8, 5), "acro": (10, 1)}


def test_other_trusts_and_the_catalogue_are_shown(console) -> None:
    key = PeerKey(trust="bermondsey", identity_key=SigningKey.generate().public.x)
    console.hear(told(peers=(key,)))
    catalogue.compile_notice(console.trust.config, console.trust.database, 0.5, "sam", console.clock())
    page = console.browser().open("/trusts").text
    assert "bermondsey" in page
    assert "Not confirmed" in page
    assert "The hub does not have the latest one yet" in page


def test_a_model_is_listed_so_that_a_person_can_read_it() -> None:
    from flip_sdk.contract.graph import parse_graph

    found = listing(parse_graph(GRAPH))
    assert (found.inputs, found.learnt, found.fixed) == ("2", 3, 0)
    assert list(found.lines) == ["answer [1] = linear(person, weight, bias)"]


@pytest.mark.parametrize(
    ("epsilon", "words"), [(0.5, "62% sure"), (3.0, "95% sure"), (8.0, "practically certain"), (1000.0, "certain")]
)
def test_a_budget_is_told_in_words(epsilon, words) -> None:
    assert words in " ".join(what_epsilon_means(epsilon, 1e-5))


def test_ten_thousand_tasks_are_turned_page_by_page_and_fast(console) -> None:
    job = live(console)
    with console.trust.database.transaction() as transaction:
        task = transaction.read("SELECT * FROM task WHERE job_id = ? LIMIT 1", (job,))[0]
        question = transaction.read("SELECT * FROM query LIMIT 1")[0]
        for number in range(10_000):
            row = task | {
                "task_id": f"t{number}",
                "job_id": f"j{number}",
                "received_at": f"2026-01-01T00:00:00.{number:06d}+00:00",
            }
            asked = question | {"sequence": 1000 + number, "job_id": f"j{number}"}
            values = tuple(row.values())
            transaction._connection.execute(f"INSERT INTO task VALUES ({','.join('?' * len(values))})", values)
            values = tuple(asked.values())
            transaction._connection.execute(f"INSERT INTO query VALUES ({','.join('?' * len(values))})", values)
        store_many(transaction)
    browser = console.browser()
    for path in (
        PAGE,
        f"{PAGE}?page=380",
        "/",
        "/ledger",
        "/audit",
        "/audit?event=filler",
        f"{PAGE}/questions?page=300",
    ):
        begun = time.perf_counter()
        assert browser.open(path).status_code == 200
        assert time.perf_counter() - begun < 2.0, path
    assert "10,004 in all" in browser.open(PAGE).text


def store_many(transaction) -> None:
    event = Pure(epsilon=0.001).canonical().decode()
    sql = "INSERT INTO ledger (at, project_id, job_id, purpose, event) VALUES (?, ?, ?, 'count', ?)"
    rows = [("2026-01-01T00:00:00+00:00", PROJECT, f"many-{number}", event) for number in range(10_000)]
    transaction._connection.executemany(sql, rows)
    for number in range(500):
        transaction.write(Entry("agent", "filler", f"x/{number}"))


def test_debits_of_a_catalogue_are_nobodys_project(console) -> None:
    with console.trust.database.transaction() as transaction:
        store.debit(transaction, None, "catalogue-x", (Debit("catalogue", Pure(epsilon=0.5)),), "steward/sam")
    assert "Catalogue" in console.browser().open("/ledger").text
