"""An index of real wheels, narrowed by the hub; pip itself asks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from flip_hub.database import AuditRow
from flip_hub.errors import ConfigError, InvalidError
from flip_hub.packages import resolving
from flip_hub.packages.approved import approved, own_file
from flip_hub.packages.index import Index
from sqlalchemy import select

from tests.hub.upstream import FILES, MOST, Upstream, serving

API = "/services/flip/api/projects/cytology/packages"
DATABASES = ("sqlite",)


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    with serving() as address:
        yield address


APPROVED = [("apples", "<2", "for a pie"), ("Broken", "", "to see"), ("large", "", "to see")]


@pytest.fixture
def inside(hub, upstream):
    """A workspace's client, at a hub with some approved packages."""
    hub.ready("cytology")
    packages = [{"name": name, "versions": versions, "why": why} for name, versions, why in APPROVED]
    own_file(hub.office.config).write_text(yaml.safe_dump({"schema_version": 1, "packages": packages}))
    hub.app.state.packages = Index(replace(hub.office.config, package_index=upstream, max_package_bytes=MOST))
    return hub.client("ada", workspace="cytology")


def names_of(answer) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [file["filename"] for file in answer.json()["files"]]


JSON = {"accept": "application/vnd.pypi.simple.v1+json"}


def test_only_approved_wheels_are_handed_on(inside) -> None:
    assert names_of(inside.get(f"{API}/simple/Apples/", headers=JSON)) == ["apples-1.0-py3-none-any.whl"]
    page = inside.get(f"{API}/simple/apples/")
    assert "apples-1.0-py3-none-any.whl" in page.text
    assert "2.0" not in page.text
    listed = inside.get(f"{API}/simple/", headers=JSON).json()["projects"]
    assert {one["name"] for one in listed} == {"apples", "Broken", "large"}


def test_a_wheel_is_fetched_once_verified_and_audited(hub, inside) -> None:
    Upstream.asked.clear()
    for _ in range(2):
        answer = inside.get(f"{API}/files/apples/apples-1.0-py3-none-any.whl")
        assert answer.content == FILES["apples-1.0-py3-none-any.whl"]
    assert Upstream.asked.count("/files/apples-1.0-py3-none-any.whl") == 1
    with hub.office.database.read() as session:
        rows = session.scalars(select(AuditRow).where(AuditRow.event == "package.installed")).all()
    assert [(row.actor, row.subject) for row in rows] == [("ada", "project/cytology")] * 2


def test_what_is_not_approved_is_refused_with_its_reason_and_audited(hub, inside) -> None:
    answer = inside.get(f"{API}/simple/worms/")
    assert (answer.status_code, answer.json()["policy"]) == (403, "packages.approved")
    assert "worms" in answer.json()["message"]
    for path in ("files/apples/apples-2.0-py3-none-any.whl", "files/apples/worms-1.0-py3-none-any.whl"):
        assert inside.get(f"{API}/{path}").status_code == 404
    assert inside.get(f"{API}/files/worms/worms-1.0-py3-none-any.whl").status_code == 403
    with hub.office.database.read() as session:
        assert session.scalars(select(AuditRow.event).where(AuditRow.event == "package.refused")).all()


def test_what_does_not_fit_its_digest_or_is_too_large_is_not_kept(hub, inside) -> None:
    for name in ("broken", "large"):
        assert inside.get(f"{API}/files/{name}/{name}-1.0-py3-none-any.whl").status_code == 409
    assert list((hub.office.config.home / "packages").iterdir()) == []


def test_an_index_that_is_away_is_told(hub, inside) -> None:
    hub.app.state.packages = Index(replace(hub.office.config, package_index="http://127.0.0.1:9/simple/"))
    assert inside.get(f"{API}/simple/apples/").status_code == 503
    hub.app.state.packages = Index(hub.office.config)
    assert inside.get(f"{API}/simple/apples/").status_code == 404


def test_nobody_asks_but_the_projects_own_workspace(hub, inside) -> None:
    hub.ready("other")
    for client in (hub.client("ada"), hub.client("ada", workspace="other"), hub.client("olga")):
        assert client.get(f"{API}/simple/apples/").status_code == 403


def test_approving_resolves_what_a_package_needs(hub, upstream, tmp_path: Path) -> None:
    config = replace(hub.office.config, package_index=upstream)
    found = resolving.resolve(config, ["apples<2"])
    assert {(one.name, one.versions) for one in found} == {("apples", "==1.0"), ("pips", "==3.1")}
    added = resolving.approve(config, hub.office.database, found, "for a pie", "olga")
    assert [one.why for one in sorted(added, key=lambda one: one.name)] == [
        "for a pie",
        "for a pie (needed by apples<2)",
    ]
    assert resolving.approve(config, hub.office.database, found, "again", "olga") == []
    assert {one.name for one in approved(config).packages} == {"apples", "pips"}


def test_what_cannot_be_resolved_is_told_in_pips_words(hub, upstream) -> None:
    config = replace(hub.office.config, package_index=upstream)
    with pytest.raises(InvalidError) as caught:
        resolving.resolve(config, ["apples>9"])
    assert "apples>9" in caught.value.message
    with pytest.raises(InvalidError):
        resolving.resolve(config, ["--index-url=http://127.0.0.1:9/", "apples"])
    with pytest.raises(ConfigError):
        resolving.resolve(hub.office.config, ["apples"])


def test_a_list_that_says_nothing_sensible_is_refused(hub) -> None:
    own_file(hub.office.config).write_text("packages: [{name: apples, versions: newest, why: x}]")
    with pytest.raises(ConfigError):
        approved(hub.office.config)
