"""urllib3's insides that we build on are as `agent/http/urllib3_parts.py` says."""

from __future__ import annotations

import ast
import http.client
import inspect
import re
import socket
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.connection import create_connection

from agent.http import urllib3_parts
from tests.pure import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Callable

OURS = "agent/http/urllib3_parts.py"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class OurAnswer(http.client.HTTPResponse):
    """An answer of a class of ours."""

    made = 0

    def __init__(self, *values: Any, **named: Any) -> None:
        OurAnswer.made += 1
        super().__init__(*values, **named)


class Reached(Exception):
    """The method that was to be called was called."""


def _answers_are_of_its_class() -> bool:
    for kind in (HTTPConnection, HTTPSConnection):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            connection = type("Ours", (kind,), {"response_class": OurAnswer})("host")
            connection.sock = ours
            theirs.sendall(ANSWER)
            before = OurAnswer.made
            connection.request("GET", "/", preload_content=False)
            connection.getresponse().close()
            if OurAnswer.made != before + 1:
                return False
    return True


def _request_sets_the_time_limit() -> bool:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = HTTPConnection("host", timeout=3.0)
        connection.sock, connection.timeout = ours, 7.0
        connection.request("GET", "/")
        return ours.gettimeout() == 7.0


def _head_and_body_are_sent_apart() -> bool:
    sent: list[bytes] = []

    class Ours(HTTPConnection):
        def send(self, data: Any) -> None:
            sent.append(bytes(data))

    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = Ours("host")
        connection.sock = ours
        connection.request("POST", "/", body=b"the body", headers={"X": "y"})
    head, body = sent
    return head.startswith(b"POST / HTTP/1.1\r\n") and head.endswith(b"\r\n\r\n") and body == b"the body"


def _send_connects() -> bool:
    class Ours(HTTPConnection):
        def connect(self) -> None:
            raise Reached

    with pytest.raises(Reached):
        Ours("host").request("GET", "/")
    return HTTPConnection("host").sock is None


def _pools_make_connections_of_their_class() -> bool:
    made = []
    for kind, connection in ((HTTPConnectionPool, HTTPConnection), (HTTPSConnectionPool, HTTPSConnection)):
        ours = type("OurConnection", (connection,), {})
        pool = type("OurPool", (kind,), {"ConnectionCls": ours})("host")
        made.append(isinstance(pool._new_conn(), ours))
    return all(made)


def _managers_make_pools_of_their_classes() -> bool:
    class Plain(HTTPConnectionPool):
        pass

    class Tls(HTTPSConnectionPool):
        pass

    made = []
    for manager in (PoolManager(), ProxyManager("http://proxy:8080")):
        manager.pool_classes_by_scheme = {"http": Plain, "https": Tls}
        made += [type(manager.connection_from_url("http://host")), type(manager.connection_from_url("https://host"))]
    return made == [Plain, Tls, Plain, Tls]


def _connect_asks_for_the_socket() -> bool:
    def reach(_self: object) -> socket.socket:
        raise Reached

    for kind in (HTTPConnection, HTTPSConnection):
        with pytest.raises(Reached):
            type("Ours", (kind,), {"_new_conn": reach})("host").connect()
    return True


def _it_has_its_attributes() -> bool:
    connection = HTTPSConnection("host", 444, timeout=3.0, socket_options=[(6, 1, 1)])
    asked = [getattr(connection, name) for name in ("host", "port", "timeout", "socket_options", "proxy")]
    return asked == ["host", 444, 3.0, [(6, 1, 1)], None]


def _it_takes_these() -> bool:
    return list(inspect.signature(create_connection).parameters) == [
        "address",
        "timeout",
        "source_address",
        "socket_options",
    ]


def _it_is_a_connection_that_was_not_made() -> bool:
    error = NewConnectionError(HTTPConnection("host"), "why")
    return ConnectTimeoutError in NewConnectionError.__mro__ and str(error).endswith("why")


CHECKS: dict[str, Callable[[], bool]] = {
    "response_class": _answers_are_of_its_class,
    "timeout": _request_sets_the_time_limit,
    "send": _head_and_body_are_sent_apart,
    "connect": _send_connects,
    "ConnectionCls": _pools_make_connections_of_their_class,
    "pool_classes_by_scheme": _managers_make_pools_of_their_classes,
    "_new_conn": _connect_asks_for_the_socket,
    "attributes": _it_has_its_attributes,
    "create_connection": _it_takes_these,
    "NewConnectionError": _it_is_a_connection_that_was_not_made,
}
SAID = dict(re.findall(r"^- (\w+): (.*)$", urllib3_parts.__doc__ or "", re.MULTILINE))


@pytest.mark.parametrize("inside", CHECKS)
def test_an_inside_of_urllib3_is_as_it_was(inside: str) -> None:
    sentence = f"urllib3 {version('urllib3')} has changed below what it documents. No more true is: {SAID[inside]}"
    try:
        holds = CHECKS[inside]()
    except Exception as error:  # noqa: BLE001 - whatever it is, the sentence says what it means
        pytest.fail(f"{sentence} ({type(error).__name__}: {error}). See {OURS}")
    assert holds, f"{sentence}. See {OURS}"


def test_each_inside_that_is_named_is_checked() -> None:
    assert list(SAID) == list(CHECKS)


def test_urllib3_is_imported_in_one_place() -> None:
    importers = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Import) and any(alias.name.startswith("urllib3") for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("urllib3"))
    }
    assert importers == {"http/urllib3_parts.py"}


def test_nothing_is_handed_on_that_is_not_used() -> None:
    others = (path for path in PACKAGE.rglob("*.py") if path.name != "urllib3_parts.py")
    text = "".join(path.read_text(encoding="utf-8") for path in others)
    assert [name for name in urllib3_parts.__all__ if name not in text] == []
