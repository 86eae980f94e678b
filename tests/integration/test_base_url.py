from __future__ import annotations

import contextlib
import http.client
import os
import random
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from agent.errors import Refused, TryLater
from agent.model import Frame, Stamp
from agent.publishing import namer
from agent.publishing.base_url import URL_CHARACTERS, BaseUrl
from agent.publishing.probe import Probe, sample
from tests.integration.nginx import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.publishing import Publisher

NFC, NFD = "caf\u00e9.jpg", "cafe\u0301.jpg"

ODD_NAMES = [
    b"plain.jpg",
    b"UPPER.JPG",
    b"with space.jpg",
    b" leading and trailing ",
    b"trailing.dot.",
    b"hash#1.jpg",
    b"question?x=1.jpg",
    b"percent%.jpg",
    b"%2f.jpg",
    b"%252f.jpg",
    b"%00.jpg",
    b"%7E~.jpg",
    b"plus+plus.jpg",
    b"a&b=c;d.jpg",
    b"semi;colon:.jpg",
    b"at@host,a$b.jpg",
    b"quote'\".jpg",
    b"back\\slash.jpg",
    b"up\\..\\up.jpg",
    b"new\nline.jpg",
    b"carriage\rreturn.jpg",
    b"tab\there.jpg",
    b"\x01\x1b[31m\x7f.jpg",
    b"-rf.jpg",
    b"brackets[1]{2}(3)<4>|5^`.jpg",
    b"'; DROP TABLE jobs; --.jpg",
    b"$(touch x) `id` !1 *.jpg",
    b'=cmd|"x",2\r\n.jpg',
    b"http:host.jpg",
    b"index.html",
    "🚗 straße 日本.jpg".encode(),
    NFC.encode(),
    NFD.encode(),
    b"latin-1 \xe9\xff.jpg",
    b"\xef\xbb\xbfbom.jpg",
    b"x" * 251 + b".jpg",
]
ODD_FOLDERS = [b"", b"drive", b"a b#?%2e+", "nested é/日本\\n".encode(), b"line\nbreak/\xe9", b"x../y.."]


@contextlib.contextmanager
def answering(
    status: int = 200,
    *,
    head: dict[str, str] | None = None,
    body: bytes = b"",
    context: ssl.SSLContext | None = None,
) -> Iterator[Answers]:
    """Answer every request on loopback in the same way until the block ends; keep what was asked."""
    server = Answers(status, {"Content-Length": str(len(body))} if head is None else head, body)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Answers(ThreadingHTTPServer):
    """A server that says what it is told, whatever is asked: `lines` and `heads` hold the requests as they came."""

    daemon_threads = False

    def __init__(self, status: int, head: dict[str, str], body: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.answer = (status, head, body)
        self.lines: list[bytes] = []
        self.heads: list[dict[str, str]] = []
        self.peers: set[object] = set()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, Answers)
        self.server.lines.append(self.requestline.encode("latin-1").removesuffix(b" HTTP/1.1"))
        self.server.heads.append({name.lower(): value for name, value in self.headers.items()})
        self.server.peers.add(self.client_address)
        status, head, body = self.server.answer
        self.send_response(status)
        for name, value in head.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.close_connection or "Content-Length" not in head

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        pass


def test_what_was_uploaded_under_earlier_settings_is_not_sent_as_it_is() -> None:
    with pytest.raises(Refused, match="published to s3://bucket/a/0123/ by earlier settings: set PUBLISH_TO as it was"):
        BaseUrl("https://host/").address("s3://bucket/a/0123/x.jpg")
    assert BaseUrl("https://host/").address("https://old/x.jpg") == "https://old/x.jpg"


@pytest.fixture
def probe() -> Iterator[Probe]:
    probe = Probe("Playment")
    yield probe
    probe.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    root = tmp_path / "inbox"
    root.mkdir()
    with serving(root, tmp_path / "nginx") as base:
        yield root, base


def put(root: Path, path: bytes, content: bytes) -> str:
    full = os.path.join(os.fsencode(root), path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "xb") as file:
        file.write(content)
    return os.fsdecode(path)


def fetch(url: str) -> tuple[int, bytes, http.client.HTTPMessage]:
    """Get the URL with nothing in between that could quote it anew."""
    host, target = url.removeprefix("http://").split("/", 1)
    connection = http.client.HTTPConnection(host, timeout=10)
    try:
        connection.request("GET", f"/{target}")
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def refusal(probe: Probe, url: str, size: int) -> str:
    with pytest.raises(TryLater) as caught:
        probe.check(url, size)
    assert (caught.value.code, caught.value.refused) == ("probe", True)
    return str(caught.value)


