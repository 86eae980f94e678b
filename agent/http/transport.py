"""One HTTP exchange with limits on time and size. It knows nothing of what is exchanged.

What fails becomes a `TryLater` that says whether a connection was made at all, and holds none of the request.
"""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import os
import re
import ssl
import time
import zlib
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import requests

from agent.errors import SettingsError, TryLater
from agent.http.per_thread import PerThread
from agent.http.sessions import CHUNK_BYTES, Session, TooLargeError
from agent.http.urllib3_parts import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    Timeout,
)
from agent.model.hosts import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agent.http.urllib3_parts import BaseHTTPResponse, HTTPConnectionPool


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `body` is decoded; where it was past the limit it is empty and `cut` is set.

    `retry_after` is in seconds, `location` and `date` the headers' texts as they came; None where absent or unreadable.
    """

    status: int
    body: bytes
    cut: bool
    retry_after: float | None
    location: str | None
    date: str | None


class _Line(NamedTuple):
    """Where a request goes: the connections to its host, and its target in the request's first line."""

    pool: HTTPConnectionPool
    target: str


class _Lines:
    """A thread's session, and the lines of its posts, by URL."""

    def __init__(self) -> None:
        self.session = Session()
        self.of_posts: dict[str, _Line] = {}

    def close(self) -> None:
        self.session.close()


class Transport:
    """Sessions to one host, one per thread, kept alive. Safe to use from any number of threads.

    Proxies and the CA bundle of the environment (`HTTPS_PROXY`, `NO_PROXY`, `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE` …)
    are read once, here: reading them for every request costs a third of the rate (measured). A loopback address is
    always asked directly. `name` is what its errors call who is asked, who may ask for `longest_wait` seconds at most.
    Raises `SettingsError` for a header that cannot be sent, and, where certificates matter, for a CA bundle that is
    not there.
    """

    def __init__(
        self, name: str, base_url: str, headers: Mapping[str, str], *, connect_seconds: float, longest_wait: float
    ) -> None:
        self.carry(headers)
        self._name = name
        self._connect_seconds = connect_seconds
        self._longest_wait = longest_wait
        self._proxies = proxies_for(base_url)
        self._verify = ca_bundle() if urlsplit(base_url).scheme == "https" else True
        self._sessions = PerThread(_Lines)

    def carry(self, headers: Mapping[str, str]) -> None:
        """Send these headers with every request that begins from now on. Raises `SettingsError` as at the start."""
        for header, value in headers.items():
            if not re.fullmatch(r"[!-~]([ -~]*[!-~])?", value):
                raise SettingsError(
                    [f"the value of the header {header} must be printable ASCII without blanks at its ends"]
                )
        self._headers = {**headers, "Accept": "application/json", "Accept-Encoding": "gzip"}
        self._headers_of_posts = self._headers | {"Content-Type": "application/json"}

    def exchange(self, method: str, url: str, body: bytes | None, *, seconds: float, limit: int) -> Reply:
        """Send one request and return the answer, whatever its status; a redirect is an answer too.

        `seconds` is for the whole answer, counted from the end of the request; `limit` is the largest decoded body
        in bytes. Raises `TryLater`, an outage with a code of `errors.NO_ANSWER`; `refused` is set where no connection
        was made, so that nothing can have been done.
        """
        failure: TryLater
        try:
            line = self._line(url, posts=body is not None)
            with contextlib.closing(
                line.pool.urlopen(
                    method,
                    line.target,
                    body=body,
                    headers=self._headers if body is None else self._headers_of_posts,
                    timeout=Timeout(connect=self._connect_seconds, read=seconds),
                    retries=False,
                    redirect=False,
                    assert_same_host=False,
                    preload_content=False,
                    decode_content=False,
                )
            ) as response:
                return _read(response, limit, self._longest_wait)
        except (OSError, HTTPError, http.client.HTTPException, zlib.error) as error:
            failure = _failure(error, self._name, urlsplit(url).hostname, seconds)
        # Outside of the except clause: the caught error holds the request, and so the key, and must not be chained.
        raise failure

    def close(self) -> None:
        """Close the connections of every thread."""
        self._sessions.close()

    def _line(self, url: str, *, posts: bool) -> _Line:
        """Return what a request to `url` goes by in this thread; for posts, which have few URLs, it is made once.

        requests makes the connections, with their proxies and certificates. The exchange itself is urllib3's, below
        it: requests prepares each request anew, and looks at each answer for redirects, hooks and cookies, none of
        which there are; that is more than half of what a request costs (measured).
        """
        mine = self._sessions.mine()
        if posts and url in mine.of_posts:
            return mine.of_posts[url]
        adapter: Any = mine.session.get_adapter(url)  # requests' types tell less than there is
        request = requests.Request("GET", url, headers=self._headers).prepare()
        pool = adapter.get_connection_with_tls_context(request, self._verify, proxies=self._proxies)
        adapter.cert_verify(pool, url, self._verify, None)
        line = _Line(pool, adapter.request_url(request, self._proxies))
        if posts:
            mine.of_posts[url] = line
        return line


