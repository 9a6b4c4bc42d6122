from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime

import polars as pl
import pytest
from flip_trust.errors import IngestError
from flip_trust.ingest import omop, store, vocabulary
from flip_trust.ingest.casting import cast
from flip_trust.ingest.cdm import definition, definitions
from flip_trust.ingest.report import MappingReport
from flip_trust.ingest.vocabulary import Vocabulary
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trust.ingest import samples
from tests.trust.ingest.samples import tables

PERSON = "person_id,gender_concept_id,year_of_birth,race_concept_id,ethnicity_concept_id\n"
MEASURED = "measurement_id,person_id,measurement_concept_id,measurement_date,measurement_type_concept_id"
MEASURED += ",value_as_number,measurement_datetime\n"


def test_every_table_has_a_key_of_its_own_columns():
    for table in definitions().values():
        assert set(table.key) <= set(table.schema), table.name
    assert len(definitions()) >= 39


def test_tables_are_typed_and_merged_by_their_keys(home, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "person.csv").write_text(PERSON + "1,2000000201,1970,0,0\n2,2000000201,1980,0,0\n")
    (folder / "MEASUREMENT.csv").write_text(MEASURED.upper() + "7,1,2000000013,2024-01-02,0,1.5,2024-01-02 03:04:05\n")
    omop.load(home, folder)
    (folder / "person.csv").write_text(PERSON + "2,2000000201,1981,0,0\n3,2000000201,1990,0,0\n")
    report = omop.load(home, folder)

    assert tables(home)["person"]["year_of_birth"].to_list() == [1970, 1981, 1990]
    measured = tables(home)["measurement"].row(0, named=True)
    assert (measured["measurement_date"], measured["value_as_number"]) == (date(2024, 1, 2), 1.5)
    assert measured["measurement_datetime"] == datetime(2024, 1, 2, 3, 4, 5)  # noqa: DTZ001
    assert report.loaded == {"person": 2, "measurement": 1}


def test_parquet_is_taken_as_csv_is(home, tmp_path):
    frame = pl.DataFrame({"person_id": [1, 2], "death_date": [date(2024, 1, 1), None]})
    frame.write_parquet(tmp_path / "death.parquet")
    report = omop.load(home, tmp_path / "death.parquet")

    assert tables(home)["death"]["person_id"].to_list() == [1]
    assert report.refused == {"death: death_date: missing": 1}


def test_rows_that_do_not_fit_are_refused_each_with_all_its_reasons(home, tmp_path):
    (tmp_path / "measurement.csv").write_text(
        MEASURED
        + "1,1,5,2024-02-30,0,1.5,\n"
        + "2,,5.5,2024-01-01,0,nan,\n"
        + "3,1,5,20240101,0,,\n"
        + "x,1,5,2024-01-01,0,1e400,noon\n"
    )
    for _ in range(2):
        report = omop.load(home, tmp_path / "measurement.csv")
        kept = pl.read_parquet(report.kept_in[0])

        assert tables(home)["measurement"]["measurement_id"].to_list() == [3]
        assert len(list((home / "quarantine" / "omop").iterdir())) == 1
        assert kept["line"].to_list() == [2, 3, 5]
        assert kept["measurement_date"].to_list() == ["2024-02-30", "2024-01-01", "2024-01-01"]
        assert [len(reason.split("; ")) for reason in kept["reason"]] == [1, 3, 3]
    (tmp_path / "measurement.csv").write_text(MEASURED + "1,1,5,2024-02-28,0,1.5,\n")
    omop.load(home, tmp_path / "measurement.csv")
    assert tables(home)["measurement"]["measurement_id"].to_list() == [1, 3]


@pytest.mark.parametrize("name", ["nonsense.csv", "person.txt"])
def test_a_file_that_is_no_table_is_refused(home, tmp_path, name):
    (tmp_path / name).write_text(PERSON)
    with pytest.raises(IngestError):
        omop.load(home, tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"PAR1"])
def test_a_file_that_cannot_be_read_changes_nothing(home, tmp_path, content):
    file = tmp_path / ("person.parquet" if content == b"PAR1" else "person.csv")
    file.write_bytes(content)
    with pytest.raises(IngestError):
        omop.load(home, file)
    assert "person" not in tables(home)


