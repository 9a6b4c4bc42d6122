"""Fakes that ship with the hub's interfaces: a sign-in without JupyterHub, and a Trust that only signs."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

from flip_sdk.contract.closing import PurgedItem
from flip_sdk.contract.holdings import Holdings
from flip_sdk.contract.notices import (
    AnyNotice,
    CatalogueConcept,
    CatalogueNotice,
    ConsentNotice,
    PurgeNotice,
    SignedNotice,
    StatusNotice,
    TrustEnrolment,
    TrustRequest,
)
from flip_sdk.contract.people import NewPersonRecord
from flip_sdk.contract.signatures import SigningKey
from flip_sdk.contract.twins import Twin

from flip_hub.api.authentication import LoginBegun, SignedIn
from flip_hub.database import Database, Person, now
from flip_hub.errors import NotSignedInError
from flip_hub.governance.records import put
from flip_hub.governance.requirements import requirements


def show_records(database: Database, *names: str, by: str = "tests") -> None:
    """Give people every record that their roles need, verified, from today on for as long as it can be."""
    today = now().date()
    known = requirements()
    with database.read() as session:
        kinds = {name: known.of(session.get_one(Person, name).roles) for name in names}
    for name, wanted in kinds.items():
        made = [
            NewPersonRecord(
                kind=kind,
                reference=f"{kind}-{name}",
                issued_on=today,
                expires_on=today + timedelta(days=known.kinds[kind].longest_days),
            )
            for kind in wanted
        ]
        if made:
            put(database, name, *made, by=by)


class FakeAuthenticator:
    """An ``Authenticator`` that knows the tokens it gave out.

    Attributes:
        tokens: token → whose it is.
        codes: OAuth code → token, for ``finish_login``.
    """

    def __init__(self) -> None:
        self.tokens: dict[str, SignedIn] = {}
        self.codes: dict[str, str] = {}
        self._logins: dict[str, str] = {}

    def sign_in(self, name: str, workspace: str | None = None, session: str = "") -> str:
        """A token for a person, perhaps in a session, or for their workspace of one project."""
        token = secrets.token_hex(8)
        self.tokens[token] = SignedIn(name, workspace, session)
        return token

    async def by_token(self, token: str, session_id: str = "") -> SignedIn | None:  # noqa: ARG002
        """The person behind a token, or None."""
        return self.tokens.get(token)

    def begin_login(self, next_page: str) -> LoginBegun:
        """Start signing a browser in."""
        state = secrets.token_hex(8)
        self._logins[state] = next_page
        return LoginBegun(f"/hub/api/oauth2/authorize?state={state}", state)

    async def finish_login(self, code: str, state: str) -> tuple[str, str]:
        """The token for an OAuth code, and the page that the browser wanted."""
        if state not in self._logins or code not in self.codes:
            raise NotSignedInError("The sign-in took too long, or began elsewhere.", "Open the page again.")
        return self.codes.pop(code), self._logins.pop(state)


class SigningTrust:
    """A Trust's keys, and the signed records that it would post.

    Attributes:
        name: the Trust's name.
        key: its identity key.
    """

    def __init__(self, name: str) -> None:
        self.name, self.key = name, SigningKey.generate()

    @property
    def enrolment(self) -> TrustEnrolment:
        """What ``flip-trust init`` would write."""
        return TrustEnrolment(
            trust=self.name,
            title=f"{self.name.title()} Hospital",
            identity_key=self.key.public.x,
            node_key=f"ecdsa-sha2-nistp384 AAAA {self.name}",
        )

    def consent(self, project_id: str, **changes: Any) -> bytes:
        """A signed opt-in, or what the changes make of it."""
        content: dict[str, Any] = {
            "trust": self.name,
            "notice_id": secrets.token_hex(8),
            "project_id": project_id,
            "state": "opted_in",
            "job_kinds": ("count", "train", "evaluate", "statistics"),
            "epsilon": 10.0,
            "delta": 1e-5,
            "expires_at": now() + timedelta(days=30),
            "issued_at": now(),
        }
        return self._signed(ConsentNotice(**(content | changes)))

    def status(self, **changes: Any) -> bytes:
        """A signed sign of life."""
        content: dict[str, Any] = {
            "trust": self.name,
            "notice_id": secrets.token_hex(8),
            "version": "0.1.0",
            "issued_at": now(),
        }
        return self._signed(StatusNotice(**(content | changes)))

    def catalogue(
        self,
        *concepts: CatalogueConcept,
        issued_at: datetime | None = None,
        twin: Twin | None = None,
        holdings: Holdings | None = None,
    ) -> bytes:
        """A signed catalogue."""
        return self._signed(
            CatalogueNotice(
                trust=self.name,
                notice_id=secrets.token_hex(8),
                title=self.enrolment.title,
                persons=140,
                persons_epsilon=0.1,
                concepts=concepts,
                twin=twin,
                holdings=holdings,
                issued_at=issued_at or now(),
            )
        )

    def request(self, **changes: Any) -> bytes:
        """A signed question for projects."""
        content: dict[str, Any] = {
            "trust": self.name,
            "asks": "projects",
            "request_id": secrets.token_hex(8),
            "issued_at": now(),
        }
        return self.key.sign(TrustRequest(**(content | changes))).encode()

    def purged(self, project_id: str, order_id: str, *items: PurgedItem) -> bytes:
        """A signed answer to an order to purge."""
        notice = PurgeNotice(
            trust=self.name,
            notice_id=secrets.token_hex(8),
            project_id=project_id,
            order_id=order_id,
            purged_at=now(),
            items=items,
            issued_at=now(),
        )
        return self._signed(notice)

    def _signed(self, notice: AnyNotice) -> bytes:
        return self.key.sign(SignedNotice(notice=notice)).encode()
