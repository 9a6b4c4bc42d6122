"""What a signed-in researcher cannot take out of a real workspace, through the hub's own proxy."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from flip_hub import sandbox
from flip_hub.audit_search import Wanted, search
from flip_hub.database import AuditRow, Database
from flip_sdk.contract.records import digest

from demo.hub_only import HubOnly
from demo.notebook_runner import Workspace
from demo.processes import wait_until
from tests.hub.jupyterhub.conftest import Run
from tests.hub.jupyterhub.homes import ADA, BEN, OPEN, PASSING, publish

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("running-hub")]
needs_bubblewrap = pytest.mark.skipif(not sandbox.usable(), reason="bubblewrap is missing or does not work here")

FILES = """
import os, pickle
for place in ('.', '.local/share/jupyter/kernels/mine', '.local/share/jupyter/labextensions/mine',
              '.local/share/jupyter/nbextensions', '.local/share/jupyter/voila/templates/mine/static',
              '.jupyter/custom', '.jupyter/labconfig', '.ipynb_checkpoints'):
    os.makedirs(place, exist_ok=True)
    open(place + '/x.pkl', 'wb').write(pickle.dumps(b'\\xff' * 9))
    open(place + '/x.txt', 'w').write('text')
    open(place + '/x.html', 'w').write('<script>1</script>')
    open(place + '/x.png', 'wb').write(b'\\x89PNG\\r\\n\\x1a\\n' + b'\\xff' * 9)
open('.local/share/jupyter/kernels/mine/kernel.json', 'w').write(
    '{"argv": ["true", "{connection_file}"], "display_name": "mine", "language": "python"}')
