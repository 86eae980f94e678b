"""The key: it reaches the base URL and nothing else, whatever Playment answers and however the agent dies."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from agent.service.loop import Service
from tests.fakes import Scripted, http
from tests.support import (
    Agent,
    Playment,
    command,
    environ,
    eventually,
    image,
    process,
    rows,
    run,
    settings,
    used_ledger,
    write,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "s3cret-${KEY}-%41-'quoted'"


def redirecting(status: int, elsewhere: Scripted) -> Scripted:
    def script(server: Scripted, connection: socket.socket) -> None:
        path = server.heads[-1].split(" ")[1]
        connection.sendall(http(status, b"{}", {"Location": f"http://localhost:{elsewhere.port}{path}"}))

    return Scripted(script)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_another_host_never_sees_it(tmp_path: Path, status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with Scripted(lambda *_: None) as elsewhere, redirecting(status, elsewhere) as playment:
        asked = set()
        for batch in ("", "day"):
            place = tmp_path / f"batch-{batch}"
            place.mkdir()
            used_ledger(place)
            chosen = settings(place, playment.url, PLAYMENT_API_KEY=SECRET, PLAYMENT_BATCH=batch)
            write(place / "inbox" / "a.jpg", image(1))
            assert Service(chosen, once=True).run() == 3
            (row,) = rows(chosen.ledger_path, "a.jpg")
            assert row["state"] == "pending"
            assert "redirect" in row["reason"]
            asked |= {head.split(" ")[0] + head.split(" ")[1].rpartition("/")[2] for head in playment.heads}
        assert asked == {"POSTjobs", "POSTbatch", "GETdetails"}
        assert all(f"x-api-key: {SECRET}".lower() in head.lower() for head in playment.heads)
        assert elsewhere.connections == 0
    assert SECRET not in caplog.text


@contextlib.contextmanager
def echoing() -> Iterator[Scripted]:
    """A Playment that says the key aloud in all that it answers."""

    def script(server: Scripted, connection: socket.socket) -> None:
        text = f"client-key {SECRET} is unknown to https://x/?key={SECRET}"
        body = {"error": {"code": f"odd-{SECRET}", "message": text}, "success": False}
        connection.sendall(http(400, json.dumps(body).encode(), {"X-Echo": SECRET}))

    with Scripted(script) as server:
        yield server


def everything(place: Path) -> bytes:
    """Return all bytes that an agent wrote below `place`, but for the settings."""
    return b"".join(
        path.read_bytes()
        for path in sorted(place.rglob("*"))
        if path.is_file() and path.name not in {".env", "key"} and path.suffix != ".jpg"
    )


def test_it_is_written_nowhere(tmp_path: Path) -> None:
    with echoing() as playment:
        surroundings = environ(tmp_path, playment.url, LOG_LEVEL="DEBUG", PYTHONFAULTHANDLER="1", PYTHONDEVMODE="1")
        del surroundings["PLAYMENT_API_KEY"]
        write(tmp_path / ".env", f"PLAYMENT_API_KEY={json.dumps(SECRET)}\n".encode()).chmod(0o644)
        inbox = tmp_path / "inbox"
        write(inbox / "a.jpg", image(1))
        write(inbox / "drive" / "frame_1.jpg", image(2))
        used_ledger(tmp_path)
        os.umask(before := os.umask(0))
        os.umask(0)
        try:
            with process("run", environ=surroundings, cwd=tmp_path) as running:
                eventually(lambda: [row["state"] for row in _rows(tmp_path)] == ["failed"])
                modes = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.glob("ledger.db*")}
                for number, arguments in enumerate(
                    (
                        ["plan", "--json"],
                        ["plan"],
                        ["status", "--json"],
                        ["explain", "inbox/a.jpg"],
                        ["retry", "a.jpg"],
                        ["check"],
                    )
                ):
                    told = command(*arguments, environ=surroundings, cwd=tmp_path)
                    assert "Traceback" not in told.stderr, told.stderr
                    write(tmp_path / f"told-{number}", (told.stdout + told.stderr).encode())
                running.send_signal(signal.SIGABRT)
                running.wait(timeout=20)
        finally:
            os.umask(before)
        assert playment.heads
    assert modes == dict.fromkeys(("ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db.lock"), "0o600")
    written = everything(tmp_path)
    assert b"Fatal Python error: Aborted" in written
    assert b"run chmod 600 on it" in written
    assert SECRET.encode() not in written
    assert b"s3cret" not in written


def _rows(place: Path) -> list[dict[str, object]]:
    ledger = place / "ledger.db"
    with contextlib.suppress(Exception):
        return rows(ledger, "a.jpg")
    return []


def test_it_is_in_no_traceback(tmp_path: Path) -> None:
    # Whatever fails, and wherever: no error that is shown carries the settings, a request or a header.
    surroundings = environ(tmp_path, "http://127.0.0.1:9", PLAYMENT_API_KEY=SECRET)
    program = (
        "import os, sys, traceback\nfrom pathlib import Path\n"
        "from agent.settings.load import load\n"
        "from agent.service.assembly import target_of\nfrom agent.errors import TryLater\n"
        "chosen = load(os.environ, Path.cwd(), None)\n"
        "print(chosen, repr(chosen), vars(type(chosen)))\n"
        "try:\n    target_of(chosen).client.create_job({'tag': 't', 'reference_id': 'r', 'data': {}})\n"
        "except TryLater:\n    traceback.print_exc()\n    report = traceback.TracebackException(*sys.exc_info())\n"
        "    print(*report.format(chain=True))\n"
        "raise RuntimeError(chosen)\n"
    )
    ran = run([sys.executable, "-c", program], environ=surroundings, cwd=tmp_path)
    assert "RuntimeError" in ran.stderr
    assert "TryLater" in ran.stderr
    assert "s3cret" not in ran.stdout + ran.stderr


@pytest.mark.parametrize("url", ["http://api.playment.io", "http://192.168.1.2/", "http://127.0.0.1.evil.example"])
def test_it_is_not_sent_in_the_clear(tmp_path: Path, url: str) -> None:
    surroundings = environ(tmp_path, url, PLAYMENT_API_KEY=SECRET)
    refused = command("run", "--once", environ=surroundings, cwd=tmp_path)
    assert refused.returncode == 2
    assert "PLAYMENT_BASE_URL" in refused.stderr
    assert "https" in refused.stderr
    assert "s3cret" not in refused.stderr
    assert not (tmp_path / "ledger.db").exists()


def test_a_new_key_is_taken_up_where_the_old_one_is_refused(tmp_path: Path) -> None:
    with Playment() as playment:
        write(tmp_path / "inbox" / "a.jpg", image(1))
        refused = settings(tmp_path, playment.url, PLAYMENT_API_KEY=SECRET)
        assert Service(refused, once=True).run() == 3
        assert playment.jobs == []
        with Agent(settings(tmp_path, playment.url)) as agent:
            agent.becomes("a.jpg", "submitted")
