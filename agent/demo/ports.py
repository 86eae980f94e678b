"""Ports on loopback for servers that take theirs only later, when they have started."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack, suppress

PORTS = range(10_000, 32_768)
"""Below Linux' ip_local_port_range (ip(7)), from which connections get theirs."""


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, of those that the kernel gives to no connection: they are bound later."""
    found: list[int] = []
    with ExitStack() as stack:
        for port in random.sample(PORTS, len(PORTS)):
            with suppress(OSError):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
                found.append(port)
                if len(found) == count:
                    break
    return found
