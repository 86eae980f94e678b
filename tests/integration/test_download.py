"""Fetching from a signed address that is not trusted: over real sockets, with real resolution of names."""

from __future__ import annotations

import gzip
import io

import pytest

from agent.errors import Refused, TryLater
from agent.results.download import Download, is_public
from tests.fakes import Scripted, http, sends
from tests.support import eventually

SIGNED = "x.json?X-Amz-Signature=s3cret"


def fetch(url: str, *, allow_private: bool = True, most_bytes: int = 1000, seconds: float = 5.0) -> bytes:
    file = io.BytesIO()
    Download(allow_private=allow_private, most_bytes=most_bytes, seconds=seconds).fetch(url, file)
    return file.getvalue()


def test_it_brings_nothing_of_ours() -> None:
    with Scripted(sends(http(200, b"{}"))) as server:
        assert fetch(f"{server.url}/{SIGNED}") == b"{}"
    (head,) = server.heads
    assert head.startswith(f"GET /{SIGNED} HTTP/1.1")
    assert not {"x-api-key", "authorization", "cookie"} & {
        line.partition(":")[0].lower() for line in head.split("\r\n")
    }


def test_what_is_compressed_is_unpacked_and_bounded() -> None:
    packed = http(200, gzip.compress(b'"' + b"x" * 900 + b'"'), {"Content-Encoding": "gzip"})
    with Scripted(sends(packed)) as server:
        assert len(fetch(f"{server.url}/{SIGNED}")) == 902
        with pytest.raises(Refused, match="larger than 800 bytes") as caught:
            fetch(f"{server.url}/{SIGNED}", most_bytes=800)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("most", [10, 10_000])
def test_an_endless_answer_is_cut_off(most: int) -> None:
    with Scripted(sends(http(200, b"x" * 5_000_000))) as server, pytest.raises((Refused, TryLater)):
        fetch(f"{server.url}/{SIGNED}", most_bytes=most)


def test_a_cut_answer_is_no_result() -> None:
    def half(_server: Scripted, connection: object) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}")  # type: ignore[attr-defined]
        connection.close()  # type: ignore[attr-defined]

    with Scripted(half) as server, pytest.raises(TryLater, match="could not be fetched") as caught:
        fetch(f"{server.url}/{SIGNED}")
    assert "s3cret" not in str(caught.value)


def test_a_server_that_dawdles_is_given_up() -> None:
    def slowly(server: Scripted, connection: object) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")  # type: ignore[attr-defined]
        while not server.stopping.wait(0.1):
            connection.sendall(b" ")  # type: ignore[attr-defined]

    with Scripted(slowly) as server, pytest.raises(TryLater, match="could not be fetched"):
        fetch(f"{server.url}/{SIGNED}", seconds=0.5)


def test_no_redirect_is_followed() -> None:
    with Scripted(sends(http(302, b"", {"Location": "/other"}))) as server, pytest.raises(TryLater, match="302"):
        fetch(f"{server.url}/{SIGNED}")
    assert len(server.heads) == 1


def test_a_file_that_cannot_be_written_is_told_as_such() -> None:
    class Full(io.BytesIO):
        def write(self, _piece: object, /) -> int:
            raise OSError(28, "No space left on device")

    with Scripted(sends(http(200, b"{}"))) as server, pytest.raises(OSError, match="No space left"):
        Download(allow_private=True).fetch(f"{server.url}/{SIGNED}", Full())


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/x?s3cret",
        "https://127.0.0.1/x?s3cret",
        "https://10.1.2.3/x?s3cret",
        "https://169.254.169.254/latest/meta-data/?s3cret",
        "https://[::1]/x?s3cret",
        "https://[::ffff:10.0.0.1]/x?s3cret",
        "https://[fe80::1%25lo]/x?s3cret",
        "https://[::1/x?s3cret",
        "file:///etc/passwd?s3cret",
        "https:///x?s3cret",
    ],
)
def test_an_address_that_is_not_to_be_trusted_is_not_asked(url: str) -> None:
    with pytest.raises(Refused, match="the result's address") as caught:
        fetch(url, allow_private=False)
    assert "s3cret" not in str(caught.value)


def test_a_name_that_stands_for_an_inner_address_is_not_connected_to() -> None:
    """`localhost` is resolved for real; a server listens there, and nobody calls."""
    with Scripted(sends(http(200, b"{}"))) as server:
        with pytest.raises(TryLater, match="its host is of a private network"):
            fetch(f"https://localhost:{server.port}/{SIGNED}", allow_private=False)
        assert server.connections == 0


def test_a_name_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(TryLater, match="could not be fetched"):
        fetch(f"https://files.invalid/{SIGNED}", allow_private=False)


def test_the_connection_is_made_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name whose second resolution would lead elsewhere gains nothing: there is one resolution only."""
    asked: list[str] = []
    with Scripted(sends(b"no TLS here")) as server:

        def resolve(host: str, port: int, *_more: object, **_named: object) -> list[object]:
            asked.append(host)
            return [(2, 1, 6, "", ("127.0.0.1", port))]

        monkeypatch.setattr("agent.results.download.socket.getaddrinfo", resolve)
        monkeypatch.setattr("agent.results.download.is_public", lambda _address: True)
        monkeypatch.setattr("agent.results.download.CONNECT_SECONDS", 1.0)  # the server never begins with TLS
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(TryLater):
            fetch(f"https://files.example.com:{server.port}/{SIGNED}", allow_private=False)
        eventually(lambda: server.connections == 1)
        assert asked[0] == "files.example.com"
        assert set(asked[1:]) <= {"127.0.0.1"}


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("192.168.1.1", False),
        ("172.31.0.1", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("fd00::1", False),
        ("::ffff:192.168.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("2002:0a00:0001::1", False),
        ("fe80::1%eth0", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public
