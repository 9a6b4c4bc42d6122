"""Two numbers, one patient: whatever comes first, however often: the rows are the survivor's, and an opt-out too."""

from __future__ import annotations

from datetime import date
from itertools import permutations

import polars as pl
import pytest
from flip_trust.deidentification.keyed import Keyed
from flip_trust.imaging.index import Index
from flip_trust.ingest import links, merges, omop, store
from flip_trust.ingest.cdm import definition
from flip_trust.ingest.fhir.load import load as load_fhir
from flip_trust.ingest.hl7.journal import Journal
from flip_trust.ingest.hl7.listener import JOURNAL_FOLDER
from flip_trust.ingest.hl7.load import PLACE_FILE, load_file, load_journal
from flip_trust.ingest.report import MappingReport

from tests.trust.ingest import samples
from tests.trust.ingest.hl7_samples import PID, message
from tests.trust.ingest.samples import HOSPITAL_NUMBER, tables
from tests.trust.ingest.test_hl7 import written
from tests.trust.ingest.test_optouts import PERSON, chosen, opt_out

OLD = "RX1-0007"
OLD_PID = f"PID|1||{OLD}^^^RX1^MR||Doe^J||19710101|F"
PV1 = "PV1|1|I|W1" + "|" * 16 + "V9"
OLD_VISIT = message("ADT^A01", PV1 + "|" * 25 + "20240201", control="b1", pid=OLD_PID)
OLD_RESULT = message(
    "ORU^R01",
    PV1,
    "OBR|1|P9|F9|panel^Panel^L|||20240202110000",
    "OBX|1|NM|g1^Glucose^LN||6.5|mmol/L^^UCUM|||||P",
    control="b2",
    pid=OLD_PID,
)
OLD_ORDER = message("ORM^O01", "ORC|NW|P7|F7||||||20240203", "OBR|1|P7|F7|p1^CT chest^SCT", control="b3", pid=OLD_PID)
ADMITTED = message("ADT^A01", "PV1|1|I|W1" + "|" * 16 + "V1" + "|" * 25 + "20240101", control="a1")
MERGE = message("ADT^A40^ADT_A39", "EVN|A40|20240301", f"MRG|{OLD}^^^RX1^MR", control="m1")
DISCHARGED = message("ADT^A03", "EVN|A03|20240205", PV1, control="a2")
CORRECTED = OLD_RESULT.replace(OLD_PID.encode(), PID.encode()).replace(
    b"6.5|mmol/L^^UCUM|||||P", b"6.8|mmol/L^^UCUM|||||C"
)


@pytest.fixture
def survivor(home) -> int:
    return links.person_of(Keyed.load(home), HOSPITAL_NUMBER)


def whose(home) -> dict[str, set[int]]:
    found = tables(home)
    return {
        name: set(frame["person_id"])
        for name, frame in found.items()
        if "person_id" in frame.columns and name != "person_link" and len(frame)
    }


def content(home, *, ids: bool = True) -> dict[str, list]:
    return {
        name: sorted(frame.select(pl.all() if ids else pl.exclude("^.*_id$")).rows(), key=str)
        for name, frame in tables(home).items()
        if name != "person_link"
    }


def test_rows_of_who_is_merged_go_to_the_survivor(with_vocabulary, tmp_path, survivor):
    load_file(with_vocabulary, written(tmp_path, ADMITTED, OLD_VISIT, OLD_RESULT, OLD_ORDER))
    assert len(tables(with_vocabulary)["person"]) == 2
    report = load_file(with_vocabulary, written(tmp_path, MERGE))

    assert set.union(*whose(with_vocabulary).values()) == {survivor}
    assert report.moved >= 4
    found = tables(with_vocabulary)
    assert (len(found["person"]), found["person"]["year_of_birth"][0]) == (1, 1970)
    period = found["observation_period"].row(0, named=True)
    assert [str(period[f"observation_period_{end}_date"]) for end in ("start", "end")] == ["2024-01-01", "2024-02-02"]


@pytest.mark.parametrize("order", list(permutations("avrm")), ids="".join)
def test_it_does_not_matter_when_the_merge_comes_nor_how_often(home, tmp_path, survivor, order):
    named = {"a": ADMITTED, "v": OLD_VISIT, "r": OLD_RESULT, "m": MERGE}
    order = [named[one] for one in order]
    load_file(home, written(tmp_path, *order))
    whole = content(home)
    for one in order:
        load_file(home, written(tmp_path, one))
    assert content(home) == whole
    assert set.union(*whose(home).values()) == {survivor}
    assert {name: len(frame) for name, frame in tables(home).items() if name in whole} == {
        "measurement": 1,
        "observation_period": 1,
        "person": 1,
        "visit_occurrence": 2,
    }


