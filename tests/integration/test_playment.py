from __future__ import annotations

import gzip
import json
import logging
import random
import socket
import ssl
import struct
import subprocess
import threading
import time
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import requests

from agent.errors import AccessRefused, BatchExists, DuplicateReference, Refused, RemoteError, SettingsError, TryLater
from agent.http.transport import retry_after_seconds
from agent.model import Edition
from agent.sandbox import Faults, Sandbox
from agent.targets.playment.client import Playment
from agent.targets.playment.error_table import is_outage
from tests.fakes import Scripted, failure, http, sends, success

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Connect = Callable[..., Playment]

DAY = 86_400.0
KEY = "s3cr3t-key-0123456789"
JOB = "0b0dc8a4-53b5-4a0e-8b8e-0d6b8e5a6b11"
FLOW = "9f6a3c1e-22aa-4c55-9c0a-30f0b9f5d002"
V0_BODY = {"reference_id": "a~1", "tag": "boxes", "data": {"image_url": "https://h/a.jpg"}}
V1_BODY = {"reference_id": "a~1", "work_flow_id": FLOW, "data": {"image_url": "https://h/a.jpg"}}
BODIES = {Edition.V0: V0_BODY, Edition.V1: V1_BODY}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(rng=random.Random(1), api_key=KEY) as running:
        yield running


@pytest.fixture
def connect() -> Iterator[Callable[..., Playment]]:
    opened: list[Playment] = []

    def to(url: str, edition: Edition = Edition.V0, **seconds: float) -> Playment:
        opened.append(Playment(url, "p 1", KEY, edition, **seconds))
        return opened[-1]

    yield to
    for playment in opened:
        playment.close()


def caught(call: Callable[[], object]) -> RemoteError:
    """Return the error that `call` raises, after looking for the key in all that hangs on it."""
    with pytest.raises(RemoteError) as raised:
        call()
    error = raised.value
    assert getattr(error, "is_outage", False) is (isinstance(error, TryLater) and is_outage(error.code))
    cause: BaseException | None = error
    while cause is not None:
        assert KEY not in str(cause) + repr(cause) + repr(vars(cause))
        assert not hasattr(cause, "request")  # as requests' own errors have, with its headers
        cause = cause.__cause__ or cause.__context__
    return error


# ---------------------------------------------------------------- every call, both editions


@pytest.mark.parametrize("edition", list(Edition))
def test_a_job_is_created(sandbox: Sandbox, connect: Connect, edition: Edition) -> None:
    job_id = connect(sandbox.url + "/", edition).create_job(BODIES[edition])
    [job] = sandbox.jobs
    assert (job.job_id, job.edition, job.project_id, job.body) == (job_id, edition, "p 1", BODIES[edition])


@pytest.mark.parametrize("edition", list(Edition))
def test_a_frozen_body_keeps_its_edition(sandbox: Sandbox, connect: Connect, edition: Edition) -> None:
    other = Edition.V1 if edition is Edition.V0 else Edition.V0
    connect(sandbox.url, other).create_job(BODIES[edition])
    assert sandbox.jobs[0].edition is edition


@pytest.mark.parametrize("edition", list(Edition))
def test_what_was_made_can_be_read(sandbox: Sandbox, connect: Connect, edition: Edition) -> None:
    playment = connect(sandbox.url, edition)
    batch_id = playment.create_batch("2024-05-01", "a day")
    frames = [{"frame_id": f"f{n}.jpg", "src": f"https://h/f{n}.jpg"} for n in range(3)]
    body = {**BODIES[edition], "data": {"video_data": {"frames": frames}}, "batch_id": batch_id, "priority_weight": 9}
    job_id = playment.create_job(body)
    named = "boxes" if edition is Edition.V0 else FLOW

    job = playment.job(job_id)
    assert (job.job_id, job.reference_id, job.batch_id) == (job_id, "a~1", batch_id)
    assert (job.status, job.tag, job.priority_weight, job.result) == ("created", named, 9, None)
    [listed] = playment.batch_jobs(batch_id).jobs
    assert (listed.id, listed.reference_id, listed.frames, listed.tag) == (job_id, "a~1", 3, named)
    default, made = playment.details().batches
    assert (default.is_default, default.total_jobs) == (True, 0)
    assert (made.id, made.name, made.is_default, made.total_jobs) == (batch_id, "2024-05-01", False, 1)
    with pytest.raises(BatchExists):
        playment.create_batch("2024-05-01", "again")


