"""Notebooks of running dashboards, and how somebody looks at them."""

from __future__ import annotations

import json
import re
from typing import Any

import websocket

from demo.hub_only import HubOnly
from demo.notebook_runner import Login, request_message
from demo.people import Visitor
from tests.hub.jupyterhub.homes import OPEN

REPORT = """
import json, os, pathlib, socket
print("results:", json.loads(pathlib.Path("jobs/j1.json").read_text())["counts"]["aldgate"])
print("tokens:", [name for name in os.environ_ if "TOKEN" in name or name.startswith("FLIP")])
print("beside:", sorted(os.listdir("..")), sorted(os.listdir(".")), sorted(os.listdir("jobs")))
try:
    socket.create_connection(("127.0.0.1", PORT), 5)
    print("network: reached")
except OSError:
    print("network: refused")
try:
    open("new.txt", "w")
    print("folder: written")
except OSError:
    print("folder: refused")
"""
FAILING = "secret_word = 'marzipan'\nraise ValueError(secret_word)"
HOSTILE = """
import os, signal, socket

def tried(what, how):
    try:
        how()
        print(what, "done")
    except (OSError, MemoryError) as error:
        print(what, "refused")

def fill():
    for number in range(40):
        with open(f"/tmp/{number}", "wb") as file:
            file.write(b"0" * 10**7)

def fork():
    children = []
    try:
        while len(children) < 200:
            child = os.fork()
            if child == 0:
                signal.pause()
            children.append(child)
    finally:
        for child in children:
            os.kill(child, 9)
            os.waitpid(child, 0)

tried("homes", lambda: os.listdir("/home"))
tried("names", lambda: socket.gethostbyname("example.org"))
tried("devices", lambda: open("/dev/shm/x", "w"))
tried("disk", fill)
for number in range(40):
    if os.path.exists(f"/tmp/{number}"):
        os.remove(f"/tmp/{number}")
tried("memory", lambda: bytearray(6 * 2**30))
tried("processes", fork)
print("others:", len([name for name in os.listdir("/proc") if name.isdigit()]) <= 2)
"""
CONTROLS = """
import ipywidgets
slider = ipywidgets.IntSlider(value=7, description="Persons")
ipywidgets.interact(lambda persons: print("twice as many:", 2 * persons), persons=slider)
"""
PERSONAL = """
import os
print("asked for:", os.environ.get("QUERY_STRING"))
"""


def address(name: str) -> str:
    return f"/services/dashboards/voila/render/{OPEN}/{name}/notebook.ipynb"


def viewer(hub: HubOnly, login: Login) -> Visitor:
    return Visitor(hub.url, login.name, login.password)


def kernel_of(page: str) -> str:
    found = re.search(r'"kernelId": "([0-9a-f-]{36})"', page)
    assert found is not None
    return f"/services/dashboards/api/kernels/{found[1]}"


FORBIDDEN = [
    request_message("execute_request", {"code": "print('run by a viewer')", "silent": False}, "s"),
    request_message("complete_request", {"code": "pri", "cursor_pos": 3}, "s"),
    request_message("inspect_request", {"code": "slider", "cursor_pos": 3, "detail_level": 1}, "s"),
    request_message("history_request", {"hist_access_type": "tail", "n": 9, "raw": True, "output": True}, "s"),
    request_message("is_complete_request", {"code": "1"}, "s"),
    request_message("comm_open", {"comm_id": "x1", "target_name": "jupyter.widget", "data": {"state": {}}}, "s"),
    request_message("comm_close", {"comm_id": "x1", "data": {}}, "s"),
    {**request_message("debug_request", {"command": "attach"}, "s"), "channel": "control"},
    {**request_message("interrupt_request", {}, "s"), "channel": "control"},
    {**request_message("shutdown_request", {"restart": False}, "s"), "channel": "control"},
    {**request_message("input_reply", {"value": "1"}, "s"), "channel": "stdin"},
]
"""What a viewer's page would say to run something, or to make what the notebook did not."""


def parents_until_info(socket: websocket.WebSocket, forbidden: dict[str, Any]) -> set[str]:
    """Say what is forbidden, then ask for the kernel's information; returns whether anything answered the former."""
    information = request_message("kernel_info_request", {}, "s")
    for message in (forbidden, information):
        socket.send(json.dumps(message))
    parents: set[str] = set()
    while information["header"]["msg_id"] not in parents:
        parents.add(json.loads(socket.recv())["parent_header"].get("msg_id", ""))
    return parents & {forbidden["header"]["msg_id"]}


def read_all(socket: websocket.WebSocket) -> None:
    """Read until it is closed."""
    while True:
        if not socket.recv():
            raise websocket.WebSocketConnectionClosedException
