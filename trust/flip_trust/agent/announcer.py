"""What the Trust tells the hub of its own accord: signs of life with the ledger's figures, and consents it missed.

Now and then it asks as well which projects want this Trust's data, so that its steward reads it on the console, and
which were closed, to purge what is kept for them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version

from flip_sdk.contract.logs import RootsRequest
from flip_sdk.contract.notices import (
    BudgetLine,
    CatalogueNotice,
    ConsentNotice,
    PurgeNotice,
    RootNotice,
    StatusNotice,
    TotalLine,
    TrustRequest,
    WitnessNotice,
)
from flip_sdk.contract.signatures import PublicKey, SigningKey
from flip_sdk.errors import PublicError

from flip_trust import catalogue, consent, egress, heard, purging, witness
from flip_trust.agent import log, pulse
from flip_trust.agent.hub_client import HubRefusedError, HubUnreachableError
from flip_trust.audit import Reader
from flip_trust.config import TrustConfig
from flip_trust.database import Database
from flip_trust.errors import TrustError
from flip_trust.keys import load_hub
from flip_trust.ledger import store

ASK_SECONDS = 60.0
_log = logging.getLogger(__name__)


class Announcer:
    """A thread that speaks every ``status_interval`` seconds, and does the housekeeping in between.

    It speaks sooner where a task that was carried out made the ledger's figures others than it last said.

    Args:
        ran: is set after each task that was carried out.
    """

    def __init__(
        self,
        config: TrustConfig,
        database: Database,
        client: egress.Client,
        key: SigningKey,
        clock: Callable[[], datetime],
        housekeeping: Callable[[], None],
        ran: threading.Event | None = None,
    ) -> None:
        self._config, self._database, self._client, self._key = config, database, client, key
        self._clock, self._housekeeping = clock, housekeeping
        self._stop, self._ran = threading.Event(), ran or threading.Event()
        self._said: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, name="announcer", daemon=True)
        self._reached: bool | None = None
        now = clock().isoformat()
        self._pulse = pulse.Pulse(now, now, interval=config.status_interval)

    def start(self) -> None:
        """Begin to speak."""
        self._thread.start()

    def close(self) -> None:
        """Fall silent."""
        self._stop.set()
        self._ran.set()
        if self._thread.is_alive():
            self._thread.join()

    def speak(self) -> None:
        """Say everything that is due, once.

        Raises:
            HubUnreachableError: the hub is away; it is said the next time.
            HubRefusedError: the hub says no.
            LedgerUnavailableError: the database cannot be read.
        """
        for decision in consent.unannounced(self._database):
            notice = consent.notice_of(decision, self._config.name, egress.new_id(), self._clock())
            if self._told(notice):
                consent.announced(self._database, decision)
        if (kept := catalogue.pending(self._config, self._clock())) and self._told(kept):
            catalogue.delivered(self._config)
        status = self._status()
        egress.announce(self._client, status, self._key)
        self._said = _spent(status.budgets)

    def ask(self) -> None:
        """Ask which projects want this Trust's data, and keep the answer.

        Raises:
            HubUnreachableError: the hub is away.
            HubRefusedError: the hub says no.
            LedgerUnavailableError: it cannot be kept.
        """
        now, name = self._clock(), self._config.name
        request = TrustRequest(trust=name, asks="projects", request_id=egress.new_id(), issued_at=now)
        heard.keep(self._database, egress.ask_projects(self._client, request, self._key), now)

    def purge(self) -> None:
        """Ask which projects were closed, delete what is kept for them, and say so.

        Raises:
            HubUnreachableError: the hub is away; what was deleted is told the next time.
            HubRefusedError: the hub says no.
            SignatureError: an order is not the hub's, or not for this Trust.
            LedgerUnavailableError: it cannot be written.
        """
        now, name = self._clock(), self._config.name
        request = TrustRequest(trust=name, asks="purges", request_id=egress.new_id(), issued_at=now)
        orders = egress.ask_purges(self._client, request, self._key)
        for jws in orders:
            hub = PublicKey(load_hub(self._config.hub_file).governance_key)
            order = purging.verified(jws, hub, self._config, now)
            notice = purging.obey(self._database, self._config, order, egress.new_id(), now)
            if notice is not None and self._told(notice):
                log.event(_log, "project.purged", project=order.project_id)

    def witness(self) -> None:
        """Once a day: sign the own log's root and hand it over; see the hub's root, and countersign it.

        Raises:
            HubUnreachableError: the hub is away; it is done the next time.
            HubRefusedError: the hub says no.
            LedgerUnavailableError: it cannot be kept.
        """
        now, config, database = self._clock(), self._config, self._database
        witness.sign_own(database, config, self._key, now)
        own = witness.to_hand_over(database, config, egress.new_id(), now)
        if own is not None and self._told(own):
            witness.handed_over(database, witness.day_of(own))
        last = witness.last_seen(database)
        if last is None or last.day < now.date():
            after = last.day if last else None
            request = RootsRequest(trust=config.name, after=after, request_id=egress.new_id(), issued_at=now)
            told = egress.ask_roots(self._client, request, self._key)
            if not witness.see(database, told, PublicKey(load_hub(config.hub_file).governance_key), now):
                log.event(_log, "hub.log_inconsistent")
        seen = witness.to_countersign(database, config, egress.new_id(), now)
        if seen is not None and self._told(seen):
            witness.countersigned(database, seen.day)

    def _told(self, notice: ConsentNotice | CatalogueNotice | PurgeNotice | RootNotice | WitnessNotice) -> bool:
        try:
            egress.announce(self._client, notice, self._key)
        except HubRefusedError as error:
            # a hub that does not take this one must still hear that the Trust is alive
            log.failure(_log, "notice.refused", error, kind=notice.kind)
            return False
        return True

    def _status(self) -> StatusNotice:
        return StatusNotice(
            trust=self._config.name,
            notice_id=egress.new_id(),
            version=version("flip-trust"),
            budgets=budget_lines(self._database),
            total=total_line(self._database, self._config),
            issued_at=self._clock(),
        )

    def _run(self) -> None:
        while not self._stop.is_set():
            trouble, asked = "failed", False
            try:
                self._housekeeping()
                self.speak()
                self._say_reached(reached=True)
                trouble = ""
                if asked := self._is_to_ask():
                    self.ask()
                    self.purge()
                    self.witness()
            except HubUnreachableError:
                trouble, asked = "away", False
                self._say_reached(reached=False)
            except (HubRefusedError, TrustError, PublicError, OSError) as error:
                trouble, asked = "refused" if isinstance(error, HubRefusedError) else "failed", False
                log.failure(_log, "announcement.failed", error)
            self._beat(trouble, asked=asked)
            self._wait()

    def _wait(self) -> None:
        """Until it is time again, or the ledger has what the hub was not told."""
        until = time.monotonic() + self._config.status_interval
        while not self._stop.is_set() and (left := until - time.monotonic()) > 0 and self._ran.wait(left):
            self._ran.clear()
            if self._has_news():
                return

    def _has_news(self) -> bool:
        try:
            return _spent(budget_lines(self._database)) != self._said
        except TrustError as error:
            log.failure(_log, "announcement.failed", error)
            return False

    def _is_to_ask(self) -> bool:
        last = self._pulse.asked_at
        return not last or (self._clock() - datetime.fromisoformat(last)).total_seconds() >= ASK_SECONDS

    def _beat(self, trouble: str, *, asked: bool) -> None:
        self._pulse = self._pulse.beat(self._clock(), trouble, asked=asked)
        try:
            pulse.write(self._config.home, self._pulse)
        except OSError as error:
            # the console then says that nothing was heard: a full disk must not stop the agent from speaking
            log.failure(_log, "pulse.unwritten", error)

    def _say_reached(self, *, reached: bool) -> None:
        if reached != self._reached:
            log.event(_log, "hub.reached" if reached else "hub.unreachable")
        self._reached = reached


def _spent(budgets: tuple[BudgetLine, ...]) -> dict[str, float]:
    return {one.project_id: one.spent for one in budgets}


def budget_lines(reader: Reader) -> tuple[BudgetLine, ...]:
    """Each project's budget, as the ledger has it."""
    released = {
        row["project_id"]: int(row["releases"])
        for row in reader.read(
            "SELECT project_id, count(*) AS releases FROM release JOIN job USING (job_id) GROUP BY project_id"
        )
    }
    return tuple(
        BudgetLine(
            **dict(store.mirror(reader, decision.terms.cap, decision.project_id)),
            project_id=decision.project_id,
            releases=released.get(decision.project_id, 0),
        )
        for decision in consent.every(reader)
    )


def total_line(reader: Reader, config: TrustConfig) -> TotalLine:
    """The whole data set's budget, as the ledger has it."""
    return TotalLine(**dict(store.mirror(reader, config.total)), max_epsilon_per_job=config.max_epsilon_per_job)