def retry_after_seconds(value: str, now: float, longest: float) -> float | None:
    """Return the seconds that a `Retry-After` header asks for, `longest` at most, or None where it cannot be read.

    It holds seconds or an HTTP date (RFC 9110, 10.2.3). `now` is in seconds since 1970, at best the server's own.
    """
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value.strip()):
        return min(float(value), longest)
    date = http_date(value)
    return None if date is None else min(max(0.0, date - now), longest)


def _read(response: BaseHTTPResponse, limit: int, longest_wait: float) -> Reply:
    """Return the answer with its body read and decoded, or cut where it is past `limit`."""
    body = bytearray()
    for chunk in decoded(response):
        body += chunk
        if len(body) > limit:
            break
    cut = len(body) > limit
    return Reply(
        status=response.status,
        body=b"" if cut else bytes(body),
        cut=cut,
        retry_after=_retry_after(response.headers, longest_wait),
        location=response.headers.get("Location"),
        date=response.headers.get("Date"),
    )


def _retry_after(headers: Mapping[str, str], longest: float) -> float | None:
    """Return the seconds that the answer asks to wait, by the server's own clock where it tells it."""
    value = headers.get("Retry-After")
    if value is None:
        return None
    server_time = http_date(headers.get("Date"))
    return retry_after_seconds(value, time.time() if server_time is None else server_time, longest)


def decoded(response: BaseHTTPResponse) -> Iterator[bytes]:
    """Yield the body in pieces of a bounded size, however well it was compressed."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    pieces: Iterator[bytes] = response.stream(CHUNK_BYTES, decode_content=False)
    if encoding in {"identity", ""}:
        yield from pieces
        return
    if encoding not in {"gzip", "x-gzip"}:
        raise zlib.error("it is compressed in a way that was not asked for")
    unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    for piece in pieces:
        rest, out = piece, b""
        while rest or len(out) == CHUNK_BYTES:  # a full piece of output may leave more inside, with no input left
            out = unzip.decompress(rest, CHUNK_BYTES)
            rest = unzip.unconsumed_tail
            yield out
    if not unzip.eof:
        raise zlib.error("its compressed body is cut short")


def _failure(error: BaseException, name: str, host: str | None, seconds: float) -> TryLater:
    """Return our error for one of requests' or urllib3's, without any of the text or objects in it."""
    causes = list(_causes(error))

    def among(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if among(TooLargeError):
        return TryLater(f"{name}'s answer is too large to be one", code="bad-reply", is_outage=True)
    if among(zlib.error):
        return TryLater(f"{name}'s answer cannot be decompressed", code="bad-reply", is_outage=True)
    if among(NewConnectionError, ConnectTimeoutError, ProxyError, ssl.SSLCertVerificationError):
        # urllib3's NewConnectionError is a ConnectTimeoutError too.
        timed_out = among(ConnectTimeoutError) and not among(NewConnectionError)
        reason = "no answer" if timed_out else _reason(causes)
        sentence = f"no connection to {name} at {host}: {reason}"
        return TryLater(sentence, code="connection", refused=True, is_outage=True)
    if among(ReadTimeoutError, TimeoutError):
        sentence = f"{name}'s answer was not there, or not whole, after {seconds:g} seconds"
        return TryLater(sentence, code="timeout", is_outage=True)
    return TryLater(f"the connection to {name} broke: {_reason(causes)}", code="connection", is_outage=True)


def reason_of(error: BaseException) -> str:
    """Return why a request failed, in the system's own words, which hold nothing of the request."""
    return _reason(list(_causes(error)))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and every error inside it; urllib3 and requests keep them in `args` and `reason`."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        cause = waiting.pop(0)
        if id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            inner = (*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__)
            waiting.extend(value for value in inner if isinstance(value, BaseException))


def _reason(causes: list[BaseException]) -> str:
    """Return the operating system's or TLS's word for it, else the kind of the innermost error."""
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({cause.verify_message})"
    for cause in causes:
        if isinstance(cause, OSError) and isinstance(cause.strerror, str):
            return cause.strerror
    return type(causes[-1]).__name__


def proxies_for(base_url: str) -> dict[str, str]:
    """Return the environment's proxies for this host. A proxy elsewhere cannot reach our own loopback."""
    host = urlsplit(base_url).hostname or ""
    return {} if is_loopback(host) else dict(requests.utils.get_environ_proxies(base_url, no_proxy=None))


def ca_bundle() -> bool | str:
    """Return the environment's CA bundle, in the order that requests looks for it, or True for the usual one."""
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        path = os.environ.get(variable)
        if path:
            if not os.path.exists(path):
                raise SettingsError(
                    [f"{variable} is '{path}', which does not exist: name a file or folder of certificates"]
                )
            return path
    return True


def http_date(value: str | None) -> float | None:
    """Return an HTTP date in seconds since 1970."""
    if value is None:
        return None
    try:
        date = email.utils.parsedate_to_datetime(value)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
