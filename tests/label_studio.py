"""A real Label Studio on loopback, of the one version that the tests are written for, in an environment of its own.

It is installed once, and its database made once, in a folder outside of the repository: `XDG_CACHE_HOME`, else
`~/.cache`; each server that is started works on a copy. `python -m tests.label_studio` only gets that ready.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import requests

from agent.demo.label_studio.installing import QUIET
from agent.demo.label_studio.words import VERSION
from tests.postgres import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.postgres import Postgres

MISSING = f"needs label-studio=={VERSION}, which pip could not install here"
USER = "tests@localhost.invalid"
SECRET = "not-to-be-shown"
LEGACY_TOKEN = "0123456789abcdef0123456789abcdef01234567"
START_SECONDS = 300.0


@cache
def ready() -> Path | None:
    """Return the folder of the installation and the prepared data, made where it is not there; None where pip failed.

    Other processes wait for the one that makes it.
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "playment-agent-tests"
    folder /= f"label-studio-{VERSION}-py{sys.version_info[0]}{sys.version_info[1]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").exists() and not _install(folder):
            return None
        if not (folder / "prepared").exists():
            _prepare(folder)
    return folder


def _install(folder: Path) -> bool:
    shutil.rmtree(folder / "venv", ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    pip = [str(folder / "venv/bin/pip"), "install", "--quiet", "--retries", "1", f"label-studio=={VERSION}"]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        (folder / "installed").touch()
        return True
    assert sys.__stderr__ is not None
    sys.__stderr__.write(f"\n{MISSING}: {done.stderr[-500:]}\n")  # aloud: a skipped test is soon overlooked
    return False


def _prepare(folder: Path) -> None:
    """Make the database with its user and a personal access token, which the server gives once."""
    data = folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir()
    with Server(folder, data) as server:
        server.make_token()
    (folder / "prepared").touch()


class Server:
    """A Label Studio within its `with` block, on the folder `data`; all its processes end with it.

    `environ` is what its settings are beside ours, where another database is to be used than the folder's SQLite.
    """

    def __init__(self, folder: Path, data: Path, environ: Mapping[str, str] | None = None) -> None:
        self._environ = environ or {}
        self._program = folder / "venv/bin/label-studio"
        self._data = data
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port: int = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill(signal.SIGTERM)

    @property
    def personal_token(self) -> str:
        """The personal access token of the prepared data."""
        return (self._data / "personal").read_text()

    def make_token(self) -> None:
        """Make the personal access token, which is given once, and keep it beside the data."""
        (self._data / "personal").write_text(self.call("POST", "/api/token/", {})["token"])

    def start(self) -> None:
        """Start it, and wait until it answers; it ends with the thread that started it, however that ends."""
        arguments = [
            "--no-browser", "--port", str(self.port), "--internal-host", "127.0.0.1", "--host", self.url,
            "--data-dir", str(self._data), "--username", USER, "--password", SECRET,
            "--user-token", LEGACY_TOKEN, "--enable-legacy-api-token",
        ]  # fmt: skip
        with (self._data / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", self._program, "start", *arguments],
                env={**os.environ, **QUIET, **self._environ, "HOME": str(self._data)},
                cwd=self._data,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.2)

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it; without a word, unless `how` says otherwise."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, how)
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()

    def log(self) -> str:
        """Return the end of what it has logged."""
        return (self._data / "log").read_text(errors="replace")[-3000:]

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Return the JSON of a call that must work, made as a person's program would."""
        answer = self.raw(method, path, body)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def raw(self, method: str, path: str, body: object = None) -> requests.Response:
        """Return the answer to a call, whatever it is."""
        with requests.Session() as session:
            session.trust_env = False
            headers = {"Authorization": f"Token {LEGACY_TOKEN}"}
            return session.request(method, self.url + path, json=body, headers=headers, timeout=60)

    def tasks(self, project: int) -> list[dict[str, Any]]:
        """Return every task of a project as the server lists them, the oldest first.

        The list is answered 500 where a task goes while it is put together: then it is asked for again.
        """
        path = f"/api/tasks?project={project}&page_size=1000"
        until = time.monotonic() + 60
        answer = self.raw("GET", path)
        while answer.status_code == HTTPStatus.INTERNAL_SERVER_ERROR and time.monotonic() < until:
            answer = self.raw("GET", path)
        assert answer.ok, answer.text
        listed: list[dict[str, Any]] = answer.json()["tasks"]
        assert len(listed) < 1000
        return sorted(listed, key=lambda task: int(task["id"]))

    def references(self, project: int) -> list[str]:
        """Return the reference_id of every task of a project, sorted: one that is there twice was made twice."""
        return sorted(str(task["data"].get("reference_id")) for task in self.tasks(project))

    def _answers(self) -> bool:
        with contextlib.suppress(requests.RequestException), requests.Session() as session:
            session.trust_env = False
            return session.get(self.url + "/health", timeout=5).ok
        return False


@contextlib.contextmanager
def running() -> Iterator[Server | None]:
    """Give a server on a copy of the prepared data; None where it could not be installed."""
    folder = ready()
    if folder is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="label-studio-") as place:
        data = Path(place) / "data"
        shutil.copytree(folder / "data", data, ignore=shutil.ignore_patterns("log"))
        with Server(folder, data) as server:
            yield server


@contextlib.contextmanager
def on_postgres(postgres: Postgres) -> Iterator[Server | None]:
    """Give a server whose database is a new one of `postgres`; None where it could not be installed."""
    folder = ready()
    if folder is None:
        yield None
        return
    name = f"label_studio_{secrets.token_hex(4)}"
    postgres.sql(f"create database {name}")
    environ = {
        "DJANGO_DB": "default",
        "POSTGRE_HOST": "127.0.0.1",
        "POSTGRE_PORT": str(postgres.port),
        "POSTGRE_USER": "postgres",
        "POSTGRE_PASSWORD": PASSWORD,
        "POSTGRE_NAME": name,
    }
    with tempfile.TemporaryDirectory(prefix="label-studio-") as place, Server(folder, Path(place), environ) as server:
        server.make_token()
        yield server


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"ready": str(ready())}) + "\n")
