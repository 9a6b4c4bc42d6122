"""Putting the agent together out of its parts, and keeping it running until it is told to stop."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import polars as pl
from flip_sdk.contract.graph import parse_graph
from flip_sdk.contract.inputs import check_model
from flip_sdk.contract.jobs import AnySpec, EvaluateSpec, TrainSpec
from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.errors import ModelError, ModelTooLargeError

from flip_trust import encryption
from flip_trust.admission import Grounds
from flip_trust.agent import log
from flip_trust.agent.announcer import Announcer
from flip_trust.agent.carrier import FleetCarrier
from flip_trust.agent.hub_client import HubClient
from flip_trust.agent.loop import Agent
from flip_trust.agent.run_task import TaskRunner
from flip_trust.agent.sessions import Sessions
from flip_trust.cohort import select as cohorts
from flip_trust.cohort.criteria import check_concepts
from flip_trust.cohort.omop import Omop
from flip_trust.config import TrustConfig
from flip_trust.database import Database
from flip_trust.engine import EnginePool, sandbox_available
from flip_trust.errors import RefusedError, SetupError
from flip_trust.job_rules import JobRules
from flip_trust.keys import NODE_FILE, load_hub, load_identity, pinned_keys

_log = logging.getLogger(__name__)


def serve(config: TrustConfig, stop: threading.Event) -> None:
    """Run the agent until ``stop`` is set.

    Raises:
        SetupError: something that it needs is missing.
        LedgerUnavailableError: the database cannot be written.
    """
    os.umask(0o077)
    encryption.required(config)
    key, hub = load_identity(config), load_hub(config.hub_file)
    database, sandboxed = Database.open(config.database), has_sandbox(config)
    pool = EnginePool(config.slots, "bubblewrap" if sandboxed else "none", config.spare_workers)
    omop, sessions = Omop(config.omop), Sessions(config.engine_sessions)
    runner = TaskRunner(config, database, omop, pool, sessions, grounds_of(config, omop, sandboxed), clock)
    with HubClient(hub) as client, FleetCarrier(hub, config.keys / NODE_FILE) as carrier:
        ran = threading.Event()
        agent = Agent(runner, carrier, key, pinned_keys(hub), ran)
        agent.recover()
        announcer = Announcer(config, database, client, key, clock, agent.housekeeping, ran)
        try:
            if sandboxed or not config.production:
                pool.start()
            announcer.start()
            log.event(_log, "agent.started", trust=config.name)
            agent.run(stop)
        finally:
            announcer.close()
            pool.close()
    database.close()
    log.event(_log, "agent.stopped", trust=config.name)


def clock() -> datetime:
    """Now."""
    return datetime.now(UTC)


def has_sandbox(config: TrustConfig) -> bool:
    """Whether engine workers run in a sandbox; says so in the log where they do not."""
    sandboxed = config.sandbox == "bubblewrap" and sandbox_available()
    if not sandboxed:
        refused = "refuses every training and evaluation" if config.production else "runs its engine WITHOUT a sandbox"
        log.event(_log, f"bubblewrap is not usable here: this agent {refused}", level=logging.WARNING)
    return sandboxed


def grounds_of(config: TrustConfig, omop: Omop, sandboxed: bool) -> Grounds:
    """The facts that admission asks of other parts.

    Raises:
        SetupError: the hospital's own policies cannot be used.
    """
    return Grounds(
        check_concepts=partial(_readable, partial(check_concepts, omop=omop)),
        check_model=_check_model,
        kept_graph=partial(cohorts.kept_graph, config.jobs),
        sandboxed=sandboxed,
        identity=load_identity(config).public,
        rules=JobRules.of(config),
    )


def _readable(check: Callable[[AnySpec], None], spec: AnySpec) -> None:
    try:
        check(spec)
    except (SetupError, pl.exceptions.PolarsError, OSError) as error:
        log.failure(_log, "tables.unreadable", error)
        raise RefusedError(RefusalCode.ENGINE_FAILED) from error


def _check_model(graph: bytes, spec: AnySpec) -> None:
    if not isinstance(spec, TrainSpec | EvaluateSpec):
        return
    try:
        record = parse_graph(graph)
    except ModelTooLargeError as error:
        raise RefusedError(RefusalCode.MODEL_TOO_LARGE) from error
    except ModelError as error:
        raise RefusedError(RefusalCode.MODEL_REFUSED) from error
    if check_model(record, spec):
        raise RefusedError(RefusalCode.MODEL_REFUSED)