def test_message_by_message_and_all_at_once_say_the_same(home, tmp_path):
    everything = (ADMITTED, OLD_VISIT, OLD_RESULT, OLD_ORDER, MERGE, DISCHARGED, CORRECTED)
    for one in everything:
        load_file(home, written(tmp_path, one))
    apart = content(home)
    for path in (home / "omop").glob("*.parquet"):
        path.unlink()
    load_file(home, written(tmp_path, *everything))

    assert content(home) == apart


def test_what_goes_on_under_the_surviving_number_is_the_same_visit_and_the_same_result(home, tmp_path):
    load_file(home, written(tmp_path, OLD_VISIT, OLD_RESULT, MERGE, DISCHARGED, CORRECTED))
    found = tables(home)
    visit = found["visit_occurrence"].row(0, named=True)

    assert len(found["visit_occurrence"]) == 1
    assert [str(visit[f"visit_{end}_date"]) for end in ("start", "end")] == ["2024-02-01", "2024-02-05"]
    assert list(found["measurement"]["value_as_number"]) == [6.8]
    assert list(found["measurement"]["visit_occurrence_id"]) == [visit["visit_occurrence_id"]]


def test_a_journal_that_is_replayed_from_its_beginning_changes_nothing(home, survivor):
    writer = Journal.open(home / JOURNAL_FOLDER)
    writer.append([OLD_VISIT, ADMITTED, OLD_RESULT, MERGE, OLD_ORDER, DISCHARGED])
    writer.close()
    load_journal(home)
    before = {path.name: path.read_bytes() for path in (home / "omop").glob("*.parquet")}
    (home / PLACE_FILE).unlink()
    load_journal(home)

    assert {path.name: path.read_bytes() for path in (home / "omop").glob("*.parquet")} == before
    assert set.union(*whose(home).values()) == {survivor}


