"""What open pages are told: all of it once, each change once, and when the hub is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import torch
from flip_lab.feed import Feed, Told
from flip_lab.hub import Hub
from flip_sdk.contract.states import ProjectState
from flip_sdk.contract.workspaces import WorkspaceNotice

import flip_sdk

PATIENCE = 20.0


def followed(hub: Hub, reading: Callable[[Feed, Any], Coroutine[Any, Any, Any]]) -> Any:
    """What a page makes of a feed that asks as fast as it can."""

    async def run() -> Any:
        feed = Feed(hub, least=0.0, pause=0.01)
        page = feed.follow()
        try:
            return await asyncio.wait_for(reading(feed, page), PATIENCE)
        finally:
            await page.aclose()

    return asyncio.run(run())


async def until(page: Any, wanted: Callable[[Told], bool]) -> list[Told]:
    """What is told until something wanted is, that included."""
    told: list[Told] = []
    async for one in page:
        told.append(one)
        if wanted(one):
            break
    return told


def test_a_page_is_told_everything_once(hub, project) -> None:
    project.count(epsilon=0.5)

    async def reading(feed: Feed, page: Any) -> list[Told]:
        return await until(page, lambda told: told[0] == "hub")

    told = followed(hub, reading)
    parts = dict(told)
    assert [part for part, _ in told] == ["project", "budget", "jobs", "releases", "dashboards", "denied", "hub"]
    assert parts["project"]["state"] == "approved"
    assert parts["project"]["notices"] == []
    assert {budget["left"] for budget in parts["budget"]} == {9.5}
    assert [(job["kind"], job["state"]) for job in parts["jobs"]] == [("count", "completed")]
    assert parts["hub"] == {"here": True, "message": "", "mend": ""}


def test_a_job_is_told_as_it_goes_on(hub, played, project) -> None:
    privacy = flip_sdk.Privacy(epsilon=1, delta=1e-5)
    features = project.catalogue().features()[:4]
    project.train(torch.nn.Linear(4, 1), features=features, label="malignant", privacy=privacy, rounds=5)

    async def reading(feed: Feed, page: Any) -> list[Told]:
        return await until(page, lambda told: told[0] == "jobs" and told[1][0]["ended"])

    jobs = [content[0] for part, content in followed(hub, reading) if part == "jobs"]
    rounds = [job["round"] for job in jobs]
    assert rounds == sorted(rounds)
    assert len(set(rounds)) >= 3
    assert rounds[-1] == 5
    assert len(jobs[-1]["curve"]) >= 5
    assert jobs[-1]["state"] == "completed"
    assert {one["trust"] for one in jobs[-1]["trusts"]} == set(played.trusts)


def test_the_hub_is_asked_once_however_many_look(hub, played) -> None:
    played.faults.clear()

    async def reading(feed: Feed, page: Any) -> tuple[list[Told], list[Told]]:
        first = await until(page, lambda told: told[0] == "hub")
        second = feed.follow()
        told = await until(second, lambda told: told[0] == "hub")
        await second.aclose()
        return first, told

    first, second = followed(hub, reading)
    assert dict(first) == dict(second)


def test_a_hub_that_is_away_is_said_to_be_and_comes_back(hub, played) -> None:
    played.faults.extend(["restarting", "unreachable"])

    async def reading(feed: Feed, page: Any) -> list[Told]:
        away = await until(page, lambda told: told[0] == "hub" and not told[1]["here"])
        return away + await until(page, lambda told: told[0] == "hub" and told[1]["here"])

    told = followed(hub, reading)
    away = next(content for part, content in told if part == "hub")
    assert away["message"]
    assert away["mend"]
    assert dict(told)["hub"]["here"]
    assert "jobs" in dict(told)


def test_a_project_that_is_not_open_says_so(hub, played) -> None:
    played.set_state(ProjectState.SUSPENDED)

    async def reading(feed: Feed, page: Any) -> list[Told]:
        return await until(page, lambda told: told[0] == "project")

    (_, told) = followed(hub, reading)[-1]
    assert "suspended" in told["notices"][0]


def test_what_stops_a_workspace_is_told_though_nothing_else_changes(hub, played) -> None:
    stops = WorkspaceNotice(kind="longest", message="Your workspace is stopped on 8 December.")

    async def run() -> list[Told]:
        feed = Feed(hub, least=0.0, notices=0.0)
        page = feed.follow()
        told = await until(page, lambda told: told[0] == "hub")
        played.notices.append(stops)
        told += await asyncio.wait_for(until(page, lambda told: told[0] == "project"), PATIENCE)
        await page.aclose()
        return told

    first, last = (one for part, one in asyncio.run(run()) if part == "project")
    assert first["notices"] == []
    assert last["notices"] == [stops.message]


def test_while_nobody_looks_nothing_is_asked_and_whoever_comes_back_is_told_all(hub) -> None:
    async def run() -> list[Told]:
        feed = Feed(hub, least=0.0)
        page = feed.follow()
        await until(page, lambda told: told[0] == "hub")
        asking = feed._task
        await page.aclose()
        again = feed.follow()
        told = await asyncio.wait_for(until(again, lambda told: told[0] == "hub"), PATIENCE)
        assert asking is not None
        assert asking.cancelled()
        await again.aclose()
        assert feed._task is None
        return told

    assert "project" in dict(asyncio.run(run()))


@pytest.mark.parametrize("name", ["FLIP_PROJECT", "FLIP_HUB_API"])
def test_a_laboratory_of_no_project_says_what_to_do(hub, monkeypatch, tmp_path, name: str) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv(name)

    async def reading(feed: Feed, page: Any) -> list[Told]:
        return await until(page, lambda told: told[0] == "hub")

    ((_, told),) = followed(hub, reading)
    assert not told["here"]
    assert "workspace" in told["mend"]