def test_every_legal_name_is_fetched_from_a_real_web_server(served: tuple[Path, str], probe: Probe) -> None:
    root, base = served
    publisher: Publisher = BaseUrl(base)
    paths = [folder + b"/" + name if folder else name for folder in ODD_FOLDERS for name in ODD_NAMES]
    # No two files have one size, so that a wrong file cannot pass for the right one.
    files = {path: b"x" * size for size, path in enumerate(paths, 1000)}
    for path, content in files.items():
        put(root, path, content)
    for path, content in files.items():
        url = publisher.source(os.fsdecode(path), "")
        assert fetch(url)[:2] == (200, content), path
        probe.check(url, len(content))


def test_the_server_receives_exactly_the_url(probe: Probe) -> None:
    with answering(body=b"x") as server:
        for name in ODD_NAMES:
            url = BaseUrl(server.base).source(os.fsdecode(b"a b/" + name), "")
            probe.check(url, 1)
            assert server.lines[-1] == b"GET " + urlsplit(url).path.encode("ascii")
        # What a server's own base may hold is left alone as well, and so is a signature.
        for target in ("/a%2Fb/%7E/x%41.jpg?X=%2F+%20&y", "/a//b/~/(x)!*'.jpg", "//a/b"):
            probe.check(server.base.removesuffix("/") + target, 1)
            assert server.lines[-1] == b"GET " + target.encode("ascii")
        probe.close()


def test_a_url_is_the_percent_encoding_of_the_bytes() -> None:
    publisher = BaseUrl("https://host.example/base/")
    assert publisher.source("a b/c#d.jpg", "") == "https://host.example/base/a%20b/c%23d.jpg"
    assert publisher.source("l\udce9~-_.jpg", "") == "https://host.example/base/l%E9~-_.jpg"
    assert publisher.source(NFC, "") != publisher.source(NFD, "")


def test_a_file_that_can_have_no_url_has_none_until_it_is_to_be_sent() -> None:
    name = namer(BaseUrl("https://host/"))
    short = Frame(0, "a b.jpg", "s/a b.jpg", Stamp(1, 2, 3, 4), "d")
    assert name(short) == "https://host/s/a%20b.jpg"
    assert name(short._replace(path="\u00e9" * URL_CHARACTERS)) is None