def test_a_run_that_is_killed_between_the_links_and_the_rows_is_made_good(home, tmp_path, survivor, monkeypatch):
    load_file(home, written(tmp_path, ADMITTED, OLD_VISIT))
    with monkeypatch.context() as patched:
        patched.setattr("flip_trust.ingest.merges.apply", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            load_file(home, written(tmp_path, MERGE))
    opt_out(home, tmp_path, f"{HOSPITAL_NUMBER}\n")
    assert chosen(home) == set()
    load_journal(home)

    assert set.union(*whose(home).values()) == {survivor}


@pytest.mark.parametrize("number", [OLD, HOSPITAL_NUMBER, samples.NHS_NUMBER])
@pytest.mark.parametrize("first", ["list", "merge"])
def test_an_opt_out_of_either_identity_counts(home, tmp_path, number, first):
    if first == "list":
        opt_out(home, tmp_path, f"{number}\n")
    load_file(home, written(tmp_path, ADMITTED, OLD_VISIT, MERGE))
    if first == "merge":
        assert len(chosen(home)) == 1
        opt_out(home, tmp_path, f"{number}\n")

    assert chosen(home) == set()


def test_a_chain_of_merges_ends_at_the_last_and_never_in_a_ring(home, tmp_path, survivor):
    third = "RX1-0003"
    first = message("ADT^A40", f"MRG|{third}^^^RX1^MR", pid=OLD_PID)
    back = message("ADT^A40", f"MRG|{HOSPITAL_NUMBER}^^^RX1^MR", pid=OLD_PID)
    visit = OLD_VISIT.replace(OLD.encode(), third.encode())
    load_file(home, written(tmp_path, visit, first, MERGE, ADMITTED, back, first))

    assert set.union(*whose(home).values()) == {survivor}


def test_fhir_and_tables_that_still_know_the_old_number_give_to_the_survivor(home, tmp_path, survivor):
    load_file(home, written(tmp_path, ADMITTED, MERGE))
    old = samples.resource(
        "Patient",
        "old",
        identifier=[{"type": {"coding": [{"code": "MR"}]}, "value": OLD}],
        birthDate="1971-01-01",
    )
    load_fhir(home, samples.bundle(tmp_path / "b.json", old))
    assert set(tables(home)["person"]["person_id"]) == {survivor}
    assert tables(home)["person"]["year_of_birth"][0] == 1970
    (tmp_path / "person.csv").write_text(f"{PERSON}17,0,1971,0,0,{OLD}\n")
    omop.load(home, tmp_path / "person.csv")

    assert set(tables(home)["person"]["person_id"]) == {survivor}
    opt_out(home, tmp_path, f"{HOSPITAL_NUMBER}\n")
    assert chosen(home) == set()


def test_periods_of_the_source_that_overlap_after_a_merge_are_one(home, tmp_path):
    (tmp_path / "person.csv").write_text(f"{PERSON}1,0,1971,0,0,{OLD}\n2,0,1970,0,0,{HOSPITAL_NUMBER}\n")
    head = "observation_period_id,person_id,observation_period_start_date,observation_period_end_date"
    rows = "1,1,2020-01-01,2021-01-01,1\n2,2,2020-06-01,2022-01-01,1\n3,2,2023-01-01,2023-06-01,1\n"
    (tmp_path / "observation_period.csv").write_text(f"{head},period_type_concept_id\n{rows}")
    omop.load(home, tmp_path)
    load_file(home, written(tmp_path, MERGE))

    periods = tables(home)["observation_period"]
    assert [(str(s), str(e)) for _, _, s, e, _ in periods.sort("observation_period_start_date").rows()] == [
        ("2020-01-01", "2022-01-01"),
        ("2023-01-01", "2023-06-01"),
    ]


def test_of_two_links_of_one_number_the_later_counts_after_a_merge_too(home):
    links.add(home, [(links.MERGED, 1, 2), *((links.NUMBER, key, 5) for key in range(3000))])
    told = [(links.NUMBER, key * 7919 % 3000, person) for person in (3, 4) for key in range(3000)]
    links.add(home, told)

    assert set(links.known_numbers(home).values()) == {4}


def test_of_periods_that_become_one_the_smallest_number_stays(home):
    count = 2000
    links.add(home, [(links.MERGED, old, old // 2 + 10**6) for old in range(2 * count)])
    (home / "omop").mkdir(exist_ok=True)
    start, end = date(2020, 1, 1), date(2021, 1, 1)
    periods = pl.DataFrame({"person_id": [number * 7919 % (2 * count) for number in range(2 * count)]}).with_columns(
        pl.int_range(pl.len()).alias("observation_period_id"), observation_period_start_date=pl.lit(start),
        observation_period_end_date=pl.lit(end), period_type_concept_id=pl.lit(1, pl.Int64),
    )  # fmt: skip
    store.merge(home / "omop", definition("observation_period"), periods)
    merges.apply(home, MappingReport("test"))

    smallest = periods.group_by(pl.col("person_id") // 2 + 10**6).agg(pl.col("observation_period_id").min())
    kept = tables(home)["observation_period"]
    assert dict(kept.select("person_id", "observation_period_id").iter_rows()) == dict(smallest.iter_rows())


def test_a_merge_without_the_numbers_it_needs_is_refused(home, tmp_path):
    nobody = message("ADT^A40", "EVN|A40|20240301")
    empty = message("ADT^A40", "MRG|^^^RX1^MR")
    same = message("ADT^A40", f"MRG|{HOSPITAL_NUMBER}^^^RX1^MR~{samples.NHS_NUMBER}^^^NHS^NH")
    foreign = message("ADT^A40", f"MRG|{OLD}^^^RX1^VN")
    report = load_file(home, written(tmp_path, nobody, empty, same, foreign))

    assert report.refused.total() == 4


def test_a_merge_of_accounts_is_taken_and_told(home, tmp_path):
    report = load_file(home, written(tmp_path, message("ADT^A35", "MRG|||A1")))
    assert (report.refused.total(), report.passed_over.total()) == (0, 1)


def test_a_cancelled_discharge_opens_the_visit_again(home, tmp_path):
    cancelled = message("ADT^A13", "EVN|A13|20240206", PV1 + "|" * 26 + "20240205", control="a13")
    again = message("ADT^A03", "EVN|A03|20240209", PV1, control="a4")
    admitted = OLD_VISIT.replace(OLD_PID.encode(), PID.encode())

    def end(*raw: bytes) -> str:
        load_file(home, written(tmp_path, *raw))
        return str(tables(home)["visit_occurrence"]["visit_end_date"][0])

    assert end(admitted, DISCHARGED) == "2024-02-05"
    assert end(cancelled) == "2024-02-01"
    assert end(again) == "2024-02-09"
    assert end(admitted, DISCHARGED, cancelled) == "2024-02-01"
    assert end(admitted, DISCHARGED, cancelled, again) == "2024-02-09"


def test_images_that_were_indexed_before_the_merge_are_the_survivors(home, tmp_path, survivor):
    gone = links.person_of(Keyed.load(home), OLD)
    store.write(home / "imaging" / "index" / "1.parquet", pl.DataFrame([{"file": "f", "person_id": gone}]))
    row = {"image_occurrence_id": [5], "person_id": [gone], "image_occurrence_date": [date(2024, 5, 1)]}
    store.write(home / "omop" / "image_occurrence.parquet", pl.DataFrame(row))
    load_file(home, written(tmp_path, ADMITTED, MERGE))

    assert list(Index(home).instances().collect()["person_id"]) == [survivor]
    assert list(tables(home)["image_occurrence"]["person_id"]) == [survivor]
