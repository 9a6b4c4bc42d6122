from __future__ import annotations

from collections.abc import Mapping

import pytest
from flip_hub.airlock.checks import Past, ReleasedTable, load
from flip_hub.airlock.checks.counting import Counted
from flip_hub.airlock.checks.grid import Grid
from flip_hub.airlock.checks.ledger import CHECKS
from flip_hub.airlock.checks.rules import FileRead, Subject
from flip_hub.airlock.checks.tables import Table, read_delimited
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hub.airlock.checks.conftest import Checking, found, notes, rules, statement

BY_SEX_AND_AGE = "sex,age,persons\nwomen,under 65,120\nwomen,65 and over,95\nmen,under 65,130\nmen,65 and over,85\n"
EXACT = Past(project="hearts", limits=load("acro"))


def released(text: str, project: str = "hearts", **stated) -> ReleasedTable:
    said = statement("earlier.csv", text, **stated)
    return ReleasedTable(content=said.content, project=project, statement=said, table=read_delimited(text, ",", 10_000))


def knowing(*tables: ReleasedTable) -> Past:
    return EXACT.model_copy(update={"released": tables})


def test_one_person_more_than_an_earlier_release_is_found_in_its_cell(check: Checking) -> None:
    earlier = released(BY_SEX_AND_AGE)
    examined = check({"a.csv": BY_SEX_AND_AGE.replace("95", "96")}, past=knowing(earlier))["a.csv"]

    differs = found(examined, "release.differs_by_few")
    assert (differs.severity, differs.beside) == ("flag", earlier.content)
    assert (1, 2) in {(mark.row, mark.column) for mark in differs.cells}
    assert differs.numbers["least"] == 1


@pytest.mark.parametrize(
    ("later", "is_found"),
    [
        ("sex,persons\nwomen,214\nmen,215\n", True),  # one woman less, in the sum over ages
        ("sex,persons\nwomen,215\nmen,215\n", False),  # the same persons
        ("sex,persons\nwomen,100\nmen,415\n", False),  # others
        ("age,women,men\nunder 65,120,130\n65 and over,96,85\n", True),  # wide, without totals
        ("sex,age,persons\nmen,65 and over,85\nmen,65 and over,120\nwomen,65 and over,1\nmen,x,225\n", True),
        ("ward,persons\nA,200\nB,231\n", True),  # other categories, one person more in all
        ("age,sex,n\n65 And Over,Women,95\nunder 65,Women,120\nunder_65,MEN,130\n65 and over,men,86\n", True),
        ("sex,under 65,65 and over,total\nwomen,120,95,215\nmen,130,85,215\nall,250,180,431\n", True),
    ],
)
def test_sums_and_other_layouts_are_compared(check: Checking, later: str, is_found: bool) -> None:
    examined = check({"a.csv": later}, past=knowing(released(BY_SEX_AND_AGE)))["a.csv"]

    assert ("release.differs_by_few" in rules(examined)) == is_found


@pytest.mark.parametrize(
    "later",
    [
        "treatment,persons\nsurgery,52\nmedicine,71\nboth,308\n",  # more than its parts
        "treatment,persons\nsurgery,152\nmedicine,171\nall,108\n",  # fewer
        "treatment,under 65,65 and over\nsurgery,70,60\nmedicine,80,65\nboth,100,56\n",
        "treatment,age,persons\nsurgery,under 65,130\nany,under 65,120\nsurgery,65 and over,100\nany,65 and over,81\n",
    ],
)
def test_what_is_called_a_total_and_is_none_is_counted(check: Checking, later: str) -> None:
    examined = check({"a.csv": later}, past=knowing(released(BY_SEX_AND_AGE)))["a.csv"]

    assert "release.differs_by_few" in rules(examined)


def test_what_was_kept_back_is_not_given_by_a_second_table(check: Checking) -> None:
    earlier = released("sex,persons\nwomen,120\nmen,*\n")
    examined = check({"a.csv": "ward,persons\nA,60\nB,64\n"}, past=knowing(earlier))["a.csv"]

    assert "release.differs_by_few" in rules(examined)


def test_two_tables_of_one_request_are_compared(check: Checking) -> None:
    both = check({"a.csv": BY_SEX_AND_AGE, "b.csv": BY_SEX_AND_AGE.replace("95", "96")}, past=EXACT)

    assert all("release.differs_by_few" in rules(examined) for examined in both.values())


