from __future__ import annotations

import pytest
from flip_sdk.contract.notices import PeerKey, ProjectForTrust, fingerprint
from flip_sdk.contract.signatures import SigningKey
from flip_trust import peers, peers_cli
from flip_trust.cli import app
from flip_trust.errors import PeerError
from flip_trust.keys import load_identity
from typer.testing import CliRunner

from tests.trust.world import NAME


def made(name: str = "brookfield", key: SigningKey | None = None) -> PeerKey:
    return PeerKey(trust=name, identity_key=(key or SigningKey.generate()).public.x)


def shows(table: str, record: PeerKey) -> bool:
    """Whether a table has the fingerprint, each half unbroken."""
    text = fingerprint(record)
    return text[: len(text) // 2].strip() in table and text[len(text) // 2 :].strip() in table


@pytest.fixture
def own(trust) -> PeerKey:
    return PeerKey(trust=NAME, identity_key=load_identity(trust.config).public.x)


def test_a_key_counts_once_its_fingerprint_was_compared(trust, own):
    real, planted = made(), made()
    assert peers.keys(trust.database) == {}

    peers.confirm(trust.database, own, [planted, real], fingerprint(real).upper().replace(" ", ":"), "olga")

    assert {name: key.x for name, key in peers.keys(trust.database).items()} == {"brookfield": real.identity_key}
    (entry,) = trust.events("peer.confirmed")
    assert (entry["actor"], entry["subject"]) == ("operator/olga", "peer/brookfield")


def test_a_fingerprint_that_none_has(trust, own):
    for offered, text in (([made()], fingerprint(made())), ([], fingerprint(made())), ([made()], "")):
        with pytest.raises(PeerError):
            peers.confirm(trust.database, own, offered, text, "olga")
    assert peers.every(trust.database) == []


def test_ones_own_name_and_key_are_no_peers(trust, own):
    for record in (own, made(NAME), own.model_copy(update={"trust": "brookfield"})):
        with pytest.raises(PeerError):
            peers.confirm(trust.database, own, [record], fingerprint(record), "olga")


def test_one_key_for_two_names(trust, own):
    key = SigningKey.generate()
    peers.confirm(trust.database, own, [made("brookfield", key)], fingerprint(made("brookfield", key)), "olga")

    with pytest.raises(PeerError):
        peers.confirm(trust.database, own, [made("carrick", key)], fingerprint(made("carrick", key)), "olga")


def test_a_changed_key_replaces_the_old_once_it_is_confirmed(trust, own):
    old, new = made(), made()
    for record in (old, new):
        peers.confirm(trust.database, own, [record], fingerprint(record), "olga")

    assert [peer.record for peer in peers.every(trust.database)] == [new]


def test_a_forgotten_trust(trust, own):
    record = made()
    peers.confirm(trust.database, own, [record], fingerprint(record), "olga")
    peers.forget(trust.database, "brookfield", "olga")

    assert peers.keys(trust.database) == {}
    with pytest.raises(PeerError):
        peers.forget(trust.database, "brookfield", "olga")


class TestTheCommands:
    @pytest.fixture
    def offered(self, monkeypatch) -> list[PeerKey]:
        """What the hub hands out."""
        keys: list[PeerKey] = [made()]
        fields = {"title": "t", "lay_summary": "", "public_benefit": "", "researchers": (), "reviewers": ()}
        terms = {"job_kinds": ("train",), "epsilon": 3.0, "delta": 1e-5, "expires_at": "2030-01-01T00:00:00Z"}

        def asked(_config, _database):
            return [ProjectForTrust(project_id=i, peers=tuple(keys), **fields, **terms) for i in ("one", "two")]

        monkeypatch.setattr(peers_cli, "asked", asked)
        return keys

    @pytest.fixture
    def run(self, trust):
        def invoke(*words: str, code: int = 0) -> str:
            result = CliRunner().invoke(app, ["peers", *words, "--home", str(trust.config.home)])
            assert result.exit_code == code, result.output
            return result.output

        return invoke

    def test_list_confirm_and_forget(self, run, offered):
        assert shows(run("list"), offered[0])
        assert "not confirmed" in run("list")
        run("confirm", "brookfield", fingerprint(made()), code=1)
        run("confirm", "brookfield", fingerprint(offered[0]), "--operator", "olga")
        assert "confirmed by olga" in run("list")
        run("forget", "brookfield")
        assert "not confirmed" in run("list")
        run("forget", "brookfield", code=1)

    def test_a_key_that_changed_is_shown_as_such(self, run, offered):
        run("confirm", "brookfield", fingerprint(offered[0]))
        offered[0] = made()

        shown = run("list")
        assert "CHANGED" in shown
        assert shows(shown, offered[0])

    def test_a_confirmed_trust_is_shown_though_the_hub_is_silent(self, run, offered):
        run("confirm", "brookfield", fingerprint(offered[0]))
        offered.clear()

        assert "confirmed by" in run("list")

    def test_ones_own_fingerprint_needs_no_hub(self, run, own):
        assert run("fingerprint").strip() == fingerprint(own)
