"""A Playment that costs next to nothing: `python -m tests.benchmarks.server LATENCY` takes every job, after so long.

It answers as `agent/sandbox` does, keeps connections alive, and notes by the monotonic clock, which all processes
share, when the request for each reference_id was there in full. It checks nothing. It prints its port and ends with
its standard input.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, Self

import requests

PROJECT: Final = json.dumps({"data": {"name": "p1", "batches": []}, "success": True}).encode()
ROOT: Final = Path(__file__).parents[2]
_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"


class Server:
    """The server as a process of its own, and a context manager; `latency` is in seconds."""

    def __init__(self, latency: float) -> None:
        self._latency = latency

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.server", str(self._latency)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        self.jobs_url = f"{self.url}/v0/projects/p1/jobs"
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()

    def requests(self) -> dict[str, list[float]]:
        """Return the times of the requests for each reference_id since this was last asked."""
        found: dict[str, list[float]] = requests.get(f"{self.url}/requests", timeout=30).json()
        return found


class Connection(asyncio.Protocol):
    """One client's connection: requests in, answers out after the latency."""

    def __init__(self, latency: float, times: dict[str, list[float]]) -> None:
        self._latency = latency
        self._times = times
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what answers are written to."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is there in full."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._received[:end])
            length = _LENGTH.search(head)
            after = end + 4 + (int(length[1]) if length else 0)
            if len(self._received) < after:
                return
            body = bytes(self._received[end + 4 : after])
            del self._received[:after]
            if head.startswith(b"POST "):
                self._created(body)
            elif not head.startswith(b"GET /requests "):  # a project without a job of before
                self._write(PROJECT)
            else:
                self._write(json.dumps(self._times).encode())
                self._times.clear()

    def _created(self, body: bytes) -> None:
        reference_id = json.loads(body)["reference_id"]
        now = time.monotonic()
        self._times.setdefault(reference_id, []).append(now)
        job_id = f"{time.monotonic_ns():032x}"
        data = {"job_id": job_id, "reference_id": reference_id, "tag": "boxes"}
        answer = json.dumps({"data": data, "success": True}).encode()
        if self._latency:
            asyncio.get_running_loop().call_later(self._latency, self._write, answer)
        else:
            self._write(answer)

    def _write(self, body: bytes) -> None:
        assert self._transport is not None
        self._transport.write(_HEAD % (len(body), body))


async def serve(latency: float) -> None:
    """Serve on a free port of 127.0.0.1 until standard input ends."""
    times: dict[str, list[float]] = {}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(latency, times), "127.0.0.1", 0, backlog=128)
    async with server:
        sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
