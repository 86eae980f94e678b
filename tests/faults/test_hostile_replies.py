"""Answers from hell: bounded memory and time, a reason for a person, and every job goes once the answers are sane."""

from __future__ import annotations

import contextlib
import functools
import gzip
import json
import re
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import Agent, command, environ, eventually, image, process, query, settings, used_ledger, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GIB = 2**30
UNBROKEN = Path(__file__).with_name("unbroken.py")
PEAK_MIB = 256
"""The agent itself takes 60; beside it are the largest answers, 16 MiB each and twice that while one is put together:
on a busy machine some come at once (206 were seen). Its unit has 1 GiB."""
UUID = "11111111-2222-3333-4444-555555555555"
ESCAPE = "\x1b[31mred\x1b]0;title\x07\u009b2J\x00\u2028"


def json_200(value: object) -> bytes:
    return http(200, json.dumps(value).encode())


def success(**data: object) -> bytes:
    return json_200({"data": {"job_id": UUID, **data}, "success": True})


def http(status: int, body: bytes, *more: str) -> bytes:
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *more))
    return head.encode() + b"\r\n" + body


def endless(head: bytes, piece: bytes) -> Callable[[], Iterator[bytes]]:
    """Return what sends `head` and then `piece` again and again, a GiB in all, until the client has had enough."""

    def pieces() -> Iterator[bytes]:
        yield head
        for _ in range(GIB // len(piece)):
            yield piece

    return pieces


def bomb(layers: int) -> Callable[[], Iterator[bytes]]:
    """Return what sends 200 MiB that were packed so often: packed when asked for, not by all who look for tests."""

    def pieces() -> Iterator[bytes]:
        yield http(200, packed(layers), "Content-Encoding: " + ", ".join(["gzip"] * layers))

    return pieces


@functools.cache
def packed(layers: int) -> bytes:
    return gzip.compress(packed(layers - 1) if layers > 1 else bytes(200 * 2**20), 9)


ZEROS = bytes(2**16)
UNREADABLE: dict[str, bytes | Callable[[], Iterator[bytes]]] = {
    "gigabyte": endless(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % GIB, ZEROS),
    "gigabyte-500": endless(b"HTTP/1.1 500 X\r\nContent-Length: %d\r\n\r\n" % GIB, b'{"error": {"code": "' + ZEROS),
    "chunks": endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + ZEROS + b"\r\n"),
    "one-long-chunk": endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0" * 2**16),
    "no-length": endless(b"HTTP/1.1 200 OK\r\n\r\n", b"[[[[" * 2**14),
    "headers": endless(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 1000 + b"\r\n"),
    "one-long-header": endless(b"HTTP/1.1 200 OK\r\nX-More: ", b"x" * 2**16),
    "continues": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "status-line": endless(b"HTTP/1.1 200 ", b"y" * 2**16),
    "bomb": bomb(1),
    "bomb-in-bomb": bomb(2),
    "no-http": b"\x16\x03\x01\x00\xff" * 100,
    "deep": http(200, b"[" * 1_000_000),
    "deep-objects": http(200, b'{"data":' * 120_000),
    "many-objects": http(200, b'{"data":[' + b"{}," * 300_000 + b"{}]}"),
    "html": http(200, b"<!DOCTYPE html><html>Sign in</html>"),
    "nothing": http(200, b""),
    "latin-1": http(200, b'{"data": "\xe9\xff"}'),
    "utf-16": http(200, '{"data": {}}'.encode("utf-16")),
    "nan": http(200, b'{"data": {"job_id": NaN}, "success": true}'),
    "huge-number": http(200, b'{"data": {"job_id": ' + b"9" * 100_000 + b'}, "success": true}'),
    "null": json_200(None),
    "list": json_200([]),
    "text": json_200("ok"),
    "no-data": json_200({"success": True}),
    "data-null": json_200({"data": None, "success": True}),
    "data-list": json_200({"data": [UUID], "success": True}),
    "success-text": json_200({"data": {"job_id": UUID}, "success": "true"}),
    "success-1": json_200({"data": {"job_id": UUID}, "success": 1}),
    "path-for-id": success(job_id="../../etc/passwd"),
    "fraction-for-id": success(job_id=5.5),
    "null-for-id": success(job_id=None),
    "list-for-id": success(job_id=[UUID]),
    "long-id": success(job_id="x" * 500_000),
    "surrogate": http(200, b'{"data": {"job_id": "\\ud800"}, "success": true}'),
    "other-reference": success(reference_id="another"),
    "number-reference": success(reference_id=5),
    "error-as-list": http(500, json.dumps({"error": ["a"]}).encode()),
    "retry-nonsense": http(429, b"{}", "Retry-After: -1e999"),
    "status-999": http(999, b"{}"),
    "escapes": http(500, json.dumps({"error": {"code": ESCAPE, "message": f"{ESCAPE}{'x' * 5000}"}}).encode()),
}
AGES = http(429, b"{}", "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT")
REFUSED = {
    "code-number": http(400, json.dumps({"error": {"code": 5, "message": {"a": 1}}}).encode()),
    "long-code": http(400, json.dumps({"error": {"code": "C" * 300_000, "message": "m" * 300_000}}).encode()),
    "refusal-escapes": http(400, json.dumps({"error": {"code": f"FS_9\n{ESCAPE}", "message": ESCAPE}}).encode()),
    "refusal-sql": http(422, json.dumps({"error": {"code": "'; drop table jobs; --", "message": "%s {x}"}}).encode()),
}
UNAUTHORIZED = http(401, b"{}")
LISTS = http(200, b'{"success": true, "data": {"name": "p", "batches": [' + b"{}," * 5_000_000 + b"{}]}}")


