"""Serves the page until it is told to stop. I/O."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import uvicorn

from agent.errors import AgentError
from agent.page.app import make

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.page.page import Page

IDLE_SECONDS = 30
"""How long a connection may stay open between two requests: a page that is looked at asks each second."""
CONNECTIONS = 64
"""More at once are told to come again: no reader opens so many, and each costs memory."""
HEAD_BYTES = 16 * 1024
"""The largest head of a request, as of nginx by default."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 stands for any. Raises AgentError where the place is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP's: asyncio has only such send at once what is written, and else each answer waits 40 ms.
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(CONNECTIONS)
    except OSError as error:
        found.close()
        raise AgentError(f"the page cannot be served at {host}, port {port}: {error.strerror}") from error
    return found


def serve(page: Page, place: socket.socket, ready: Callable[[], None]) -> None:
    """Serve a page at a socket until SIGTERM or SIGINT; calls `ready` when it can be asked."""
    config = uvicorn.Config(
        make(page),
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=IDLE_SECONDS,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=HEAD_BYTES,
    )
    with place:
        ready()
        uvicorn.Server(config).run(sockets=[place])