open('.jupyter/labconfig/page_config.json', 'w').write('{"disabledExtensions": {}, "lockedExtensions": {}}')
open('.jupyter/jupyter_server_config.py', 'w').write('c.ContentsManager.files_handler_class = "tornado.web.Static"')
"""


@pytest.fixture(scope="module")
def files(workspace: Workspace, run_in: Run) -> Workspace:
    """The workspace with files of every kind in it, wherever a server might look for them."""
    run_in(workspace.open(), FILES)
    return workspace


WAYS_OUT = [
    # files themselves
    ("files/x.txt", 404),
    ("files/x.pkl", 404),
    ("files/asked.ipynb?download=1", 404),
    ("view/x.html", 403),
    ("tree/x.txt", 404),
    ("edit/x.txt", 404),
    ("custom/x.txt", 404),
    ("nbextensions/x.txt", 404),
    # conversions, as the menus' Save and Export As ask for them
    *((f"nbconvert/{kind}/asked.ipynb?download=true", 403) for kind in ("html", "pdf", "script", "webpdf", "notebook")),
    # bytes by the interface's own API
    ("api/contents/x.txt?format=base64&type=file", 403),
    ("api/contents/asked.ipynb?format=base64&type=file", 403),
    ("api/contents/x.pkl", 403),
    ("api/contents/x.pkl?type=file", 403),
    ("api/contents/x.png?type=file&content=1&hash=1", 403),
    ("api/contents/x.pkl?type=file&format=text", 400),
    ("api/contents/.ipynb_checkpoints/x.pkl", 404),
    ("api/contents/asked.ipynb/checkpoints/checkpoint", 405),
    # folders of a home from which a server would answer
    ("kernelspecs/mine/x.pkl", 404),
    ("kernelspecs/python3/..%2F..%2Fx.pkl", 403),
    ("lab/extensions/mine/x.pkl", 404),
    ("lab/api/themes/mine/x.pkl", 404),
    ("static/..%2Fx.pkl", 404),
    ("voila/templates/mine/static/x.pkl", 404),
    ("voila/render/asked.ipynb", 404),
    ("voila/files/x.pkl", 404),
    # other programs
    ("api/terminals", 404),
    ("terminals/1", 404),
    ("lsp/status", 404),
    ("proxy/8888/", 404),
    ("proxy/localhost:8081/hub/api", 404),
    ("server-proxy/servers-info", 404),
    ("dask/dashboard/0123456789abcdef/status", 404),
    ("directories/x", 404),
    # what the interface does not need
    ("lab/api/licenses/?full_text=1", 403),
    ("lab/api/listings/x.json", 403),
    ("lab/api/extensions", 403),
    ("lab/api/plugins", 403),
    ("metrics", 403),
]


@pytest.mark.parametrize(("path", "status"), WAYS_OUT, ids=[path.partition("?")[0] for path, _ in WAYS_OUT])
def test_each_way_out_is_closed(files: Workspace, path: str, status: int) -> None:
    answer = files.request("GET", path)
    assert answer.status_code == status
    assert b"\xff\xff" not in answer.content
    assert "//////" not in answer.text


def test_a_rendered_notebook_is_refused_where_it_is_sent(files: Workspace) -> None:
    notebook = files.request("GET", "api/contents/asked.ipynb").json()
    assert files.request("POST", "nbconvert/html", json=notebook).status_code == 403


def test_no_terminal_is_opened(files: Workspace) -> None:
    assert files.request("POST", "api/terminals").status_code == 404


def test_files_are_still_worked_on(files: Workspace) -> None:
    assert files.request("GET", "api/contents/x.txt").json()["content"] == "text"
    assert files.request("GET", "api/contents/x.pkl?content=0").status_code == 200
    assert files.request("POST", "api/contents/x.txt/checkpoints").status_code == 201


def test_no_data_is_uploaded_by_the_file_browser(files: Workspace) -> None:
    for name, status in (("rows.csv", 403), ("code.py", 201)):
        sent = {"type": "file", "format": "base64", "content": "eCA9IDEK"}
        assert files.request("PUT", f"api/contents/{name}", json=sent).status_code == status
    assert files.request("GET", "api/contents/rows.csv").status_code == 404
    assert files.request("GET", "api/contents/code.py").json()["content"] == "x = 1\n"


def test_its_log_has_no_mistake_of_its_start(hub: HubOnly, workspace: Workspace) -> None:
    workspace.request("GET", "api/status")
    logs = list((hub.config.home / "logs").glob("workspace-*.log"))
    assert logs
    assert not [log.name for log in logs if "error linking extension" in log.read_text(encoding="utf-8")]


def test_only_installed_kernels_are_kernels(files: Workspace) -> None:
    assert list(files.request("GET", "api/kernelspecs").json()["kernelspecs"]) == ["python3"]
    assert files.request("POST", "api/kernels", json={"name": "mine"}).status_code >= 400
    assert files.request("GET", "kernelspecs/python3/logo-64x64.png").status_code == 200


MENUS = (
    "filebrowser-extension:download",
    "docmanager-extension:download",
    "notebook-extension:export",
    "apputils-extension:print",
)


def test_the_menus_offer_no_download_whatever_a_home_says(files: Workspace) -> None:
    page = files.request("GET", "lab").text
    for listed in ("disabledExtensions", "lockedExtensions"):
        names = page.partition(listed)[2].partition("]")[0]
        assert all(plugin in names for plugin in MENUS)
    setting = {"raw": '{"jupyter.lab.menus": {"main": []}}'}
    files.request("PUT", "lab/api/settings/@jupyterlab/docmanager-extension:plugin", json=setting)
    for command in ("enable", "disable"):
        asked = {"cmd": command, "plugin_name": f"@jupyterlab/{MENUS[1]}"}
        assert files.request("POST", "lab/api/plugins", json=asked).status_code == 403
    assert files.request("GET", "lab").text.partition("disabledExtensions")[2].count(MENUS[1]) >= 1


@needs_bubblewrap
def test_its_configuration_cannot_be_changed_from_inside(files: Workspace, run_in: Run) -> None:
    code = (
        "import os, pathlib, sys\n"
        "place = pathlib.Path(os.environ['JUPYTER_CONFIG_DIR'])\n"
        "ways = [place / 'jupyter_server_config.py', place / 'labconfig' / 'page_config.json', place / 'new.json',\n"
        "        place / 'data' / 'x', pathlib.Path(sys.prefix) / 'etc' / 'jupyter' / 'x.json',\n"
        "        pathlib.Path(sys.prefix) / 'share' / 'jupyter' / 'lab' / 'settings' / 'overrides.json',\n"
        "        pathlib.Path('/etc/jupyter/x'), pathlib.Path('/usr/local/etc/jupyter/x')]\n"
        "def tried(path):\n"
        "    try: path.open('a').close()\n"
        "    except OSError: return False\n"
        "    return True\n"
        "print([str(path) for path in ways if tried(path)])\n"
        "try: place.rename(place.with_name('elsewhere')); print('moved')\n"
        "except OSError: print('stays')"
    )
    assert run_in(files, code) == ["[]\nstays"]


# ---- the network

TRY = """
import os, socket, urllib.request
def tried(action):
    try: return f'REACHED {action()}'
    except OSError as error: return type(error).__name__
