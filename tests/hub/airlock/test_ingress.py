"""Files that come in: their kind, the scanner, who lets them in, and where workspaces find them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from flip_hub.airlock import ingress
from flip_hub.airlock.incoming import incoming_folder
from flip_hub.errors import (
    ConflictError,
    DeniedError,
    InvalidError,
    MissingError,
    NotNowError,
    TooLargeError,
    UnavailableError,
)
from flip_hub.governance import uploads
from flip_sdk.contract.ingress import DecideIngress, NewIngress
from flip_sdk.contract.states import IngressState

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
CODES = b"code,meaning\n1,benign\n"
ADMIT = DecideIngress(decision="admit")


@dataclasses.dataclass
class Door:
    airlock: object
    number: int = 0

    def ask(self, content: bytes = CODES, path: str = "codes.csv", by: str = "ada", **changes):
        office = self.airlock.hub.office
        address = office.blobs.put(content)
        ingress.keep_upload(office, self.airlock.hub.who(by), "cytology", address, len(content))
        self.number += 1
        fields = {"purpose": "To name the codes.", "source": "WHO, CC BY", "idempotency_key": f"k{self.number}"}
        wanted = NewIngress(path=path, content=address, **(fields | changes))
        return ingress.request(office, self.airlock.hub.who(by), "cytology", wanted)

    def decide(self, asked, who: str, decision: DecideIngress = ADMIT):
        return ingress.decide(self.airlock.hub.office, self.airlock.hub.who(who), asked.ingress_id, decision)

    def scanner(self, folder: Path, script: str) -> None:
        program = folder / "scan"
        program.write_text("#!/bin/sh\n" + script)
        program.chmod(0o755)
        self.set(malware_scanner=f"{program} --quiet")

    def set(self, **settings) -> None:
        office = self.airlock.hub.office
        self.airlock.hub.office = dataclasses.replace(office, config=dataclasses.replace(office.config, **settings))


@pytest.fixture
def door(airlock) -> Door:
    return Door(airlock)


def test_one_checker_or_steward_lets_a_file_in(door) -> None:
    office = door.airlock.hub.office
    for number, who in enumerate(("cora", "sam")):
        asked = door.ask(path=f"folder/codes{number}.csv")
        assert (asked.state, asked.kind) == (IngressState.CHECKED, "a table (CSV)")
        done = door.decide(asked, who)
        assert (done.state, done.decided_by) == (IngressState.ADMITTED, who)
        placed = incoming_folder(office.config, "cytology") / f"folder/codes{number}.csv"
        assert placed.read_bytes() == CODES
        assert placed.stat().st_mode & 0o777 == 0o444
    assert door.airlock.hub.events()[-1] == "ingress.admitted"


def test_a_workspace_reads_it_only_when_it_is_in(door) -> None:
    asked = door.ask()
    office, inside = door.airlock.hub.office, door.airlock.hub.who("ada", "cytology")
    with pytest.raises(DeniedError) as caught:
        uploads.path_of(office, inside, "cytology", asked.content)
    assert caught.value.policy == "outputs.one_door_in"
    door.decide(asked, "cora")
    assert uploads.path_of(office, inside, "cytology", asked.content).read_bytes() == CODES


def test_what_a_workspace_uploaded_is_not_read_elsewhere(door) -> None:
    address = door.airlock.upload(b"persons\n3\n")
    with pytest.raises(DeniedError) as caught:
        uploads.path_of(door.airlock.hub.office, door.airlock.hub.who("ada"), "cytology", address)
    assert caught.value.policy == "outputs.one_door_out"


def test_a_collaborator_of_the_team_asks_too(door) -> None:
    from flip_hub.governance import people

    office = door.airlock.hub.office
    people.add_person(office.database, "alan", display_name="A", organisation="Elsewhere", roles=(), by="olga")
    assert door.ask(by="alan").state is IngressState.CHECKED
    for who in ("bea", "rufus"):
        with pytest.raises((MissingError, DeniedError)):
            door.ask(by=who)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("model.pkl", b"\x80\x04K\x01."),
        ("codes.csv", b"\x80\x04K\x01."),
        ("codes.csv", b"\x7fELF\x02\x01\x01\x00"),
        ("codes.csv", b"PK\x03\x04whatever"),
        ("image.png", b"<svg onload='alert(1)'/>"),
        ("notes.md", b"<html><script>alert(1)</script></html>"),
        ("codes.csv", b"\xff\xfe\x00\x01"),
        ("data.json", b"{"),
        ("program", b"#!/bin/sh\n"),
        ("archive.zip", b"PK\x03\x04"),
    ],
)
def test_kinds_that_do_not_come_in(door, path, content) -> None:
    with pytest.raises(InvalidError):
        door.ask(content, path)
    assert door.airlock.hub.events()[-1] == "ingress.refused"
    assert ingress.ingress_of(door.airlock.hub.office, door.airlock.hub.who("ada"), "cytology") == []


@pytest.mark.parametrize("path", ["analysis.py", "analysis.R"])
def test_a_programs_source_may_begin_with_its_interpreter(door, path) -> None:
    assert door.ask(b"#!/usr/bin/env python\nprint(1)\n", path).state is IngressState.CHECKED


def test_the_scanner_finds_eicar(door, tmp_path) -> None:
    door.scanner(tmp_path, 'if grep -q "EICAR-STANDARD-ANTIVIRUS" "$2"; then exit 1; fi\n')
    with pytest.raises(InvalidError) as caught:
        door.ask(EICAR, "notes.txt")
    assert "malware" in caught.value.message
    assert door.ask().scanned_by == "scan"


@pytest.mark.parametrize("script", ["exit 2\n", "kill -9 $$\n"])
def test_a_scanner_that_fails_lets_nothing_in(door, tmp_path, script) -> None:
    door.scanner(tmp_path, script)
    with pytest.raises(UnavailableError):
        door.ask()


def test_a_scanner_that_is_not_there_lets_nothing_in(door) -> None:
    door.set(malware_scanner="/nowhere/clamdscan")
    with pytest.raises(UnavailableError):
        door.ask()


def test_production_takes_nothing_in_without_a_scanner(door, tmp_path) -> None:
    door.set(production=True)
    office, ada = door.airlock.hub.office, door.airlock.hub.who("ada")
    with pytest.raises(UnavailableError):
        ingress.upload_limit(office, ada, "cytology")
    with pytest.raises(UnavailableError):
        door.ask()
    door.scanner(tmp_path, "exit 0\n")
    assert door.ask().scanned_by == "scan"


def test_too_large_is_too_large(door) -> None:
    door.set(max_output_bytes=4)
    with pytest.raises(TooLargeError):
        door.ask()


@pytest.mark.parametrize("who", ["ada", "alan", "nina", "rufus", "bea", "olga"])
def test_who_may_not_let_it_in(door, who) -> None:
    asked = door.ask()
    with pytest.raises((DeniedError, MissingError)):
        door.decide(asked, who)


def test_a_refusal_needs_a_reason_and_a_decision_is_made_once(door) -> None:
    asked = door.ask()
    with pytest.raises(InvalidError):
        door.decide(asked, "cora", DecideIngress(decision="refuse"))
    done = door.decide(asked, "cora", DecideIngress(decision="refuse", reason="No licence."))
    assert (done.state, done.reason) == (IngressState.REFUSED, "No licence.")
    with pytest.raises(ConflictError):
        door.decide(asked, "cyril")


def test_no_file_takes_the_place_of_another(door) -> None:
    door.decide(door.ask(), "cora")
    door.decide(door.ask(), "cora")
    for path, content in (("codes.csv", b"code\n2\n"), ("codes.csv/x.csv", CODES)):
        asked = door.ask(content, path)
        with pytest.raises(ConflictError):
            door.decide(asked, "cora")


def test_only_who_asked_takes_it_back(door) -> None:
    asked = door.ask()
    office = door.airlock.hub.office
    with pytest.raises(DeniedError):
        ingress.withdraw(office, door.airlock.hub.who("alan"), asked.ingress_id)
    assert ingress.withdraw(office, door.airlock.hub.who("ada"), asked.ingress_id).state is IngressState.WITHDRAWN
    with pytest.raises(ConflictError):
        door.decide(asked, "cora")


def test_the_same_key_gives_the_same_file(door) -> None:
    first = door.ask(idempotency_key="same")
    assert door.ask(idempotency_key="same").ingress_id == first.ingress_id
    with pytest.raises(ConflictError):
        door.ask(b"code\n9\n", idempotency_key="same")


def test_nothing_comes_into_a_project_that_is_over(door) -> None:
    from flip_hub.database import Project, Routine
    from flip_sdk.contract.states import ProjectState

    asked = door.ask()
    with door.airlock.hub.office.database.write(Routine("a test")) as session:
        session.get_one(Project, "cytology").state = ProjectState.SUSPENDED
    with pytest.raises(NotNowError):
        door.decide(asked, "cora")