def test_the_paths_are_the_documented_ones(connect: Connect) -> None:
    with Scripted(sends(failure(400, "FS_0006", "no"))) as server:
        for edition in Edition:
            playment = connect(server.url, edition)
            for call in (
                partial(playment.create_job, {}),
                partial(playment.create_batch, "n", "d"),
                partial(playment.job, "j/1"),
                partial(playment.batch_jobs, "b", "t&1"),
                playment.details,
                partial(playment.attachment, "https://r/1?a=b&c"),
            ):
                assert isinstance(caught(call), Refused)
        for head in server.heads:
            assert f"x-api-key: {KEY}" in head
        assert [head.split(" HTTP")[0] for head in server.heads] == [
            "POST /v0/projects/p%201/jobs",
            "POST /v1/project/p%201/batch",
            "GET /v0/projects/p%201/jobs/j%2F1",
            "GET /v0/projects/p%201/batch/b?page_token=t%261",
            "GET /v0/projects/p%201/details",
            "GET /v1/attachments?url=https%3A%2F%2Fr%2F1%3Fa%3Db%26c",
            "POST /v1/projects/p%201/jobs",
            "POST /v1/projects/p%201/batch",
            "GET /v1/projects/p%201/jobs/j%2F1",
            "GET /v1/projects/p%201/batch/b?page_token=t%261",
            "GET /v1/projects/p%201/details",
            "GET /v1/attachments?url=https%3A%2F%2Fr%2F1%3Fa%3Db%26c",
        ]


@pytest.mark.parametrize("edition", list(Edition))
def test_pages_are_followed_in_order(sandbox: Sandbox, connect: Connect, edition: Edition) -> None:
    playment = connect(sandbox.url, edition)
    made = [playment.create_job({**BODIES[edition], "reference_id": f"r{n}"}) for n in range(230)]
    [default] = playment.details().batches
    assert [job.id for job in playment.iter_batch_jobs(default.id)] == made
    assert sandbox.requests["batch_jobs"] == 3
    assert [len(playment.batch_jobs(default.id).jobs), default.total_jobs] == [100, 230]


def test_pages_that_go_round_in_a_circle(connect: Connect) -> None:
    with Scripted(sends(success({"jobs": [], "next_page_token": "again"}))) as server:
        error = caught(lambda: list(connect(server.url).iter_batch_jobs(JOB)))
        assert error.code == "bad-reply"
        assert len(server.heads) == 2


def test_a_result_is_fetched_without_the_key(sandbox: Sandbox, connect: Connect) -> None:
    playment = connect(sandbox.url)
    job_id = playment.create_job(V0_BODY)
    sandbox.complete(job_id, {"boxes": [1, 2]})
    job = playment.job(job_id)
    assert (job.status, playment.details().batches[0].total_jobs) == ("completed", 1)
    assert job.result is not None
    signed = playment.attachment(job.result)
    assert "signature=" in signed
    assert requests.get(signed, timeout=5).json() == {"boxes": [1, 2]}
    assert requests.get(signed, headers={"x-api-key": KEY}, timeout=5).status_code == 400


def test_an_attachment_that_is_no_redirect(connect: Connect) -> None:
    with Scripted(sends(http(200, b"{}"))) as server:
        assert caught(lambda: connect(server.url).attachment("https://r/1")).code == "bad-reply"
    with Scripted(sends(http(302, b"", {"Location": "/signed?x=1"}))) as server:
        assert connect(server.url).attachment("https://r/1") == f"{server.url}/signed?x=1"


# ---------------------------------------------------------------- the error table over a socket

