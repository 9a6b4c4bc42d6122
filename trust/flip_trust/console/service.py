"""The console's application, and running it on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.routing import Mount

from flip_trust.config import TrustConfig
from flip_trust.console import assets
from flip_trust.console.answers import handle_errors
from flip_trust.console.desk import Desk
from flip_trust.console.guard import Guard
from flip_trust.console.pages import (
    audit_pages,
    decision_pages,
    first_page,
    ledger_pages,
    project_pages,
    quarantine_pages,
    sign_in,
    trust_pages,
)
from flip_trust.console.sessions import Sessions
from flip_trust.database import Database
from flip_trust.errors import SetupError
from flip_trust.policy import trust_policies

LOOPBACK = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Address:
    """Where the console is.

    Attributes:
        host: address to listen on.
        port: of it.
        name: by which browsers call it, where it is not this machine alone that does.
        certificate: PEM; with it HTTPS is spoken.
        key: PEM: the certificate's key.
    """

    host: str = "127.0.0.1"
    port: int = 8600
    name: str = ""
    certificate: Path | None = None
    key: Path | None = None

    @property
    def scheme(self) -> str:
        """Of its addresses."""
        return "https" if self.certificate else "http"

    @property
    def url(self) -> str:
        """To open in a browser."""
        return f"{self.scheme}://{self.name or '127.0.0.1'}:{self.port}/"

    @property
    def called(self) -> Iterable[str]:
        """Every ``host:port`` that it answers to."""
        return [f"{name}:{self.port}" for name in ((self.name,) if self.name else LOOPBACK)]


def create_app(
    config: TrustConfig,
    database: Database,
    address: Address,
    *,
    components: Path | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> FastAPI:
    """The console.

    Args:
        config: the Trust's settings.
        database: its own.
        address: where it is called.
        components: folder of nhsuk-frontend's styles; without it, where they are installed.
        clock: what time it is.

    Raises:
        SetupError: the styles or the policies are not installed.
    """
    app = FastAPI(title=config.title, docs_url=None, redoc_url=None, openapi_url=None)
    sessions = Sessions(timedelta(minutes=config.console_idle_minutes), clock)
    cookie = f"flip-console-{address.port}"
    app.state.desk = Desk(config, database, trust_policies(), sessions, cookie, address.scheme == "https", clock)
    for module in (
        sign_in, first_page, project_pages, decision_pages, ledger_pages, quarantine_pages, audit_pages, trust_pages,
    ):  # fmt: skip
        app.include_router(module.router)
    app.router.routes.append(Mount("/static", routes=assets.static_routes(components or assets.folder())))
    app.add_middleware(Guard, addresses=tuple(address.called), scheme=address.scheme)
    handle_errors(app)
    return app


def serve(app: FastAPI, address: Address) -> None:
    """Run the console until it is told to stop.

    Raises:
        SetupError: the port is taken.
    """
    config = uvicorn.Config(
        app,
        host=address.host,
        port=address.port,
        log_config=None,
        # a line of it would hold the link's secret
        access_log=False,
        server_header=False,
        date_header=False,
        ssl_certfile=address.certificate,
        ssl_keyfile=address.key,
        timeout_graceful_shutdown=5,
    )
    try:
        uvicorn.Server(config).run()
    except SystemExit as ended:
        if ended.code:
            where = f"{address.host}:{address.port}"
            raise SetupError(f"The console cannot listen on {where}.", "Is it running already? Give --port.") from ended
