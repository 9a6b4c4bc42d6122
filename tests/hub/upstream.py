"""An index of packages as everybody has one, with real, small wheels: what a hub's own index is made of."""

from __future__ import annotations

import hashlib
import http.server
import io
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

MOST = 100_000


def wheel(name: str, version: str, *needs: str) -> bytes:
    """A real, small wheel."""
    info = f"{name}-{version}.dist-info"
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {name}",
        f"Version: {version}",
        *(f"Requires-Dist: {one}" for one in needs),
    ]
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": "\n".join(lines) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return content.getvalue()


FILES = {
    "apples-1.0-py3-none-any.whl": wheel("apples", "1.0", "pips"),
    "apples-2.0-py3-none-any.whl": wheel("apples", "2.0"),
    "apples-1.0.tar.gz": b"a source archive",
    "pips-3.1-py3-none-any.whl": wheel("pips", "3.1"),
    "worms-1.0-py3-none-any.whl": wheel("worms", "1.0"),
    "broken-1.0-py3-none-any.whl": wheel("broken", "1.0"),
    "large-1.0-py3-none-any.whl": bytes(MOST + 1),
}


class Upstream(http.server.SimpleHTTPRequestHandler):
    """An index as everybody has one (PEP 503); what ``broken`` is does not fit its digest."""

    asked: list[str] = []  # noqa: RUF012 - one for all requests

    def do_GET(self) -> None:
        self.asked.append(self.path)
        part = self.path.strip("/").split("/")
        if part[0] == "files" and part[1] in FILES:
            return self._answer(FILES[part[1]] + (b"!" if part[1].startswith("broken") else b""), "application/zip")
        names = [name for name in FILES if part[0] == "simple" and len(part) > 1 and name.startswith(f"{part[1]}-")]
        links = (
            f'<a href="/files/{name}#sha256={hashlib.sha256(FILES[name]).hexdigest()}">{name}</a>' for name in names
        )
        if not names:
            return self.send_error(404)
        return self._answer("".join(links).encode(), "text/html")

    def _answer(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Not on the tests' terminal."""


@contextmanager
def serving() -> Iterator[str]:
    """The address of its simple index, while it is there."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/simple/"
        server.shutdown()
        thread.join()
