"""The rules of the house that a reader relies on, read off the source itself."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import statistics
import sys
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest
from flip_sdk.contract.states import MACHINES

ROOT = Path(__file__).resolve().parents[1]
DISTRIBUTIONS = {
    "flip_sdk": ROOT / "flip_sdk",
    "flip_hub": ROOT / "hub",
    "flip_trust": ROOT / "trust",
    "flip_lab": ROOT / "extensions" / "flip-lab",
}
ADAPTERS = ("hub/flip_hub/flower/", "trust/flip_trust/agent/carrier.py")
"""The only places that may know of Flower."""
DANGEROUS_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
DANGEROUS_CALLS = {"eval", "exec", "compile", "__import__"}
LOADERS = {
    "torch.load",
    "torch.export.load",
    "torch.jit.load",
    "torch.hub.load",
    "torch.package",
    "numpy.load",
    "np.load",
}
SENDING_MODULES = {"httpx", "requests", "socket", "urllib", "urllib3", "aiohttp", "http", "flwr", "smtplib", "ftplib"}
CONNECTIONS = ("trust/flip_trust/agent/carrier.py", "trust/flip_trust/agent/hub_client.py")
"""The Trust's two connections; both only ever dial out, to the hub."""
ENGINE = "trust/flip_trust/engine/"
"""Speaks to its workers over pairs of sockets, which are connected from the start and to nothing else."""
HOSPITAL = ("trust/flip_trust/imaging/", "trust/flip_trust/ingest/hl7/listener.py")
"""Receives images and messages from the hospital's own systems, and fetches from its PACS: programs of their own, which
know neither the hub nor a job."""
CONSOLE = "trust/flip_trust/console/"
"""Listens on the hospital's own machine, for its data steward's browser; a program of its own, which knows no hub."""
_LOOKED_FOR = (ast.Import, ast.ImportFrom, ast.Call, ast.FunctionDef, ast.AsyncFunctionDef)
DIALLING = {"connect", "connect_ex", "create_connection", "bind", "sendto"}
SENDING_METHODS = {"reply", "post_notice", "ask_projects", "ask_purges"}


@cache
def sources() -> tuple[Path, ...]:
    """Python files of the three distributions, migrations left out."""
    found = (path for name, folder in DISTRIBUTIONS.items() for path in (folder / name).rglob("*.py"))
    return tuple(sorted(path for path in found if "migrations/versions" not in path.as_posix()))


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def nodes(path: Path) -> Sequence[ast.AST]:
    """What several rules look for, of a whole file: walked through once for all of them."""
    return [node for node in ast.walk(tree(path)) if isinstance(node, _LOOKED_FOR)]


@cache
def imports(path: Path) -> Sequence[str]:
    """Full names of the modules that a file imports, those inside functions included."""
    found: list[str] = []
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append(node.module)
    return found


def dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute):
            return f"{dotted(value)}.{attribute}"
    return "?"


@cache
def calls(path: Path) -> Sequence[str]:
    return [dotted(node.func) for node in nodes(path) if isinstance(node, ast.Call)]


def test_flower_is_known_to_the_adapters_only() -> None:
    knowing = [place(path) for path in sources() if any(name.split(".")[0] == "flwr" for name in imports(path))]

    assert [path for path in knowing if not path.startswith(ADAPTERS)] == []
    assert knowing


def test_nothing_in_the_sources_can_run_what_it_reads() -> None:
    for path in sources():
        assert {name.split(".")[0] for name in imports(path)} & DANGEROUS_MODULES == set(), place(path)
        assert set(calls(path)) & (DANGEROUS_CALLS | LOADERS) == set(), place(path)


def test_what_is_put_beside_rows_says_whether_they_keep_their_order() -> None:
    """A join keeps none unless told, on few rows it happens to: a table's rows were taken by position after one."""
    silent = [
        f"{place(path)}:{node.lineno}"
        for path in sources()
        for node in nodes(path)
        if isinstance(node, ast.Call) and dotted(node.func).endswith(".join")
        and (told := {word.arg: word.value for word in node.keywords})
        and isinstance(how := told.get("how"), ast.Constant) and how.value in {"left", "right", "full"}
        and "maintain_order" not in told
    ]  # fmt: skip

    assert silent == []


def test_a_trust_has_two_connections_and_both_dial_the_hub() -> None:
    trust = {place(path): path for path in sources() if "flip_trust" in path.parts}
    sending = {name for name, path in trust.items() if {m.split(".")[0] for m in imports(path)} & SENDING_MODULES}
    local = {name for name in sending if name.startswith(ENGINE)}
    hospital = {name for name in sending if name.startswith(HOSPITAL)}

    assert sending - local - hospital <= set(CONNECTIONS)
    for name in local:
        assert {call.rpartition(".")[2] for call in calls(trust[name])} & DIALLING == set(), name


def test_what_talks_to_the_hospitals_pacs_cannot_reach_the_hub() -> None:
    for path in sources():
        if place(path).startswith(HOSPITAL):
            known = {name for name in imports(path) if name.startswith(("flip_sdk.contract", "flip_trust."))}
            assert {n for n in known if "hub" in n or n.startswith(("flip_trust.egress", "flip_trust.engine"))} == set()


