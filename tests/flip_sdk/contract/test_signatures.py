from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from flip_sdk.contract.cohorts import AgeBetween, Cohort
from flip_sdk.contract.jobs import CountSpec, TrainSpec
from flip_sdk.contract.signatures import MAX_JWS_BYTES, PublicKey, SigningKey, signer_of, verify
from flip_sdk.errors import RecordError, SignatureError
from hypothesis import given, settings
from hypothesis import strategies as st

KEY, OTHER = SigningKey.generate(), SigningKey.generate()
RECORD = CountSpec(project_id="p", epsilon=0.25)
TOKEN = KEY.sign(RECORD)


def encoded(value: bytes | dict[str, Any]) -> str:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def header() -> dict[str, Any]:
    segment = TOKEN.split(".")[0]
    parsed: dict[str, Any] = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    return parsed


def test_what_was_signed_is_what_comes_out() -> None:
    assert verify(TOKEN, KEY.public, CountSpec) == RECORD
    assert verify(TOKEN.encode(), KEY.public, CountSpec) == RECORD


def test_the_header_names_algorithm_kind_and_key() -> None:
    assert header() == {"alg": "Ed25519", "typ": "flip-countspec+jws", "kid": KEY.public.fingerprint}


def test_another_key_does_not_verify() -> None:
    with pytest.raises(SignatureError):
        verify(TOKEN, OTHER.public, CountSpec)


def test_a_signature_over_another_kind_of_record_is_refused() -> None:
    with pytest.raises(SignatureError):
        verify(TOKEN, KEY.public, Cohort)
    age = KEY.sign(AgeBetween(low=1, high=2))
    with pytest.raises(SignatureError):
        verify(age, KEY.public, CountSpec)


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from("ABCxyz019-_."))
@settings(max_examples=200)
def test_no_changed_character_goes_unnoticed(place: int, character: str) -> None:
    tampered = TOKEN[:place] + character + TOKEN[place + 1 :]
    if _same_bytes(tampered):
        return
    with pytest.raises((SignatureError, RecordError)):
        verify(tampered, KEY.public, CountSpec)


def _same_bytes(token: str) -> bool:
    """The last character of a segment may carry unused bits: another spelling of the same bytes."""
    parts = token.split(".")
    if len(parts) != 3 or parts[:2] != TOKEN.split(".")[:2]:
        return token == TOKEN
    decode = base64.urlsafe_b64decode
    return decode(parts[2] + "==") == decode(TOKEN.split(".")[2] + "==")


def test_a_changed_payload_does_not_verify() -> None:
    head, _, signature = TOKEN.split(".")
    payload = RECORD.model_copy(update={"epsilon": 100.0}).canonical()
    with pytest.raises(SignatureError):
        verify(f"{head}.{encoded(payload)}.{signature}", KEY.public, CountSpec)


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "ES256", "EdDSA", ""])
def test_only_the_one_algorithm_is_taken(algorithm: str) -> None:
    head = encoded({**header(), "alg": algorithm})
    payload = TOKEN.split(".")[1]
    for signature in ("", TOKEN.split(".")[2]):
        with pytest.raises(SignatureError):
            verify(f"{head}.{payload}.{signature}", KEY.public, CountSpec)


def test_a_public_key_is_no_hmac_secret() -> None:
    import hashlib
    import hmac

    head = encoded({**header(), "alg": "HS256"})
    payload = TOKEN.split(".")[1]
    secret = base64.urlsafe_b64decode(KEY.public.x + "=")
    mac = encoded(hmac.new(secret, f"{head}.{payload}".encode(), hashlib.sha256).digest())
    with pytest.raises(SignatureError):
        verify(f"{head}.{payload}.{mac}", KEY.public, CountSpec)


@pytest.mark.parametrize("extra", [{"crit": ["exp"], "exp": 0}, {"b64": False, "crit": ["b64"]}])
def test_headers_that_change_the_meaning_are_refused(extra: dict[str, Any]) -> None:
    _, payload, signature = TOKEN.split(".")
    with pytest.raises(SignatureError):
        verify(f"{encoded({**header(), **extra})}.{payload}.{signature}", KEY.public, CountSpec)


@pytest.mark.parametrize("content", ["", ".", "..", "a.b", "a.b.c", "a.b.c.d", "\x00.\xff.", "é" * 10, TOKEN + "."])
def test_what_is_no_token_is_a_signature_error(content: str) -> None:
    with pytest.raises(SignatureError):
        verify(content, KEY.public, CountSpec)


@given(st.binary(max_size=300))
def test_random_bytes_are_a_signature_error(content: bytes) -> None:
    with pytest.raises(SignatureError):
        verify(content, KEY.public, CountSpec)
    with pytest.raises(SignatureError):
        signer_of(content, {"hub": KEY.public})


def test_an_oversize_token_is_refused_unread() -> None:
    with pytest.raises(SignatureError):
        verify("a" * (MAX_JWS_BYTES + 1), KEY.public, CountSpec)


def test_a_large_record_within_the_limit_is_read() -> None:
    big = Cohort(criteria=(AgeBetween(),) * 50)
    assert verify(KEY.sign(big), KEY.public, Cohort) == big


def test_properly_signed_nonsense_is_a_record_error() -> None:
    class CountSpecLike(CountSpec):
        surprise: int = 1

    CountSpecLike.__name__ = "CountSpec"
    token = KEY.sign(CountSpecLike(project_id="p"))
    with pytest.raises(RecordError):
        verify(token, KEY.public, CountSpec)


def test_a_train_spec_is_not_taken_for_a_count() -> None:
    with pytest.raises(SignatureError):
        verify(TOKEN, KEY.public, TrainSpec)


def test_the_signer_is_found_by_the_keys_fingerprint() -> None:
    known = {"other": OTHER.public, "hub": KEY.public}
    assert signer_of(TOKEN, known) == ("hub", KEY.public)
    with pytest.raises(SignatureError):
        signer_of(TOKEN, {"other": OTHER.public})


@pytest.mark.parametrize("head", [[], "x", {"alg": "Ed25519"}, {"kid": []}, None, 1])
def test_a_signer_needs_a_proper_header(head: Any) -> None:
    with pytest.raises(SignatureError):
        signer_of(f"{encoded(json.dumps(head).encode())}.x.y", {"hub": KEY.public})


def test_a_key_survives_its_file() -> None:
    again = SigningKey.from_pem(KEY.to_pem())
    assert again.public == KEY.public
    assert hash(again.public) == hash(KEY.public)
    assert verify(again.sign(RECORD), KEY.public, CountSpec) == RECORD
    assert KEY.public != OTHER.public
    assert KEY.public != "a key"


def test_a_public_key_is_read_from_its_text() -> None:
    again = PublicKey(KEY.public.x)
    assert again.fingerprint == KEY.public.fingerprint
    assert verify(TOKEN, again, CountSpec) == RECORD


@pytest.mark.parametrize("text", ["", "short", "!" * 43, "A" * 100])
def test_what_is_no_key_is_refused_at_once(text: str) -> None:
    with pytest.raises(SignatureError):
        PublicKey(text)


def test_a_secret_key_does_not_show_itself() -> None:
    assert "PRIVATE" not in repr(KEY)