def test_a_url_that_no_web_server_takes_is_refused(served: tuple[Path, str], probe: Probe) -> None:
    _, base = served
    publisher = BaseUrl(base)
    room = URL_CHARACTERS - len(base)
    longest = publisher.source("/".join(["x" * 99] * (room // 100)).ljust(room, "x"), "")
    assert len(longest) == URL_CHARACTERS
    assert fetch(longest)[0] == 414 or "answered 404" in refusal(probe, longest, 1)
    with pytest.raises(Refused, match="8,001 characters long") as caught:
        publisher.source("x" * (room + 1), "")
    assert caught.value.code == "name"
    # Only the encoded length counts: three characters for each byte of this name.
    with pytest.raises(Refused):
        publisher.source("/".join(["日" * 80] * 12), "")


def test_the_web_server_shows_nothing_but_the_files(served: tuple[Path, str], probe: Probe, tmp_path: Path) -> None:
    root, base = served
    publisher = BaseUrl(base)
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(b"outside")
    put(root, b"drive/frame_1.JPG", b"inside")
    put(root, b"drive/.hidden.jpg", b"hidden")
    put(root, b".playment.toml", b"hidden")
    put(root, b".git/config", b"hidden")
    (root / "link.jpg").symlink_to(outside)
    (root / "within.jpg").symlink_to("drive/frame_1.JPG")
    (root / "folder").symlink_to(tmp_path)
    assert fetch(publisher.source("drive/frame_1.JPG", ""))[0] == 200
    for hidden in ("drive/.hidden.jpg", ".playment.toml", ".git/config"):
        assert fetch(publisher.source(hidden, ""))[0] == 404
        assert fetch(base + hidden.replace(".", "%2E"))[0] == 404
    for link, status in {"link.jpg": 403, "within.jpg": 403, "folder/outside.jpg": 404}.items():
        assert fetch(publisher.source(link, ""))[0] == status
    assert fetch(base + "drive/")[0] == fetch(base)[0] == 403
    assert fetch(base + "%2e%2e/outside.jpg")[0] == 400
    assert refusal(probe, publisher.source("link.jpg", ""), 7).startswith(
        f"{base}link.jpg answered 403: the server may"
    )


def test_the_web_server_takes_no_writes_and_knows_the_types(served: tuple[Path, str]) -> None:
    root, base = served
    kinds = {"jpg": "jpeg", "JPEG": "jpeg", "png": "png", "webp": "webp", "bmp": "x-ms-bmp", "tif": "tiff"}
    for extension, kind in kinds.items():
        name = put(root, f"x.{extension}".encode(), b"x")
        assert fetch(base + name)[2]["Content-Type"] == f"image/{kind}"
    for method, status in {"HEAD": 200, "POST": 403, "PUT": 403, "DELETE": 403, "MKCOL": 403}.items():
        connection = http.client.HTTPConnection(base.removeprefix("http://").removesuffix("/"), timeout=10)
        connection.request(method, "/x.jpg", body=None if method == "HEAD" else b"y")
        assert connection.getresponse().status == status
        connection.close()
    assert (root / "x.jpg").read_bytes() == b"x"


def test_a_symbolic_link_above_the_served_folder_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "inbox").symlink_to("real")
    put(tmp_path / "real", b"frame_1.jpg", b"x")
    with serving(tmp_path / "inbox", tmp_path / "nginx") as base:
        assert fetch(base + "frame_1.jpg")[0] == 200


def test_a_large_file_is_probed_by_its_first_byte_over_one_connection(probe: Probe) -> None:
    head = {"Content-Range": "bytes 0-0/5000000", "Content-Length": "1"}
    with answering(206, head=head, body=b"x") as server:
        for number in range(5):
            probe.check(f"{server.base}{number}.jpg", 5_000_000)
        assert len(server.peers) == 1
        assert {asked["range"] for asked in server.heads} == {"bytes=0-0"}
        assert {asked["accept-encoding"] for asked in server.heads} == {"identity"}
        assert "is 5,000,000 bytes long there and 4,999,999 here" in refusal(probe, server.base, 4_999_999)
        probe.close()


def test_a_server_without_ranges_is_believed_by_its_content_length(probe: Probe) -> None:
    # The body never comes: whoever waited for it would wait in vain.
    with answering(head={"Content-Length": "5000000"}) as server:
        probe.check(server.base, 5_000_000)
        assert "5,000,000 bytes long there and 1 here" in refusal(probe, server.base, 1)


def test_an_answer_without_a_length_is_counted(probe: Probe) -> None:
    with answering(head={"Connection": "close"}, body=b"x" * 200_000) as server:
        probe.check(server.base, 200_000)
        assert "is 200,000 bytes long there and 200,001 here" in refusal(probe, server.base, 200_001)
        assert "bytes long there and 5 here" in refusal(probe, server.base, 5)


def test_a_part_of_unknown_whole_is_not_believed(probe: Probe) -> None:
    with answering(206, head={"Content-Range": "bytes 0-0/*", "Content-Length": "1"}, body=b"x") as server:
        assert "answered with a part, but not with the length of the whole file" in refusal(probe, server.base, 1)
        probe.close()


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "it asks for credentials"),
        (403, "the server may not read the file"),
        (404, "look whether PUBLISH_TO is the URL of WATCH_DIR"),
        (414, "the URL is too long for the server"),
        (416, "the file is empty there"),
        (429, "the server limits how often it is asked"),
        (500, "look at the log of the server"),
        (503, "look at the log of the server"),
        (204, "look at the log of the server"),
    ],
)
def test_a_status_is_told_with_what_to_look_at(probe: Probe, status: int, advice: str) -> None:
    with answering(status, head={"Content-Length": "0"}) as server:
        said = refusal(probe, f"{server.base}a%20b.jpg?Signature=secret#x", 1)
        assert said.startswith(f"{server.base}a%20b.jpg answered {status}: {advice}")
        assert "secret" not in said
        probe.close()