def test_an_athena_download(with_vocabulary):
    folder = with_vocabulary / "vocabulary"

    assert len(pl.read_parquet(folder / "concept.parquet")) == 10
    assert pl.read_parquet(folder / "vocabulary.parquet")["vocabulary_name"].to_list() == ['A "made-up" one']
    assert pl.read_parquet(folder / "concept_ancestor.parquet").columns[:2] == [
        "ancestor_concept_id",
        "descendant_concept_id",
    ]
    assert pl.read_parquet(folder / "concept_relationship.parquet")["valid_end_date"].to_list() == [date(2099, 12, 31)]


def test_the_concepts_in_use_are_beside_the_tables_with_what_is_above_them(with_vocabulary, tmp_path):
    head = "condition_occurrence_id,person_id,condition_concept_id,condition_start_date,condition_type_concept_id\n"
    (tmp_path / "condition_occurrence.csv").write_text(head + f"1,1,{samples.DIABETES},2024-01-01,0\n")
    omop.load(with_vocabulary, tmp_path / "condition_occurrence.csv")

    assert set(tables(with_vocabulary)["concept"]["concept_id"]) == {samples.DIABETES, samples.DISORDER}


def test_of_several_ways_to_one_concept_a_source_concepts_is_taken_each_time(home, tmp_path):
    codes = [f"c{number * 7919 % 1000}" for number in range(1000)]
    heads = "source_code,source_concept_id,source_vocabulary_id,target_concept_id,target_vocabulary_id"
    ways = [f"{code},{source},local,{samples.DIABETES},SNOMED" for source in (0, 12, 11) for code in codes]
    text = f"{heads},valid_start_date,valid_end_date\n" + "".join(f"{way},1970-01-01,2099-12-31\n" for way in ways)
    vocabulary.load(home, samples.athena(tmp_path / "athena"))
    rows = pl.read_csv(text.encode())
    rows.write_parquet(home / "vocabulary" / "source_to_concept_map.parquet")
    found = Vocabulary(home).resolve(pl.DataFrame({"vocabulary_id": "local", "code": codes}))

    assert found["code"].to_list() == sorted(codes)
    assert set(found["source_concept_id"]) == {11}


def test_what_a_report_counts_is_told_in_one_order():
    names = [f"reason {number:02}" for number in range(30)]
    told = []
    for order in (names, names[::-1]):
        report = MappingReport("test")
        report.refused.update(dict.fromkeys(order, 1) | {"often": 9})
        report.unmapped.update(dict.fromkeys([(name, "c") for name in order], 2))
        told.append(report.as_html() + str(report.as_json()))

    assert told[0] == told[1]
    assert list(report.as_json()["refused"][0].values()) == ["often", 9]


def test_an_amendment_keeps_what_it_does_not_tell(tmp_path):
    table = definition("death")
    full = {"person_id": 1, "death_date": date(2024, 1, 1), "cause_source_value": "x"}
    with store.writing(tmp_path):
        store.merge(tmp_path, table, store.typed([full], table), amend=True)
        store.merge(tmp_path, table, store.typed([{"person_id": 1, "death_date": date(2024, 1, 2)}], table), amend=True)

    row = pl.read_parquet(tmp_path / "death.parquet").row(0, named=True)
    assert (row["death_date"], row["cause_source_value"]) == (date(2024, 1, 2), "x")


words = st.one_of(st.none(), st.text(max_size=8), st.integers().map(str), st.dates().map(str), st.floats().map(str))


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.fixed_dictionaries(dict.fromkeys(definition("death").schema, words)), max_size=4))
def test_each_row_is_either_taken_or_refused_with_a_reason(rows):
    schema = dict.fromkeys(definition("death").schema, pl.String)
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_row_index("line", offset=2)
    taken, refused = cast(frame, definition("death"))

    assert len(taken) + len(refused) == len(rows)
    assert dict(taken.schema) == definition("death").schema
    assert all(refused["reason"].str.len_chars() > 0)
    assert taken["person_id"].null_count() == taken["death_date"].null_count() == 0


def test_writers_wait_for_each_other(tmp_path):
    table = definition("death")

    def add(person_id: int) -> None:
        with store.writing(tmp_path):
            store.merge(tmp_path, table, store.typed([{"person_id": person_id, "death_date": date(2024, 1, 1)}], table))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(24)))
    assert pl.read_parquet(tmp_path / "death.parquet")["person_id"].to_list() == list(range(24))
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".parquet"] == [".lock"]
