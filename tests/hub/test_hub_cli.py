"""What the hub's operator types: the home, Trusts, people and the audit log."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flip_hub.cli import app
from flip_hub.config import HubConfig
from flip_hub.testing import SigningTrust
from flip_sdk.contract.notices import HubEnrolment, fingerprint
from typer.testing import CliRunner, Result


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "hub"
    assert _run("init", "--home", str(folder), "--title", 'The "test" hub', "--gateway-port", "9555").exit_code == 0
    return folder


def _run(*arguments: str, home: Path | None = None) -> Result:
    environment = {"FLIP_HUB_HOME": str(home)} if home else {"FLIP_HUB_HOME": ""}
    return CliRunner().invoke(app, list(arguments), env=environment)


def test_a_home_is_private_and_complete(home: Path) -> None:
    config = HubConfig.load(home, {})
    assert (config.title, config.gateway) == ('The "test" hub', "127.0.0.1:9555")
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for path in (*config.keys.iterdir(), config.tls / "server.key", config.tls / "ca.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    record = HubEnrolment.parse((home / "hub-enrolment.json").read_bytes())
    assert record.address == "127.0.0.1:9555"
    assert _run("fingerprint", home=home).stdout.strip() == fingerprint(record)
    assert HubEnrolment.parse(_run("hub-record", home=home).stdout) == record


def test_init_again_keeps_everything(home: Path) -> None:
    before = (home / "hub-enrolment.json").read_bytes()
    assert _run("init", home=home).exit_code == 0
    assert (home / "hub-enrolment.json").read_bytes() == before
    refused = _run("init", "--title", "Another", home=home)
    assert refused.exit_code == 1
    assert "exists already" in refused.output


@pytest.mark.parametrize("arguments", [("init",), ("trusts",), ("people", "list"), ("audit", "verify"), ("serve",)])
def test_without_a_home_there_are_words(arguments: tuple[str, ...], tmp_path: Path) -> None:
    result = _run(*arguments)
    assert result.exit_code == 1
    assert "--home" in result.output


def test_enrolling_and_withdrawing_a_trust(home: Path, tmp_path: Path) -> None:
    record = SigningTrust("aldgate").enrolment
    file = tmp_path / "enrolment.json"
    file.write_bytes(record.canonical())
    assert _run("enrol", str(file), "--fingerprint", "0" * 64, home=home).exit_code == 1
    assert _run("enrol", str(file), "--fingerprint", fingerprint(record), home=home).exit_code == 0
    assert "aldgate" in _run("trusts", home=home).stdout
    assert _run("withdraw", "aldgate", home=home).exit_code == 0
    assert "aldgate" not in _run("trusts", home=home).stdout
    assert _run("withdraw", "nobody", home=home).exit_code == 1
    assert _run("enrol", str(tmp_path / "nothing.json"), home=home).exit_code == 1


def test_people(home: Path) -> None:
    add = ("people", "add", "ada", "--display-name", "Ada", "--organisation", "Northbridge University")
    assert _run(*add, "--role", "researcher", "--role", "operator", home=home).exit_code == 0
    assert "researcher" in _run("people", "list", home=home).stdout
    refused = _run(*add, "--role", "wizard", home=home)
    assert refused.exit_code == 1
    assert "governance reviewer" in refused.output
    assert _run("people", "close", "ada", home=home).exit_code == 0
    assert "closed" in _run("people", "list", home=home).stdout


def test_records_of_people(home: Path, tmp_path: Path) -> None:
    _run("people", "add", "ada", "--display-name", "Ada", "--organisation", "N", "--role", "researcher", home=home)
    assert "missing" in _run("people", "list", home=home).stdout
    today, table = datetime.now(UTC).date(), tmp_path / "records.csv"
    first, *rest = (f"ada,{kind},N-1,{today},{today}" for kind in ("accredited_researcher", "information_governance"))
    table.write_text("\n".join(["name,kind,reference,issued_on,expires_on", first, *rest]))
    assert _run("people", "import-records", str(table), "--by", "olga", home=home).exit_code == 0
    table.write_text(table.read_text() + "\nada,charm,N-1,2026-01-01,soon")
    refused = _run("people", "import-records", str(table), "--by", "olga", home=home)
    assert refused.exit_code == 1
    assert "line 4" in refused.output
    one = ("people", "record", "ada", "--kind", "contract", "--reference", "HR 7", "--evidence", str(table))
    days = ("--issued", str(today), "--expires", str(today))
    assert _run(*one, *days, "--by", "ada", home=home).exit_code == 1
    assert _run(*one, *days, "--by", "olga", home=home).exit_code == 0
    assert "ending" in _run("people", "list", home=home).stdout
    assert "missing" not in _run("people", "list", home=home).stdout


def test_emergency_access(home: Path) -> None:
    for name, role in (("olga", "operator"), ("ada", "researcher")):
        _run("people", "add", name, "--display-name", name, "--organisation", "N", "--role", role, home=home)
    ask = ("emergency", "open", "sessions", "ada", "--reason", "Ada's laptop was stolen while she was signed in.")
    refused = _run(*ask, "--by", "ada", home=home)
    assert refused.exit_code == 1
    assert "operators" in refused.output
    assert _run(*ask[:-1], "Now.", "--by", "olga", home=home).exit_code == 1
    opened = _run(*ask, "--by", "olga", home=home)
    assert opened.exit_code == 0, opened.output
    assert "waiting" in opened.stdout
    assert "sessions ada" in _run("emergency", "list", "--by", "olga", home=home).stdout
    assert _run("emergency", "end", opened.stdout.split()[2], "--by", "olga", home=home).exit_code == 1


def test_the_audit_log_verifies_here_and_elsewhere(home: Path, tmp_path: Path) -> None:
    _run("people", "add", "ada", "--display-name", "Ada", "--organisation", "N", "--role", "researcher", home=home)
    assert "2 entries" in _run("audit", "verify", home=home).stdout
    exported = _run("audit", "export", home=home).stdout
    file = tmp_path / "audit.jsonl"
    file.write_text(exported)
    assert _run("audit", "verify", "--file", str(file)).exit_code == 0
    entries = [json.loads(line) for line in exported.splitlines()]
    entries[1]["actor"] = "somebody-else"
    file.write_text("\n".join(map(json.dumps, entries)))
    broken = _run("audit", "verify", "--file", str(file))
    assert broken.exit_code == 1
    assert "entry 2" in broken.output


def test_starting_is_quick_and_light(home: Path) -> None:
    """The command line does not load what only the programs need."""
    heavy = ("torch", "flwr", "voila", "fastapi", "alembic")
    code = f"import sys, flip_hub.cli; print(*[name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_programs_are_given_tokens_which_are_rotated_and_revoked(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    create = ("service", "create", "uptime", "--purpose", "Watches", "--scope", "monitoring:read")
    assert _run(*create, "--into", str(file), home=home).exit_code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().startswith("flips_")
    assert _run("service", "rotate", "uptime", "--into", str(file), home=home).exit_code == 1
    assert _run("service", "rotate", "uptime", home=home).stdout.startswith("flips_")
    listed = _run("service", "list", home=home).stdout
    assert "uptime" in listed
    assert "idle-culler" in listed
    assert _run("service", "revoke", "uptime", home=home).exit_code == 0
    assert _run("service", "revoke", "uptime", home=home).exit_code == 1
