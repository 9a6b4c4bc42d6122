"""Whose process is at the other end of a connection from this machine: the operating system knows, a cookie does not.

A browser sends a cookie of 127.0.0.1 to every port, and so to a program of whoever else has an account on the machine.
What they would catch is of no use to them: a session is bound to the account that began it.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path

_TABLES = {4: Path("/proc/net/tcp"), 6: Path("/proc/net/tcp6")}


def account_of(client: tuple[str, int] | None, ours: tuple[str, int | None] | None) -> int | None:
    """The account (uid) whose process holds the client's end of a connection.

    Args:
        client: address and port of the client, as the connection tells them.
        ours: the same of our end.

    Returns:
        None where the client is not on this machine, or the operating system does not say.
    """
    if client is None or ours is None or ours[1] is None:
        return None
    try:
        if not ipaddress.ip_address(client[0]).is_loopback:
            return None
        version = ipaddress.ip_address(client[0]).version
        wanted = _end(client[0], client[1]), _end(ours[0], ours[1])
        lines = _TABLES[version].read_text(encoding="ascii").splitlines()[1:]
    except (ValueError, OSError):
        return None
    for line in lines:
        fields = line.split()
        if (fields[1], fields[2]) == wanted:
            return int(fields[7])
    return None


def _end(address: str, port: int) -> str:
    """An end of a connection as the kernel writes it: words of four bytes, each in the machine's own order."""
    packed = ipaddress.ip_address(address).packed
    words = (packed[at : at + 4][::-1] for at in range(0, len(packed), 4))
    return f"{b''.join(words).hex().upper()}:{port:04X}"
