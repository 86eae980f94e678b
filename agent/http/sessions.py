"""`requests` sessions whose answers have a deadline and a size limit, and that follow no redirect.

`requests` limits neither: its read time limit starts anew with every byte, so that a server sending a byte a second
is listened to for ever. Here all of an answer, headers too, must come within the read time limit, and in so many bytes.
"""

from __future__ import annotations

import http.client
import io
import math
import time
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final

import requests
from requests.adapters import HTTPAdapter

from agent.http.urllib3_parts import HTTPConnection, HTTPConnectionPool, HTTPSConnection, HTTPSConnectionPool

if TYPE_CHECKING:
    import socket

    from _typeshed import WriteableBuffer

CHUNK_BYTES: Final = 65536
LATE: Final = 0.9
"""The part of the time limit on one read that may be left of the whole answer's; below it the limit is lowered."""

_RAW_BYTES: Final = 20 * 2**20  # of one answer, headers and compressed body; above every decoded limit in use
_SEND_SECONDS: Final = 120.0  # for a request's body: a sequence's can be megabytes, and an uplink slow


class Session(requests.Session):
    """A session that takes nothing from the environment, follows no redirect and keeps no cookie.

    `pools` are the connection pools by scheme; without them answers are bounded as the job API's are.
    """

    def __init__(self, pools: Pools | None = None) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(_POOLS if pools is None else pools))

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - requests' own signature
        """Return None: even with `allow_redirects=False` requests would read a redirect's whole body, unbounded."""
        return


class _Incoming(io.RawIOBase):
    """The bytes of one answer from a socket, with a deadline and a limit for all of them together."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, most_bytes: int) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._deadline = time.monotonic() + (sock.gettimeout() or 0.0)
        self._left = most_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        if seconds < LATE * (self._sock.gettimeout() or math.inf):  # setting it takes a call of the system's each time
            self._sock.settimeout(seconds)
        count = self._raw.readinto(buffer)
        self._left -= count or 0
        if self._left < 0:
            raise TooLargeError
        return count

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class TooLargeError(OSError):
    """An answer has more bytes than any that is documented."""


class BoundedResponse(http.client.HTTPResponse):
    """The standard response, read through `_Incoming`. Its deadline is the read time limit set on the socket."""

    most_bytes = _RAW_BYTES

    def __init__(self, sock: socket.socket, *args: Any, **named: Any) -> None:
        super().__init__(sock, *args, **named)
        self.fp = io.BufferedReader(_Incoming(self.fp.detach(), sock, self.most_bytes), CHUNK_BYTES)


class _Sending:
    """Gives the sending of a request its own time limit, urllib3 gives it the one for connecting; and sends it at once.

    The standard library sends the headers by themselves: a small body would be a second packet, and wake the server
    a second time.
    """

    sock: socket.socket | None
    timeout: float | None
    _head: bytes | None = None
    _is_head = False

    def request(self, method: str, url: str, body: Any = None, *args: Any, **named: Any) -> None:
        self._is_head, self._head = isinstance(body, bytes) and len(body) <= CHUNK_BYTES, None
        if self.sock is not None:
            self.timeout = _SEND_SECONDS  # urllib3 sets it on the socket
        super().request(method, url, body, *args, **named)  # type: ignore[misc]

    def send(self, data: Any) -> None:
        if self._is_head:
            self._is_head, self._head = False, data
            return
        if self._head is not None:
            data, self._head = self._head + data, None
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]
            if self.sock is not None:
                self.sock.settimeout(_SEND_SECONDS)
        super().send(data)  # type: ignore[misc]


class Connection(_Sending, HTTPConnection):
    """A plain connection whose answers are bounded."""

    response_class = BoundedResponse


class TlsConnection(_Sending, HTTPSConnection):
    """The same through TLS."""

    response_class = BoundedResponse


class BoundedPool(HTTPConnectionPool):
    """Plain connections to one host."""

    ConnectionCls = Connection


class TlsPool(HTTPSConnectionPool):
    """TLS connections to one host."""

    ConnectionCls = TlsConnection


Pools = Mapping[str, type[HTTPConnectionPool]]
_POOLS: Final[Pools] = {"http": BoundedPool, "https": TlsPool}


class _Adapter(HTTPAdapter):
    """Makes connections of ours, straight or through a proxy."""

    def __init__(self, pools: Pools) -> None:
        self._pools = pools
        super().__init__()

    def init_poolmanager(self, *args: Any, **named: Any) -> None:
        super().init_poolmanager(*args, **named)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **named: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **named)
        manager.pool_classes_by_scheme = self._pools
        return manager