def tcp(host, port):
    return tried(lambda: socket.create_connection((host, port), 3).getpeername())
"""
NOWHERE = """
own = socket.socket(socket.AF_INET6); own.settimeout(3)
icmp = socket.SOCK_DGRAM, socket.IPPROTO_ICMP
ping = lambda: socket.socket(socket.AF_INET, *icmp).sendto(b'\\x08' + bytes(7), ('192.0.2.1', 0))
found = {
    'name': tried(lambda: socket.getaddrinfo('pypi.org', 443)),
    'internet': tcp('1.1.1.1', 443),
    'documentation': tcp('192.0.2.1', 80),
    'metadata': tcp('169.254.169.254', 80),
    'private': tcp('10.0.0.1', 22),
    'ipv6': tcp('2001:db8::1', 443),
    'udp': tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))),
    'ping': tried(ping),
    'raw': tried(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
}
print({name: told for name, told in found.items() if told.startswith('REACHED')}, len(found))
print(sorted(name for _, name in socket.if_nameindex()))
"""


@pytest.fixture(scope="module")
def listeners() -> Iterator[dict[str, socket.socket]]:
    """What listens on this computer beside the hub: ports of its loopback, and a socket without a file."""
    with (
        socket.create_server(("127.0.0.1", 0)) as four,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as six,
        socket.create_server(("0.0.0.0", 0)) as every,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        abstract.bind("\0flip-listens-here")
        abstract.listen()
        yield {"four": four, "six": six, "every": every, "abstract": abstract}


@needs_bubblewrap
def test_a_cell_reaches_nothing_beside_the_hub(workspace: Workspace, run_in: Run) -> None:
    _, found = run_in(workspace, TRY, NOWHERE)
    assert found == "{} 9\n['lo']"


@needs_bubblewrap
def test_a_cell_reaches_nothing_of_this_computer_but_the_hubs_two_addresses(
    hub: HubOnly, workspace: Workspace, listeners: dict[str, socket.socket], run_in: Run
) -> None:
    others = [listeners[name].getsockname()[1] for name in ("four", "every")]
    closed = [*others, *(hub.ports[name] for name in ("PROXY_API", "SERVICE", "DASHBOARDS"))]
    opened = [hub.ports[name] for name in ("HUB", "JUPYTERHUB")]
    six = listeners["six"].getsockname()[1]
    code = (
        f"print([tcp('127.0.0.1', port).partition(' ')[0] for port in {opened}])\n"
        f"print([tcp('127.0.0.1', port) for port in {closed}], tcp('::1', {six}))\n"
        "print(tried(lambda: socket.socket(socket.AF_UNIX).connect('\\0flip-listens-here')))\n"
        "print(os.path.exists('/run'), 'FLIP_DOORS' in os.environ)"
    )
    _, found = run_in(workspace, TRY, code)
    refused = "ConnectionRefusedError"
    assert found == f"['REACHED', 'REACHED']\n{[refused] * 5} {refused}\n{refused}\nFalse False"


@needs_bubblewrap
def test_its_token_opens_nothing_else_by_the_hubs_addresses(hub: HubOnly, workspace: Workspace, run_in: Run) -> None:
    dashboard = publish(hub.config, "asked-by-a-cell", "1 + 1")
    with closing(Workspace(hub.url, BEN, OPEN)) as colleague:
        colleague.open()
        code = (
            "import urllib.error, json\n"
            "from urllib.parse import urlsplit\n"
            "api, proxy = os.environ['JUPYTERHUB_API_URL'], os.environ['FLIP_HUB_API'].partition('/services')[0]\n"
            "class Stay(urllib.request.HTTPRedirectHandler):\n"
            "    def redirect_request(self, *_): return None\n"
            "opener = urllib.request.build_opener(Stay)\n"
            "def ask(url, method='GET'):\n"
            "    headers = {'Authorization': 'token ' + os.environ['JUPYTERHUB_API_TOKEN']}\n"
            "    try: return opener.open(urllib.request.Request(url, headers=headers, method=method)).status\n"
            "    except urllib.error.HTTPError as error: return error.code\n"
            f"theirs = '{colleague.path}/api/'\n"
            "print(ask(proxy + theirs + 'contents'), ask(proxy + theirs + 'kernels', 'POST'))\n"
            f"print(ask(proxy + '{dashboard}'), ask(proxy + '/hub/login'))\n"
            f"print([ask(api + path) for path in ('/users', '/users/{BEN.name}', '/services', '/proxy', '/groups')])\n"
            f"print([ask(api + path, 'POST') for path in ('/users/{ADA.name}/tokens', '/users/{BEN.name}/activity',\n"
            f"    '/users/{ADA.name}/servers/{PASSING}', '/shutdown', '/shares/{ADA.name}/{OPEN}')])\n"
            "print(ask(os.environ['FLIP_HUB_API'] + '/me'))\n"
        )
        _, found = run_in(workspace, TRY, code)
        colleague.stop()
    refused = "[403, 404, 403, 403, 403]"
    assert found.split("\n") == ["403 403", "403 200", refused, refused, "200"]


@needs_bubblewrap
def test_its_doors_close_with_it(hub: HubOnly) -> None:
    with closing(Workspace(hub.url, ADA, PASSING)) as passing:
        before = hub.pids("doors.py")
        passing.open()
        (added,) = hub.pids("doors.py") - before
        passing.stop()
        wait_until(lambda: added not in hub.pids("doors.py"), 40, "doors are left", last_words=hub.keeper.last_words)


# ---- what is run


def test_what_is_run_is_in_the_hubs_audit_log(hub: HubOnly, workspace: Workspace, run_in: Run) -> None:
    code = "answer = 6 * 7  # to be found in the audit log"
    run_in(workspace, code)
    database = Database.of(hub.config)

    def found() -> list[AuditRow]:
        with database.read() as session:
            return search(session, Wanted(event="cell.executed", text="to be found in the audit log"))

    wait_until(lambda: bool(found()), 20, "the cell is not in the audit log", last_words=hub.keeper.last_words)
    (entry,) = found()
    database.close()
    details = json.loads(entry.details)
    assert (entry.actor, details["project"], details["code"]) == (ADA.name, OPEN, code)
    assert entry.subject.startswith(f"cells/{OPEN}/{ADA.name}/")
    assert details["digest"] == digest(code.encode())


# ---- packages

PIP = """
import pathlib, subprocess, sys
def pip(*words):
    done = subprocess.run([sys.executable, '-m', 'pip', *words], capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr)