TABLE: list[tuple[int, str, type[RemoteError], str]] = [
    (400, "FS_0001", DuplicateReference, "FS_0001"),
    *((400, code, Refused, code) for code in ("FS_0002", "FS_0003", "FS_0004", "FS_0005", "FS_0006")),
    *((400, code, Refused, code) for code in ("FS_00011", "FS_00012", "GE_0001", "GE_0002", "invalid_request_error")),
    *((400, code, TryLater, code) for code in ("FS_0000", "FS_0007", "FS_0008", "api_error")),
    *((400, code, AccessRefused, code) for code in ("auth-failure", "unauthorized", "unauthorized_request")),
    *((400, code, AccessRefused, code) for code in ("core.webutil.auther", "core.webutil.token_auth")),
    (400, "resource_error", AccessRefused, "resource_error"),
    (400, "BATCH_CREATION", BatchExists, "BATCH_CREATION"),
    (400, "FS_9999", Refused, "FS_9999"),
    (401, "", AccessRefused, "http-401"),
    (403, "", AccessRefused, "http-403"),
    *((status, "", Refused, f"http-{status}") for status in (404, 413, 422)),
    *((status, "", TryLater, f"http-{status}") for status in (408, 429, 500, 502, 503, 504)),
]


@pytest.mark.parametrize(("status", "code", "kind", "kept"), TABLE)
def test_each_row(connect: Connect, status: int, code: str, kind: type[RemoteError], kept: str) -> None:
    with Scripted(sends(failure(status, code, "told", {"Retry-After": "7"}))) as server:
        for edition in Edition:
            playment = connect(server.url, edition)
            for call in (partial(playment.create_job, BODIES[edition]), playment.details):
                error = caught(call)
                assert (type(error), error.code) == (kind, kept)
                assert "told" in str(error)
                if isinstance(error, TryLater):
                    assert (error.retry_after, error.refused) == (7.0, code == "FS_0007")
        assert server.connections == 2  # an error does not cost the connection


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("3", 3.0), ("0", 0.0), ("1.5", 1.5), (" 4 ", 4.0), ("-1", None), ("soon", None), ("9" * 400, None), ("", None)],
)
def test_retry_after_in_seconds(value: str, seconds: float | None) -> None:
    assert retry_after_seconds(value, 0.0, DAY) == seconds


def test_retry_after_is_a_day_at_most() -> None:
    assert retry_after_seconds("86401", 0.0, DAY) == DAY
    assert retry_after_seconds("Fri, 02 Jan 2970 00:00:00 GMT", 40.0, DAY) == DAY


def test_retry_after_as_a_date() -> None:
    assert retry_after_seconds("Thu, 01 Jan 1970 00:01:40 GMT", 40.0, DAY) == 60.0
    assert retry_after_seconds("Thu Jan  1 00:01:40 1970", 40.0, DAY) == 60.0
    assert retry_after_seconds("Thu, 01 Jan 1970 00:00:10 GMT", 40.0, DAY) == 0.0
    assert retry_after_seconds("Thu, 99 Foo 1970 00:00:10 GMT", 40.0, DAY) is None


def test_retry_after_goes_by_the_servers_own_clock(connect: Connect) -> None:
    now = time.time() + 86400
    headers = {"Date": formatdate(now, usegmt=True), "Retry-After": formatdate(now + 30, usegmt=True)}
    with Scripted(sends(http(503, b"", headers))) as server:
        error = caught(connect(server.url).details)
    assert isinstance(error, TryLater)
    assert error.retry_after == 30.0


# ---------------------------------------------------------------- redirects and the key


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(connect: Connect, status: int) -> None:
    with (
        Scripted(sends(success({"job_id": JOB}))) as other,
        Scripted(sends(http(status, b"moved", {"Location": f"{other.url}/v0/projects/p/jobs"}))) as server,
    ):
        playment = connect(server.url)
        for call in (lambda: playment.create_job(V0_BODY), playment.details, lambda: playment.create_batch("n", "d")):
            error = caught(call)
            assert isinstance(error, AccessRefused)
            assert error.code == f"http-{status}"
        assert playment.attachment("https://r/1").startswith(other.url)
        assert other.connections == 0


