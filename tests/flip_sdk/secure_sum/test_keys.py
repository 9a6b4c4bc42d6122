from __future__ import annotations

import pytest
from flip_sdk.errors import SecureSumError
from flip_sdk.secure_sum.keys import EphemeralKey, check_public

FIELD = 2**255 - 19
LOW_ORDER = [
    0,
    1,
    FIELD - 1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
]
"""Every point of low order in canonical form (RFC 7748; https://cr.yp.to/ecdh.html#validate)."""


def as_hex(number: int) -> str:
    return number.to_bytes(32, "little").hex()


def test_two_keys_agree_on_a_secret_that_a_third_does_not_know():
    one, two, three = (EphemeralKey.generate() for _ in range(3))

    assert one.agree(two.public_hex) == two.agree(one.public_hex) != three.agree(one.public_hex)


def test_a_key_survives_a_restart():
    key = EphemeralKey.generate()

    assert EphemeralKey.from_bytes(key.to_bytes()).public_hex == key.public_hex
    assert len(key.to_bytes()) == 32


def test_a_good_key_may_be_agreed_with():
    check_public(EphemeralKey.generate().public_hex)


@pytest.mark.parametrize("point", LOW_ORDER)
def test_points_of_low_order(point):
    with pytest.raises(SecureSumError):
        check_public(as_hex(point))
    with pytest.raises(SecureSumError):
        EphemeralKey.generate().agree(as_hex(point))


@pytest.mark.parametrize("number", [FIELD, FIELD + 1, FIELD + 9, 2**255 + 9, 2**256 - 1])
def test_second_ways_of_writing_a_point(number):
    with pytest.raises(SecureSumError):
        check_public(as_hex(number))


@pytest.mark.parametrize("text", ["", "09", "zz" * 32, "09" * 31, "09" * 33, ("09" * 32).replace("0", "A")])
def test_what_is_no_key(text):
    with pytest.raises(SecureSumError):
        check_public(text)


def test_ones_own_key_handed_back():
    key = EphemeralKey.generate()

    with pytest.raises(SecureSumError):
        key.agree(key.public_hex)


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33])
def test_what_is_no_private_key(content):
    with pytest.raises(SecureSumError):
        EphemeralKey.from_bytes(content)