def test_a_body_without_a_length_must_end_in_time(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.publishing.probe.READ_SECONDS", 0.5)
    gone = threading.Event()

    def trickle(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(ConnectionError):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while not gone.wait(0.05):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        thread = threading.Thread(target=trickle, args=(listener,))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x.jpg"
        said = refusal(probe, url, 1_000_000)
        gone.set()
        thread.join()
    assert said == f"{url} could not be fetched: no whole answer within 0.5 s"


def test_a_long_body_without_a_length_is_not_read_for_ever(probe: Probe) -> None:
    size = 21 * 2**20
    with answering(head={"Connection": "close"}, body=bytes(size)) as server:
        assert "the server does not send the file's length" in refusal(probe, server.base, size)


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    probe = Probe("Playment")
    said = refusal(probe, f"http://127.0.0.1:{port}/x.jpg?secret", 1)
    assert said == f"http://127.0.0.1:{port}/x.jpg could not be fetched: Connection refused"
    probe.close()


def test_an_answer_that_is_no_http_or_breaks_off(probe: Probe) -> None:
    def answer(listener: socket.socket, *answers: bytes) -> None:
        for text in answers:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(text)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        answers = (
            b"",
            b"no http\r\n\r\n",
            b"HTTP/1.1 206 x\r\nContent-Range: bytes 0-0/1\r\nContent-Length: 1\r\n\r\n",
        )
        thread = threading.Thread(target=answer, args=(listener, *answers))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x.jpg"
        for _ in answers:
            assert refusal(probe, url, 1).startswith(f"{url} could not be fetched: ")
        thread.join()


def test_a_redirect_is_followed_without_credentials(probe: Probe) -> None:
    with answering(206, head={"Content-Range": "bytes 0-0/9", "Content-Length": "1"}, body=b"x") as last:
        target = last.base.replace("//", "//user:password@") + "a%20b.jpg?X=1"
        with answering(302, head={"Location": target, "Content-Length": "0", "Set-Cookie": "a=b"}) as first:
            probe.check(first.base.replace("//", "//user:password@"), 9)
            probe.check(first.base, 9)
            said = refusal(probe, first.base, 8)
            assert said.startswith(f"{first.base} (redirected to {last.base}a%20b.jpg) is not the file")
            assert last.lines == [b"GET /a%20b.jpg?X=1"] * 3
            assert not {"authorization", "cookie"} & {name for head in first.heads + last.heads for name in head}
            probe.close()


def test_a_redirect_is_followed_to_the_very_bytes_it_names(probe: Probe) -> None:
    with answering(body=b"x") as last:
        target = f"{last.base}caf\xc3\xa9 \xe9%2F%25.jpg"
        with answering(308, head={"Location": target, "Content-Length": "0"}) as first:
            probe.check(first.base, 1)
            assert last.lines == [b"GET /caf%C3%A9%20%E9%2F%25.jpg"]
            probe.close()


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("/again", "was redirected more than 3 times"),
        ("", "was redirected more than 3 times"),
        ("ftp://host.example/x.jpg", "is neither http nor https there"),
        ("http://[x/", "could not be fetched: "),
    ],
)
def test_a_redirect_that_leads_nowhere(probe: Probe, location: str, said: str) -> None:
    with answering(301, head={"Location": location, "Content-Length": "0", "Connection": "close"}) as server:
        assert said in refusal(probe, server.base, 1)


def test_the_environments_proxy_is_used_and_netrc_is_not(
    probe: Probe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login user password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with answering(body=b"x") as proxy:
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("http_proxy", proxy.base)
        url = BaseUrl("http://host.example/base/").source("a;b?c/%2f.jpg", "")
        probe.check(url, 1)
        assert proxy.lines == [b"GET " + url.encode("ascii")]
        assert "authorization" not in proxy.heads[0]
        monkeypatch.setenv("no_proxy", "host.example")
        probe.check(url, 1)
        assert len(proxy.lines) == 2
        probe.close()


def test_a_ca_bundle_that_is_not_there_is_told(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with answering() as server:
        assert "/nowhere/ca.pem" in refusal(probe, server.base.replace("http:", "https:"), 1)


def test_a_certificate_must_be_trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 "
        f"-keyout {key} -out {certificate}".split(),
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with answering(body=b"x", context=context) as server:
        url = server.base.replace("http:", "https:")
        with contextlib.closing(Probe("Playment")) as strict:
            said = refusal(strict, url, 1)
        assert said.startswith(f"{url} could not be fetched: its certificate is not trusted (self")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with contextlib.closing(Probe("Playment")) as trusting:
            trusting.check(url, 1)


def test_each_thread_has_its_own_connection(probe: Probe) -> None:
    with answering(body=b"x") as server:
        together = threading.Barrier(3)

        def fetch_twice() -> None:
            probe.check(server.base, 1)
            together.wait(10)
            probe.check(server.base, 1)

        threads = [threading.Thread(target=fetch_twice) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(server.lines), len(server.peers)) == (6, 3)
        probe.close()


def test_the_sample_of_a_sequence() -> None:
    rng = random.Random(7)
    for count in (0, 1, 2, 22):
        assert sample(count, rng) == list(range(count))
    for count in (23, 1000):
        positions = sample(count, rng)
        assert positions == sorted(set(positions))
        assert (len(positions), positions[0], positions[-1]) == (22, 0, count - 1)
    assert sample(1000, rng) != sample(1000, rng)