def test_a_redirect_with_an_endless_body_is_not_read(connect: Connect) -> None:
    def endless(server: Scripted, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 302 X\r\nLocation: http://[bad\r\n\r\n")
        while not server.stopping.is_set():
            connection.sendall(b"x" * 65536)

    with Scripted(endless) as server:
        error = caught(lambda: connect(server.url).create_job(V0_BODY))
    assert (type(error), error.code) == (AccessRefused, "http-302")


def test_the_key_is_in_no_log_and_no_repr(sandbox: Sandbox, connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "urllib3")  # the agent's own set-up, in a test before, makes it quiet
    playment = connect(sandbox.url)
    playment.create_job(V0_BODY)
    caught(lambda: playment.create_job(V0_BODY))
    sandbox.faults = Faults(lose_reply=1)
    caught(lambda: playment.create_job({**V0_BODY, "reference_id": "b"}))
    assert caplog.records  # urllib3 does log
    assert KEY not in caplog.text + repr(playment) + repr(playment._transport)


@pytest.mark.parametrize("key", ["", " key", "key\n", "a\r\nb", "schlüssel", "\ud800"])
def test_a_key_that_cannot_be_a_header_is_told_without_it(key: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Playment("http://127.0.0.1:9", "p", key, Edition.V0)
    assert "x-api-key" in str(raised.value)
    assert not key or key not in str(raised.value)


# ---------------------------------------------------------------- connections that break


def test_a_lost_reply_leaves_the_outcome_open_and_the_next_try_tells(sandbox: Sandbox, connect: Connect) -> None:
    playment = connect(sandbox.url)
    for number, faults in enumerate((Faults(lose_reply=1), Faults(error_after=1))):
        sandbox.faults = faults
        body = {**V0_BODY, "reference_id": f"r{number}"}
        error = caught(partial(playment.create_job, body))
        assert isinstance(error, TryLater)
        assert not error.refused
        sandbox.faults = Faults()
        assert isinstance(caught(partial(playment.create_job, body)), DuplicateReference)
    assert len(sandbox.jobs) == 2


def test_nobody_listens(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    error = caught(lambda: connect(f"http://127.0.0.1:{port}").create_job(V0_BODY))
    assert isinstance(error, TryLater)
    assert (error.code, error.refused) == ("connection", True)
    assert "Connection refused" in str(error)


def test_a_name_that_does_not_exist(connect: Connect) -> None:
    error = caught(lambda: connect("http://playment.invalid").create_job(V0_BODY))
    assert isinstance(error, TryLater)
    assert (error.code, error.refused) == ("connection", True)


def test_nobody_accepts(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        error = caught(lambda: connect(url, connect_seconds=0.3).create_job(V0_BODY))
        for filler in fillers:
            filler.close()
    assert isinstance(error, TryLater)
    assert (error.code, error.refused) == ("connection", True)


def _reset(server: Scripted, connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(_reset, id="reset"),
        pytest.param(lambda _, connection: connection.shutdown(socket.SHUT_RDWR), id="closed"),
        pytest.param(sends(b"SSH-2.0-OpenSSH_9.2\r\n\r\n" * 100), id="not http"),
        pytest.param(sends(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 5000), id="too many headers"),
        pytest.param(
            lambda _, connection: (
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
                connection.shutdown(socket.SHUT_RDWR),
            ),
            id="cut short",
        ),
        pytest.param(
            sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"), id="bad chunk"
        ),
    ],
)
def test_broken_answers_leave_the_outcome_open(connect: Connect, script: Any) -> None:
    with Scripted(script) as server:
        error = caught(lambda: connect(server.url, post_seconds=5).create_job(V0_BODY))
    assert isinstance(error, TryLater)
    assert (error.code, error.refused) == ("connection", False)


# ---------------------------------------------------------------- time limits


def _trickle(start: bytes, drop: bytes) -> Callable[[Scripted, socket.socket], None]:
    def script(server: Scripted, connection: socket.socket) -> None:
        connection.sendall(start)
        while not server.stopping.wait(0.05):
            connection.sendall(drop)

    return script


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(lambda server, _: server.stopping.wait(), id="silence"),
        pytest.param(_trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b" "), id="slow body"),
        pytest.param(_trickle(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"), id="slow chunk size"),
        pytest.param(_trickle(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"), id="slow header"),
        pytest.param(_trickle(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), id="continue for ever"),
    ],
)
def test_the_whole_answer_has_a_deadline(connect: Connect, script: Any) -> None:
    with Scripted(script) as server:
        started = time.monotonic()
        error = caught(lambda: connect(server.url, post_seconds=0.5).create_job(V0_BODY))
        assert 0.4 < time.monotonic() - started < 10
    assert isinstance(error, TryLater)
    assert (error.code, error.refused) == ("timeout", False)


def test_a_kept_connection_gets_its_time_anew(connect: Connect) -> None:
    def slow(server: Scripted, connection: socket.socket) -> None:
        server.stopping.wait(1.2)
        connection.sendall(success({"name": "p", "batches": []}))

    with Scripted(slow) as server:
        playment = connect(server.url, read_seconds=3)  # less than the three answers take together
        for _ in range(3):
            assert playment.details().name == "p"
        assert server.connections == 1


def test_a_large_body_has_more_time_than_a_connection(connect: Connect) -> None:
    def read_late() -> None:
        connection, _ = listener.accept()
        with connection:
            time.sleep(0.6)  # longer than connecting may take: what is shown is that this wait is allowed
            while b'"}' not in connection.recv(2**20)[-10:]:
                pass
            connection.sendall(success({"job_id": JOB}))

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read_late)
        playment = connect(f"http://127.0.0.1:{listener.getsockname()[1]}", connect_seconds=0.2)
        assert playment.create_job({**V0_BODY, "padding": "x" * 2**25}) == JOB
        reading.result(timeout=10)


# ---------------------------------------------------------------- bodies from hell


def _bomb() -> bytes:
    squeeze = zlib.compressobj(9, wbits=31)
    return b"".join(squeeze.compress(b" " * 2**20) for _ in range(300)) + squeeze.flush()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda: http(200, _bomb(), {"Content-Encoding": "gzip"}), id="gzip bomb"),
        pytest.param(lambda: http(200, b" " * 2**24), id="large"),
        pytest.param(lambda: b"HTTP/1.1 " + b"x" * 2**25, id="status"),
        pytest.param(
            lambda: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + (b"A" * 60_000 + b"\r\n") * 500,
            id="trailers",
        ),
        pytest.param(lambda: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 2**25, id="chunk size"),
    ],
)
def test_a_large_answer_needs_little_memory(connect: Connect, answer: Callable[[], bytes]) -> None:
    content = answer()
    with Scripted(sends(content)) as server:
        playment = connect(server.url)
        tracemalloc.start()
        try:
            error = caught(lambda: playment.create_job(V0_BODY))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert isinstance(error, TryLater)
    assert error.code in {"bad-reply", "connection"}  # which one is urllib3's business
    assert not error.refused
    assert peak < 2**23


