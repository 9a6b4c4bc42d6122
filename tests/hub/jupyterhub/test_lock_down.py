"""What a signed-in researcher cannot take out of a real workspace, through the hub's own proxy."""

from __future__ import annotations

import pytest
from flip_hub import sandbox

from demo.notebook_runner import Workspace
from tests.hub.jupyterhub.conftest import Run

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


def test_only_installed_kernels_are_kernels(files: Workspace) -> None:
    assert list(files.request("GET", "api/kernelspecs").json()["kernelspecs"]) == ["python3"]
    assert files.request("POST", "api/kernels", json={"name": "mine"}).status_code >= 400
    assert files.request("GET", "kernelspecs/python3/logo-64x64.png").status_code == 200


MENUS = ("filebrowser-extension:download", "docmanager-extension:download", "notebook-extension:export")


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
