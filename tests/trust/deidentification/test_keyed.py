from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from uuid import UUID

import pytest
from flip_trust.deidentification import acts
from flip_trust.deidentification.acts import Instance
from flip_trust.deidentification.keyed import KEY_FILE, Keyed
from flip_trust.errors import SetupError
from hypothesis import given
from hypothesis import strategies as some

KEYED = Keyed(b"k" * 32)
OTHER = Keyed(b"o" * 32)
TEXT = some.text(min_size=1, max_size=64)
DAYS = some.dates(date(1880, 1, 1), date(2100, 1, 1))


def instance(days: int) -> Instance:
    return Instance(KEYED, "p", b"P" * 16, days, lambda value: value.decode())


@given(TEXT)
def test_a_uid_is_valid_and_the_same_after_a_restart(value) -> None:
    made = KEYED.uid(value)

    assert made == Keyed(b"k" * 32).uid(value) != OTHER.uid(value)
    assert len(made) <= 64
    assert UUID(int=int(made.removeprefix("2.25."))).version == 8


@given(TEXT, some.integers(30, 3650))
def test_dates_move_by_some_days_but_never_none(patient, most) -> None:
    shift = KEYED.shift(patient, most)

    assert 1 <= abs(shift) <= most
    assert shift == Keyed(b"k" * 32).shift(patient, most)


@given(TEXT)
def test_padding_makes_no_other_person(value) -> None:
    assert KEYED.person_key(f"{value} ") == KEYED.person_key(value)


@given(TEXT)
def test_kinds_have_nothing_in_common(value) -> None:
    assert KEYED.pseudonym("person", value) != KEYED.pseudonym("accession", value)
    assert 0 < KEYED.number("person", value) < 2**63


@given(DAYS, DAYS, some.integers(-3650, 3650).filter(bool))
def test_moved_dates_keep_their_distance(one, other, days) -> None:
    act = acts.moved(b"DA", None)

    first, second = (act(f"{day:%Y%m%d}".encode(), instance(days)) for day in (one, other))

    assert first is not None
    assert second is not None
    assert from_dicom(second) - from_dicom(first) == other - one
    assert from_dicom(first) - one == timedelta(days=days)


@given(DAYS, some.times(), some.integers(-365, 365).filter(bool))
def test_a_moved_datetime_keeps_its_time(day, time, days) -> None:
    given = f"{day:%Y%m%d}{time:%H%M%S.%f}+0100".encode()

    made = acts.moved(b"DT", None)(given, instance(days))

    assert made is not None
    assert made[8:] == given[8:]
    assert from_dicom(made[:8]) == day + timedelta(days=days)


@pytest.mark.parametrize("value", [b"19990231", b"1999", b"SMITH JOHN", b"99991231", b"00010101", b"19990101-20000101"])
def test_what_is_not_a_date_is_not_let_through(value) -> None:
    assert acts.moved(b"DA", None)(value, instance(400 if value[0:1] == b"9" else -400)) is None


def from_dicom(value: bytes) -> date:
    text = value.decode()
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))


def test_the_key_is_made_once_for_its_owner_alone(tmp_path) -> None:
    home = tmp_path / "home"
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: Keyed.load(home).uid("1.2.3"), range(16)))

    assert len(made) == 1
    assert stat.S_IMODE((home / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == [KEY_FILE]


def test_a_key_that_others_can_read_is_refused(tmp_path) -> None:
    Keyed.load(tmp_path)
    (tmp_path / KEY_FILE).chmod(0o640)

    with pytest.raises(SetupError):
        Keyed.load(tmp_path)


def test_a_damaged_key_is_refused_and_not_replaced(tmp_path) -> None:
    (tmp_path / KEY_FILE).write_text("1234")
    (tmp_path / KEY_FILE).chmod(0o600)

    with pytest.raises(SetupError):
        Keyed.load(tmp_path)
    assert (tmp_path / KEY_FILE).read_text() == "1234"