"""


def test_approved_packages_are_installed_into_the_home_and_no_others(workspace: Workspace, run_in: Run) -> None:
    install = "code, told = pip('install', 'apples'); print(code, told if code else '')"
    _, installed = run_in(workspace, PIP, install)
    assert installed == "0"
    used = "import apples, pips; print(apples.VERSION, pips.VERSION)\n"
    where = "print(pathlib.Path(apples.__file__).is_relative_to(pathlib.Path.home()))"
    others = (
        "for name in ('worms', 'apples==2.0'):\n"
        "    code, told = pip('install', name)\n"
        "    print(code, 'No matching distribution' in told)\n"
    )
    token = "import os; print(os.environ['JUPYTERHUB_API_TOKEN'] in pip('install', '-v', 'worms')[1])"
    _, found, refused, shown = run_in(workspace, PIP, used + where, others, token)
    assert found == "1.0 3.1\nTrue"
    assert refused == "1 True\n1 True"
    assert shown == "False"


def test_a_server_starts_again_and_imports_nothing_out_of_a_home(hub: HubOnly, run_in: Run) -> None:
    with closing(Workspace(hub.url, ADA, PASSING)) as passing:
        passing.open()
        mine = "import os; place = os.environ['PYTHONPATH']; os.makedirs(place, exist_ok=True); print(place)\n"
        mine += "for name in ('voila', 'jupyter_lsp', 'sitecustomize', 'tornado'):\n"
        mine += "    open(f'{place}/{name}.py', 'w').write('raise SystemExit(3)')"
        run_in(passing, mine)
        passing.stop()
        passing.open()
        assert passing.request("GET", "api/status").status_code == 200
        passing.stop()
