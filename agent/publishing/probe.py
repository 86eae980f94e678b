"""Fetches a published file's exact URL as the target would: without credentials, before a job names it."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit

import requests

from agent.errors import Unpublished
from agent.http.per_thread import PerThread
from agent.http.sessions import CHUNK_BYTES, Session, TooLargeError
from agent.http.urllib3_parts import HTTPError
from agent.model.hosts import is_loopback, is_mixed

if TYPE_CHECKING:
    import random

CONNECT_SECONDS = 10
READ_SECONDS = 30
REDIRECTS = 3
SAMPLED = 20
"""How many frames of a sequence are probed besides its first and last."""

MISSING = 404
_SMALL = 4096
_CONTENT_RANGE = re.compile(r"bytes (?:\d+-\d+|\*)/(\d+)")

_ADVICE = {
    403: "the server may not read the file, or does not let everyone fetch it: look at the file's mode and the "
    "server's rules",
    MISSING: "look whether PUBLISH_TO is the URL of WATCH_DIR",
    414: "the URL is too long for the server: allow longer request lines there, or use shorter names",
    416: "the file is empty there",
    429: "the server limits how often it is asked",
}


def sample(count: int, rng: random.Random) -> list[int]:
    """Return the positions to probe of a sequence of `count` frames, rising: first, last, and 20 others by `rng`."""
    if count <= SAMPLED + 2:
        return list(range(count))
    return [0, *sorted(rng.sample(range(1, count - 1), SAMPLED)), count - 1]


class Probe:
    """Fetches URLs over connections that are kept, one session for each thread that uses it.

    The environment's proxies and CA bundle are obeyed; no credentials are sent, be it from netrc, cookies or the URL.
    `target` is what people call who is to fetch them. Where a page of another origin is to show them, `origin` is that
    page's (`https://host`), and the answer must allow it: a browser loads them with CORS, and shows nothing else.
    """

    def __init__(self, target: str, origin: str = "") -> None:
        self._sessions = PerThread(lambda: _Session(target, origin))

    def check(self, url: str, size: int) -> None:
        """Fetch `url` and return if it answers with `size` bytes; at most three redirects are followed.

        Only the first byte is asked for. A server that sends all of them all the same is believed by its
        Content-Length, or read to the end where it sends none. Raises Unpublished (`probe`) otherwise.
        """
        session = self._sessions.mine()
        subject, at = _stripped(url), url
        for _ in range(REDIRECTS + 1):
            try:
                target, status, problem = session.ask(at, size)
                at = urljoin(at, target or "")
            except (OSError, HTTPError, ValueError) as error:
                raise _later(subject, f"could not be fetched: {_cause(error)}") from error
            if problem:
                raise _later(subject, problem, is_missing=status == MISSING)
            if target is None:
                return
            subject = f"{_stripped(url)} (redirected to {_stripped(at)})"
            if urlsplit(at).scheme not in {"http", "https"}:
                raise _later(subject, "is neither http nor https there")
        raise _later(subject, f"was redirected more than {REDIRECTS} times")

    def status(self, url: str) -> int:
        """Return the status that `url` answers with, whatever it is. Raises Unpublished where nobody does."""
        try:
            return self._sessions.mine().status(url)
        except (OSError, HTTPError, ValueError) as error:
            raise _later(_stripped(url), f"could not be fetched: {_cause(error)}") from error

    def close(self) -> None:
        """Close all connections; no `check` may be running."""
        self._sessions.close()


class _Session:
    """A requests session that sends URLs as they are, and reads the environment once for each host."""

    def __init__(self, target: str, origin: str) -> None:
        self._target = target
        self._origin = origin
        self._requests = Session()
        self._requests.headers.update(
            {"User-Agent": "playment-agent", "Accept-Encoding": "identity", "Range": "bytes=0-0"}
        )
        if origin:
            self._requests.headers["Origin"] = origin
        self._environment: dict[tuple[str, str], tuple[dict[str, str], bool | str]] = {}

    def ask(self, url: str, size: int) -> tuple[str | None, int, str | None]:
        """Return where a GET of exactly `url` is redirected to, its status, and what is wrong with its answer.

        The first and the last are None if nothing. Nothing of the answer outlives the call: an error that kept it
        would keep its connection open as well.
        """
        with self._get(url) as response:
            target = response.headers.get("Location") if response.is_redirect else None
            if target is None:
                problem = _problem(response, size, self._target) or self._not_shown(url, response)
                return None, response.status_code, problem
            _finish(response)
            if problem := self._not_shown(url, response):
                return None, response.status_code, problem
            # A header's bytes reach us as Latin-1; what no URL may hold is escaped, escapes are left alone.
            return quote(target.encode("latin-1"), safe="!#$%&'()*+,/:;=?@[]~"), response.status_code, None

    def _not_shown(self, url: str, response: requests.Response) -> str | None:
        """Return why a page of our origin shows nothing of the answer, as the end of a sentence, or None.

        https://fetch.spec.whatwg.org/#cors-check holds for redirects, too.
        """
        if is_mixed(url, self._origin):
            return f"is http://, and a browser loads nothing of it into {self._target}'s page at {self._origin}"
        parts = urlsplit(url)
        allowed = response.headers.get("Access-Control-Allow-Origin", "").strip()
        if not self._origin or f"{parts.scheme}://{parts.netloc}" == self._origin or allowed in {"*", self._origin}:
            return None
        return (
            f"can be fetched, but {self._target}'s page at {self._origin} would stay empty: a browser shows it there "
            "only where the server answers with Access-Control-Allow-Origin, as '*' or that address, and it says "
            f"{allowed or 'nothing'!r}"
        )

    def status(self, url: str) -> int:
        """Return the status of the answer."""
        with self._get(url) as response:
            return response.status_code

    def _get(self, url: str) -> requests.Response:
        # A callable that adds nothing keeps requests from making a header of a user and password in the URL.
        prepared = self._requests.prepare_request(requests.Request("GET", url, auth=lambda request: request))
        # requests re-quotes what it prepares; what was published is sent as it is (urllib3 writes %2f as %2F).
        prepared.url = url
        proxies, verify = self._surroundings(url)
        return self._requests.send(
            prepared,
            stream=True,
            allow_redirects=False,
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            proxies=proxies,
            verify=verify,
        )

    def close(self) -> None:
        """Close the connections."""
        self._requests.close()

    def _surroundings(self, url: str) -> tuple[dict[str, str], bool | str]:
        """Return the environment's proxies and CA bundle for the URL's host; loopback is always asked directly."""
        origin = urlsplit(url)[:2]
        found = self._environment.get(origin)
        if found is None:
            with requests.Session() as reader:
                settings = reader.merge_environment_settings(url, {}, None, None, None)
            proxies = {} if is_loopback(urlsplit(url).hostname or "") else dict(settings["proxies"])
            found = self._environment[origin] = (proxies, settings["verify"] or True)
        return found


def _problem(response: requests.Response, size: int, target: str) -> str | None:
    """Return what is wrong with the answer for a file of `size` bytes, as the end of a sentence, or None."""
    status = response.status_code
    total: int | None
    if status == 206:
        total = _total(response)
    elif status == 200:
        total = _length(response)
        total = _count(response, size) if total is None else total
    else:
        _finish(response)
        denied = f"it asks for credentials, which {target} does not have"
        return f"answered {status}: {denied if status == 401 else _ADVICE.get(status, 'look at the log of the server')}"
    if total is None:
        return "answered with a part, but not with the length of the whole file"
    if total != size:
        return (
            f"is not the file: it is {total:,} bytes long there and {size:,} here; look whether PUBLISH_TO is the URL "
            "of WATCH_DIR, and whether a cache or a sign-in page stands between"
        )
    _finish(response)
    return None


def _total(response: requests.Response) -> int | None:
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    return int(found[1]) if found else None


def _length(response: requests.Response) -> int | None:
    """Return the Content-Length in bytes, or None where there is none or the body was compressed all the same."""
    text = response.headers.get("Content-Length", "")
    plain = response.headers.get("Content-Encoding", "identity") == "identity"
    return int(text) if plain and text.isdecimal() else None


def _count(response: requests.Response, size: int) -> int:
    """Return the number of bytes in the body; of one that is longer than `size` not all are read."""
    count = 0
    for block in response.iter_content(CHUNK_BYTES):
        count += len(block)
        if count > size:
            break
    return count


def _finish(response: requests.Response) -> None:
    """Read a body that is short, so that the connection can be used again; closing it ends a long one."""
    length = _length(response)
    if length is not None and length <= _SMALL:
        _ = response.content


def _stripped(url: str) -> str:
    """Return the URL without user, query and fragment: they may hold secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _cause(error: BaseException) -> str:
    """Return the innermost reason in the system's own words; the outer texts repeat the URL with its query."""
    if isinstance(error, requests.ConnectTimeout):
        return f"no connection within {CONNECT_SECONDS} s"
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    if isinstance(error, TimeoutError):
        return f"no whole answer within {READ_SECONDS} s"
    if isinstance(error, TooLargeError):
        return "the server does not send the file's length, and the file is too long to count its bytes"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, ConnectionError) or type(error) is OSError:
        return error.strerror or str(error)
    return getattr(error, "strerror", None) or type(error).__name__


def _later(subject: str, what: str, *, is_missing: bool = False) -> Unpublished:
    return Unpublished(f"{subject} {what}", code="probe", is_missing=is_missing)