def test_egress_is_the_only_door_out_of_a_trust() -> None:
    trust = [path for path in sources() if "flip_trust" in path.parts and place(path) not in CONNECTIONS]
    senders = {place(path) for path in trust for name in calls(path) if sends(name)}

    assert senders == {"trust/flip_trust/egress.py"}


def sends(name: str) -> bool:
    """Whether a call reaches a connection itself, and not by way of egress."""
    owner, _, method = name.rpartition(".")
    return method in SENDING_METHODS and owner != "egress"


def test_an_agent_listens_on_nothing() -> None:
    trust = [path for path in sources() if "flip_trust" in path.parts and not place(path).startswith(HOSPITAL)]

    for path in trust:
        if place(path).startswith(CONSOLE):
            continue
        called = {name.rpartition(".")[2] for name in calls(path)}
        assert called & {"listen", "create_server", "start_server"} == set(), place(path)
        assert {name.split(".")[0] for name in imports(path)} & {"uvicorn", "fastapi", "tornado"} == set(), place(path)


def test_the_console_knows_no_way_to_the_hub_and_the_agent_knows_no_console() -> None:
    away = (
        "flip_trust.egress",
        "flip_trust.agent.carrier",
        "flip_trust.agent.hub_client",
        "flip_trust.agent.announcer",
    )
    for path in sources():
        if place(path).startswith(CONSOLE):
            assert [name for name in imports(path) if name.startswith(away)] == [], place(path)
        elif place(path).startswith("trust/flip_trust/agent/"):
            assert [name for name in imports(path) if name.startswith("flip_trust.console")] == [], place(path)


def test_the_contract_needs_nothing_above_it() -> None:
    for path in (ROOT / "flip_sdk" / "flip_sdk" / "contract").rglob("*.py"):
        ours = {name for name in imports(path) if name.startswith("flip_")}
        assert all(name.startswith(("flip_sdk.contract", "flip_sdk.errors")) for name in ours), place(path)


BESIDE = {"flip_workspace"}
"""What a program imports by a place that it is told: a workspace's configuration lies within the hub's package."""


@cache
def owners_of_modules() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()


@pytest.mark.parametrize("package", DISTRIBUTIONS)
def test_a_distribution_names_all_that_it_imports(package) -> None:
    project = tomllib.loads((DISTRIBUTIONS[package] / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project.get("optional-dependencies", {}).values()
    wanted = [*project["dependencies"], *(line for extra in extras for line in extra), normal(package)]
    declared = {normal(re.split(r"[\[<>=!~; ]", line, maxsplit=1)[0]) for line in wanted}
    owners = owners_of_modules()

    missing = {
        (module, place(path))
        for path in sources()
        if package in path.parts
        for module in {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names) - BESIDE
        if not {normal(name) for name in owners.get(module, [module])} & declared
    }

    assert missing == set()


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_files_are_short() -> None:
    lengths = {place(path): len(path.read_text("utf-8").splitlines()) for path in sources()}

    assert statistics.median(lengths.values()) <= 150
    assert sorted(lengths.values())[int(len(lengths) * 0.9)] <= 400
    assert {path: length for path, length in lengths.items() if length > 600} == {}


def test_functions_are_short() -> None:
    lengths = [
        node.end_lineno - node.lineno + 1
        for path in sources()
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    ]

    assert sorted(lengths)[int(len(lengths) * 0.9)] <= 35
    assert statistics.median(lengths) <= 12


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_every_state_has_an_owner_and_is_reached(machine) -> None:
    reached = {machine.start} | {row.target for row in machine.transitions}

    assert reached == set(machine.states)
    assert all(row.owner and row.event for row in machine.transitions)
    assert machine.ends()


def test_tests_wait_on_conditions_not_on_the_clock() -> None:
    tests = [*(ROOT / "tests").rglob("test_*.py"), *(ROOT / "tests").rglob("conftest.py")]

    named = [path for path in tests if "sleep" in path.read_text("utf-8")]
    assert [place(path) for path in named if sleeps(tree(path))] == []


def sleeps(node: ast.AST) -> bool:
    """Whether there is a sleep outside a function that waits on a condition."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == "wait_until":
        return False
    if isinstance(node, ast.Call) and dotted(node.func) in {"time.sleep", "asyncio.sleep", "sleep"}:
        return True
    return any(sleeps(child) for child in ast.iter_child_nodes(node))


def test_errors_have_one_base_and_are_drawn_in_their_modules_docstring() -> None:
    # the panel has none of its own: it passes the SDK's on
    for package, folder in ((name, folder) for name, folder in DISTRIBUTIONS.items() if name != "flip_lab"):
        module = tree(folder / package / "errors.py")
        names = [node.name for node in module.body if isinstance(node, ast.ClassDef)]
        drawing = ast.get_docstring(module) or ""

        assert all(name.endswith("Error") for name in names), package
        assert [name for name in names if name not in drawing] == [], package