def test_what_is_no_body_is_bounded_too(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.http.sessions.BoundedResponse.most_bytes", 2**16)
    with Scripted(sends(b"HTTP/1.1 100 Continue\r\n\r\n" * 4000)) as server:
        error = caught(lambda: connect(server.url).create_job(V0_BODY))
    assert isinstance(error, TryLater)
    assert (error.code, error.refused) == ("bad-reply", False)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>maintenance</html>",
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b"\xff\xfe{",
        b"1" * 10_000,
        b"null",
        b"[]",
        b'{"success": true}',
        b'{"success": true, "data": []}',
        b'{"success": false, "data": {"job_id": "' + JOB.encode() + b'"}}',
        b'{"success": "true", "data": {"job_id": "' + JOB.encode() + b'"}}',
        b'{"success": true, "data": {}}',
        b'{"success": true, "data": {"job_id": 7.5}}',
        b'{"success": true, "data": {"job_id": "7/8"}}',
        b'{"success": true, "data": {"job_id": "' + JOB.encode() + b'", "reference_id": "other"}}',
    ],
)
def test_a_200_that_is_not_documented_leaves_the_outcome_open(connect: Connect, body: bytes) -> None:
    with Scripted(sends(http(200, body))) as server:
        error = caught(lambda: connect(server.url).create_job(V0_BODY))
    assert isinstance(error, TryLater)
    assert (error.code, error.refused) == ("bad-reply", False)