class Hell(ThreadingHTTPServer):
    """Answers a job's POST by the name of its file; `sane` makes it answer as documented."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.sane = False
        self.seen: set[str] = set()
        self.accepted: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def reply(self, reference_id: str) -> bytes | Callable[[], Iterator[bytes]]:
        stem = reference_id.partition(".")[0]
        self.seen.add(stem)
        if self.sane:
            self.accepted.append(stem)
            return success(reference_id=reference_id)
        return {**UNREADABLE, **REFUSED, "unauthorized": UNAUTHORIZED, "ages": AGES}[stem]


class _Asked(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hell

    def do_POST(self) -> None:
        body: Any = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._send(self.server.reply(body["reference_id"]))

    def do_GET(self) -> None:
        # No 401: asked because of `unauthorized`, and answered in the sane time, that would shut the gate.
        self._send(http(500, b"{}") if self.server.sane else LISTS)

    def _send(self, reply: bytes | Callable[[], Iterator[bytes]]) -> None:
        self.close_connection = True
        with contextlib.suppress(ConnectionError):
            for piece in [reply] if isinstance(reply, bytes) else reply():
                self.wfile.write(piece)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        pass


@contextlib.contextmanager
def hell() -> Iterator[Hell]:
    with Hell() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def peak_mib(pid: int) -> float:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


@pytest.mark.timeout(150)
def test_no_answer_can_hurt(tmp_path: Path) -> None:
    names = [*UNREADABLE, *REFUSED, "unauthorized"]
    for number, name in enumerate(names):
        write(tmp_path / "inbox" / f"{name}.jpg", image(number))
    with hell() as playment:
        surroundings = environ(tmp_path, playment.url, SUBMIT_WORKERS="16", LOG_LEVEL="DEBUG")
        ledger = used_ledger(tmp_path)
        answered = "select path from jobs where attempts > 0 and reason <> ''"
        # They are all of one server: after five in a row it would be asked by one job at a time, for an hour.
        with process("run", environ=surroundings, cwd=tmp_path, driver=UNBROKEN) as running:
            eventually(ledger.exists)
            eventually(lambda: len(_rows(ledger, answered)) == len(names), 45)
            eventually(lambda: len(_rows(ledger, "select path from jobs where state = 'failed'")) >= len(REFUSED), 45)
            rows = {row["path"].removesuffix(".jpg"): row for row in query(ledger, "select * from jobs")}
            told = command("status", environ=surroundings, cwd=tmp_path)
            raw = query(ledger, "select reason, error_code from attention")
            peak = peak_mib(running.pid)
            playment.sane = True
            command("retry", "--code", "http-401", environ=surroundings, cwd=tmp_path)
            eventually(lambda: len(set(playment.accepted)) >= len(UNREADABLE) - 1, 45)
            running.terminate()
            assert running.wait(timeout=25) == 0
        log = (tmp_path / "agent.log").read_text()
    for name in UNREADABLE:
        assert (rows[name]["state"] in ("pending", "submitting"), rows[name]["job_id"]) == (True, None), name
        assert 20 < len(rows[name]["reason"]) < 1000, (name, rows[name]["reason"])
    for name in REFUSED:
        assert (rows[name]["state"], rows[name]["job_id"]) == ("failed", None), name
        assert 20 < len(rows[name]["reason"]) < 1000, (name, rows[name]["reason"])
    assert peak < PEAK_MIB
    assert "Traceback" not in log
    assert "defect" not in log
    escapes = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028]")
    assert not escapes.search(log)
    assert not escapes.search(told.stdout.replace("\t", " ") + told.stderr)
    # The README has people read the ledger with the sqlite3 program, which writes to the terminal as it is.
    assert not [row for row in raw for text in row.values() if escapes.search(text)]


def test_a_wait_of_thousands_of_years_is_taken_for_a_day(tmp_path: Path) -> None:
    write(tmp_path / "inbox" / "ages.jpg", image(1))
    used_ledger(tmp_path)
    with hell() as playment:
        with Agent(settings(tmp_path, playment.url)) as agent:
            (row,) = eventually(
                lambda: [row for row in agent.rows("ages.jpg") if row["next_attempt_at"] and row["reason"]]
            )
        asked = len(playment.seen)
    assert asked == 1
    seconds = (datetime.fromisoformat(row["next_attempt_at"]) - datetime.now(UTC)).total_seconds()
    assert 86000 < seconds <= 86400


def _rows(ledger: Path, sql: str) -> list[dict[str, Any]]:
    with contextlib.suppress(Exception):
        return query(ledger, sql)
    return []