def test_the_same_file_again_differs_from_nothing(check: Checking) -> None:
    assert rules(check({"a.csv": BY_SEX_AND_AGE}, past=knowing(released(BY_SEX_AND_AGE)))["a.csv"]) == set()


def test_tables_that_are_both_rounded_are_noted_only(check: Checking, past: Past) -> None:
    earlier = past.model_copy(update={"released": (released(BY_SEX_AND_AGE),)})
    examined = check({"a.csv": BY_SEX_AND_AGE.replace("95", "90")}, past=earlier)["a.csv"]

    assert examined.verdict == "pass"
    assert "release.differs_rounded" in notes(examined)


def test_another_projects_totals_of_other_categories_are_left_alone(check: Checking) -> None:
    same = check({"a.csv": "ward,n\nA,200\nB,231\n"}, past=knowing(released(BY_SEX_AND_AGE, "lungs")))["a.csv"]
    alike = check({"a.csv": BY_SEX_AND_AGE.replace("95", "96")}, past=knowing(released(BY_SEX_AND_AGE, "lungs")))[
        "a.csv"
    ]

    assert (rules(same), rules(alike)) == (set(), {"release.differs_by_few"})


def test_ranges_with_edges_a_little_apart_are_found(check: Checking) -> None:
    earlier = released("age,persons\n0-39,400\n40-79,300\n80+,50\n")
    examined = check({"a.csv": "age,persons\n0-40,404\n41-79,296\n80+,50\n"}, past=knowing(earlier))["a.csv"]

    assert found(examined, "release.close_edges").numbers["least"] == 4


COUNTS = st.dictionaries(
    st.tuples(st.sampled_from(["women", "men", "other"]), st.sampled_from(["young", "old"]), st.sampled_from("ABC")),
    st.integers(10, 100_000),
    min_size=2,
)


def table(counts: Mapping[tuple[str, str, str], int], order: int = 0) -> Table:
    rows = [(*key, str(number)) for key, number in counts.items()]
    return Table(columns=("sex", "age", "ward", "persons"), rows=tuple(rows[order:] + rows[:order]))


def summed(counts: Mapping[tuple[str, str, str], int], kept: list[int]) -> Table:
    sums: dict[tuple[str, ...], int] = {}
    for key, number in counts.items():
        wanted = tuple(key[place] for place in kept)
        sums[wanted] = sums.get(wanted, 0) + number
    names = ("sex", "age", "ward")
    rows = tuple((*key, str(number)) for key, number in sums.items())
    return Table(columns=(*(names[place] for place in kept), "persons"), rows=rows)


def differs(new: Table, old: Table) -> bool:
    said = statement("a.csv", "new")
    before = statement("b.csv", "old")
    earlier = ReleasedTable(content=before.content, project="hearts", statement=before, table=old)
    subject = Subject(FileRead(said, 0, kind="table", table=new), knowing(earlier))
    return any(finding.rule == "release.differs_by_few" for finding in CHECKS[0].run(subject))


@settings(deadline=None, max_examples=60)
@given(COUNTS, st.integers(1, 9), st.sampled_from([-1, 1]), st.data())
def test_a_few_persons_more_or_less_are_found_in_any_table_and_any_sum_of_it(counts, few, sign, data) -> None:
    chosen = data.draw(st.sampled_from(sorted(counts)))
    kept = data.draw(st.sampled_from([[0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]]))
    changed = {**counts, chosen: max(0, counts[chosen] + sign * few)}

    assert differs(table(changed, order=1), table(counts))
    assert differs(summed(changed, kept), table(counts))
    assert differs(table(changed), summed(counts, kept))


@settings(deadline=None, max_examples=40)
@given(COUNTS, st.integers(0, 5))
def test_the_same_persons_differ_in_no_order_and_no_sum(counts, order) -> None:
    assert not differs(table(counts, order), table(counts))
    assert not differs(summed(counts, [2, 0]), table(counts))


@settings(deadline=None, max_examples=40)
@given(COUNTS)
def test_sums_of_a_grid_are_the_sums_of_its_rows(counts) -> None:
    grid = Grid.of(Counted(table(counts)))

    assert grid.margin(frozenset())[()][0].known == sum(counts.values())
    for ward in {key[2] for key in counts}:
        of_ward = sum(number for key, number in counts.items() if key[2] == ward)
        assert grid.margin(frozenset({"ward"}))[(ward.lower(),)][0].known == of_ward