@pytest.mark.parametrize("body", [b"<html>", b"[" * 200_000, b'{"error": "FS_0001"}', b'{"error": {"code": 1}}', b""])
def test_a_400_without_a_code_is_permanent(connect: Connect, body: bytes) -> None:
    with Scripted(sends(http(400, body))) as server:
        error = caught(lambda: connect(server.url).create_job(V0_BODY))
    assert (type(error), error.code) == (Refused, "http-400")


def test_compressed_answers(connect: Connect) -> None:
    body = json.dumps({"success": True, "data": {"name": "p" * 300_000, "batches": []}}).encode()
    whole = gzip.compress(body)
    with Scripted(sends(http(200, whole, {"Content-Encoding": "gzip"}))) as server:
        assert len(connect(server.url).details().name) == 300_000
        assert "Accept-Encoding: gzip" in server.heads[0].split("\r\n")
    for encoding, bad in (("gzip", whole[:-20]), ("gzip", b"not gzip"), ("br", whole)):
        with Scripted(sends(http(200, bad, {"Content-Encoding": encoding}))) as server:
            assert caught(connect(server.url).details).code == "bad-reply"


# ---------------------------------------------------------------- threads, proxies, certificates


def test_each_thread_keeps_one_connection_alive(connect: Connect) -> None:
    everyone = threading.Barrier(4)

    def ask(playment: Playment) -> None:
        everyone.wait(timeout=10)
        for _ in range(10):
            playment.details()

    with Scripted(sends(success({"name": "p", "batches": []}))) as server:
        playment = connect(server.url)
        with ThreadPoolExecutor(4) as pool:
            for future in [pool.submit(ask, playment) for _ in range(4)]:
                future.result()
        assert (len(server.heads), server.connections) == (40, 4)


def test_a_proxy_of_the_environment_is_kept(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    with Scripted(sends(success({"name": "p", "batches": []}))) as proxy, Scripted(proxy._script) as direct:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        there, here = connect("http://playment.invalid"), connect(direct.url)
        monkeypatch.setenv("no_proxy", "playment.invalid")
        without = connect("http://playment.invalid")
        monkeypatch.undo()
        assert there.details().name == "p"  # read at construction, not now
        assert here.details().name == "p"
        assert proxy.heads[0].startswith("GET http://playment.invalid/v0/projects/p%201/details ")
        assert caught(without.details).code == "connection"
        assert (len(proxy.heads), len(direct.heads)) == (1, 1)


def test_a_proxy_that_is_not_there(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("https_proxy", f"http://user:{KEY}@127.0.0.1:{port}")
    error = caught(lambda: connect("https://playment.invalid").create_job(V0_BODY))
    assert isinstance(error, TryLater)
    assert (error.code, error.refused) == ("connection", True)


@pytest.fixture
def certified(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Give the URL of a TLS server with a certificate of its own, and that certificate."""
    certificate, private = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 "
        f"-keyout {private} -out {certificate}".split(),
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private)
    stopping = threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            connection, _ = listener.accept()
            try:
                with context.wrap_socket(connection, server_side=True) as secure:
                    while secure.recv(65536):
                        secure.sendall(success({"name": "p", "batches": []}))
            except OSError:
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}", certificate
        stopping.set()
        socket.create_connection(listener.getsockname()).close()
        thread.join()


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_ca_bundle_of_the_environment_is_kept(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, certified: tuple[str, Path], variable: str
) -> None:
    url, certificate = certified
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv(variable, str(certificate))
    playment = connect(url)
    monkeypatch.delenv(variable)
    assert playment.details().name == "p"
    assert playment.details().name == "p"
    playment.close()


def test_a_certificate_that_nobody_knows(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, certified: tuple[str, Path]
) -> None:
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)
    error = caught(lambda: connect(certified[0]).create_job(V0_BODY))
    assert isinstance(error, TryLater)
    assert (error.code, error.refused) == ("connection", True)
    assert "not trusted" in str(error)


def test_a_ca_bundle_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with pytest.raises(SettingsError, match="REQUESTS_CA_BUNDLE"):
        Playment("https://127.0.0.1:9", "p", KEY, Edition.V0)
