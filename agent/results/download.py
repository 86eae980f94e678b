"""Fetches a result from the signed address that Playment names: without the key, bounded, and from no inner network.

The address comes from outside, so it is not trusted: only https, no redirect, and every address that its host's name
stands for must be a public one; the connection is then made to one of these very addresses, not to what a second
question to the DNS may answer. Through a proxy of the environment the names are the proxy's to resolve: there, only
addresses written as numbers can be checked. Where Playment itself is on loopback (a sandbox), all of this is allowed.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import zlib
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from agent.errors import Refused, TryLater
from agent.http.sessions import BoundedPool, BoundedResponse, Connection, Session, TlsConnection, TlsPool
from agent.http.transport import ca_bundle, decoded, proxies_for, reason_of
from agent.http.urllib3_parts import HTTPError, NewConnectionError, create_connection
from agent.model.text import without_secrets

if TYPE_CHECKING:
    from typing import BinaryIO

MOST_BYTES: Final = 128 * 2**20
"""The largest result, decoded. It is read whole to see that it is JSON, and the unit allows the agent 1 GiB."""
SECONDS: Final = 600.0
CONNECT_SECONDS: Final = 10.0


def is_public(address: str) -> bool:
    """Tell whether an IP address, as text, is one of the internet's and leads to no other that is not."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return is_public(str(found.ipv4_mapped))
        if found.sixtofour is not None or found.teredo is not None:
            return False
    return found.is_global and not found.is_multicast


class Download:
    """Fetches results, one connection for each; safe to use from several threads.

    `allow_private`: the address may be http and of any network. Raises `SettingsError` for a CA bundle that is not
    there.
    """

    def __init__(self, *, allow_private: bool, most_bytes: int = MOST_BYTES, seconds: float = SECONDS) -> None:
        self._allow_private = allow_private
        self._most_bytes = most_bytes
        self._seconds = seconds
        self._verify = True if allow_private else ca_bundle()

    def fetch(self, url: str, into: BinaryIO) -> None:
        """Write what `url` holds to `into`.

        Raises `Refused` where it is not to be fetched, or is too large; `TryLater` where it could not be (code
        `result` for both). No text of these holds the address's query, which is a signature.
        """
        shown = without_secrets(url)
        problem = self._problem(url)
        if problem:
            raise Refused(f"the result's address {shown} {problem}", code="result")
        failure: TryLater
        try:
            with (
                Session(_pools(self._most_bytes, allow_private=self._allow_private)) as session,
                session.get(
                    url,
                    headers={"Accept-Encoding": "identity"},
                    # No header of a user and password in the address, no netrc: nothing of ours goes there.
                    auth=lambda request: request,
                    timeout=(CONNECT_SECONDS, self._seconds),
                    proxies=proxies_for(url),
                    verify=self._verify,
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                if response.status_code != 200:
                    raise TryLater(f"the result at {shown} answered {response.status_code}", code="result")
                length = 0
                for piece in decoded(response.raw):
                    length += len(piece)
                    if length > self._most_bytes:
                        raise Refused(f"the result is larger than {self._most_bytes:,} bytes: {shown}", code="result")
                    into.write(piece)
                return
        except (HTTPError, http.client.HTTPException, zlib.error, ssl.SSLError) as error:
            failure = TryLater(f"the result at {shown} could not be fetched: {reason_of(error)}", code="result")
        except OSError as error:
            if getattr(error, "request", None) is None:
                raise  # it is `into` that could not be written
            failure = TryLater(f"the result at {shown} could not be fetched: {reason_of(error)}", code="result")
        # Outside of the except clause: the caught error holds the address with its signature.
        raise failure

    def _problem(self, url: str) -> str | None:
        """Say what is wrong with an address, before anybody is asked."""
        try:
            parts = urlsplit(url)
            host = parts.hostname
        except ValueError:
            return "cannot be read"
        if not host or parts.scheme not in ({"http", "https"} if self._allow_private else {"https"}):
            return "is not https"
        try:
            numeric_and_inner = not self._allow_private and not is_public(host)
        except ValueError:
            return None  # a name: what it stands for is checked when it is connected to
        return "is of a private network" if numeric_and_inner else None


class _PrivateError(OSError):
    """The host's name stands for an address that is not public."""


def _pools(most_bytes: int, *, allow_private: bool) -> dict[str, type[BoundedPool | TlsPool]]:
    """Return pools whose answers may be long, and, unless allowed, whose TLS connections lead to the internet alone."""

    class LargeAnswer(BoundedResponse):
        # What is compressed is bounded by what it may become, and headers need some room.
        most_bytes = 0

    LargeAnswer.most_bytes = most_bytes + 2**20

    class Plain(Connection):
        response_class = LargeAnswer

    class Tls(TlsConnection):
        response_class = LargeAnswer

    class TlsPublic(Tls):
        def _new_conn(self) -> socket.socket:
            return super()._new_conn() if self.proxy else _connect(self)

    class PlainPool(BoundedPool):
        ConnectionCls = Plain

    class LargeTlsPool(TlsPool):
        ConnectionCls = Tls if allow_private else TlsPublic

    return {"http": PlainPool, "https": LargeTlsPool}


def _connect(connection: Any) -> socket.socket:
    """Resolve the host's name once, and connect to one of its addresses where all of them are public."""
    host, port = connection.host, connection.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        if not all(map(is_public, addresses)):
            raise _PrivateError(0, "its host is of a private network")
        failure: OSError = OSError(0, "its host has no address")
        for address in addresses:
            try:
                return create_connection((address, port), connection.timeout, None, connection.socket_options)
            except OSError as error:
                failure = error
        raise failure
    except OSError as error:
        raise NewConnectionError(connection, str(error.strerror or error)) from error
