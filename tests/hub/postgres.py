"""A throw-away PostgreSQL: Debian's own programs, a cluster in a temporary folder, reached by a Unix socket."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flip_hub.jupyterhub.proxy import tied

OWNER = "flip"
PASSWORD = "a rather long password"  # not a secret: the cluster lasts for one run of the tests
_DEBIAN = Path("/usr/lib/postgresql")
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_SETTINGS = {"listen_addresses": "", "max_connections": "60", "shared_buffers": "32MB", "autovacuum": "off"}
_ADMITTED = "local secured all scram-sha-256\nlocal all all trust\n"


@dataclass(frozen=True)
class Cluster:
    """A running cluster.

    Attributes:
        folder: holds the socket and the data.
    """

    folder: Path

    def url(self, database: str, role: str = OWNER) -> str:
        return f"postgresql://{role}@/{database}?host={self.folder}"

    def run(self, *statements: str, database: str = "postgres") -> None:
        import psycopg

        with psycopg.connect(host=str(self.folder), user=OWNER, dbname=database, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def make(self, template: str = "template0", name: str = "") -> str:
        """A fresh database, as empty or as full as its template; its name."""
        name = name or f"t{secrets.token_hex(8)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def drop(self, name: str) -> None:
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def cluster(**settings: str) -> Iterator[Cluster]:
    """Make a cluster, run it and remove it. Durability is off unless the settings say otherwise."""
    folder = Path(tempfile.mkdtemp(prefix="flip-pg-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")))
    account = _account()
    if "user" in account:
        shutil.chown(folder, account["user"], account["group"])
    try:
        data = folder / "data"
        made = [program("initdb"), "-D", data, "-U", OWNER, "-E", "UTF8", "--locale=C", "-A", "trust", "--no-sync"]
        subprocess.run(made, check=True, capture_output=True, **account)
        (data / "pg_hba.conf").write_text(_ADMITTED)
        chosen = _SETTINGS | _FAST | {"unix_socket_directories": str(folder)} | settings
        with (folder / "log").open("wb") as log, _running(data, chosen, log, account):
            yield Cluster(folder)
    finally:
        # what still ends may write while it is removed
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(data: Path, settings: dict[str, str], log: Any, account: dict[str, Any]) -> Iterator[None]:
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    command = [*tied(), program("postgres"), "-D", data, *words]
    with subprocess.Popen(command, stdout=log, stderr=log, **account) as process:
        try:
            _wait(data.parent, process)
            yield
        finally:
            # at once: nothing of it is kept
            process.send_signal(signal.SIGQUIT)


def _wait(folder: Path, process: subprocess.Popen[bytes]) -> None:
    import psycopg

    for _ in range(3000):
        try:
            psycopg.connect(host=str(folder), user=OWNER, dbname="postgres").close()
        except psycopg.OperationalError:
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.01)
        else:
            return
    raise TimeoutError((folder / "log").read_text())


def program(name: str) -> str:
    """One of PostgreSQL's programs, of the newest version that is installed."""
    found = shutil.which(name) or next((str(p) for p in sorted(_DEBIAN.glob(f"*/bin/{name}"), reverse=True)), None)
    assert found, f"{name} is missing: apt-get install postgresql"
    return found


def _account() -> dict[str, Any]:
    """Root may not run PostgreSQL: Debian's own account does."""
    if os.geteuid():
        return {}
    found = pwd.getpwnam("postgres")
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": [], "cwd": "/"}
