"""A real PostgreSQL on loopback, in a folder of its own, that a test starts, crashes and starts again."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psycopg
from psycopg.conninfo import make_conninfo

from agent.fleet import schema
from agent.fleet.client import Fleet
from agent.fleet.records import Beat

if TYPE_CHECKING:
    from collections.abc import Iterator

MISSING = "needs PostgreSQL 13 or newer: Debian's package 'postgresql', or its initdb on the PATH"
NOBODY = 65534
PASSWORD = "fleet-not-to-be-shown"
HOSTS = ("cam_a", "cam_b", "cam_c", "cam_d")


def programs() -> Path | None:
    """Return the folder of PostgreSQL's programs: those on the PATH, else Debian's newest; None where none are."""
    found = sorted(glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[4]))
    chosen = shutil.which("initdb") or (found[-1] if found else None)
    return Path(chosen).resolve().parent if chosen else None


class Postgres:
    """A cluster within its `with` block, with an owner's role and one for each of HOSTS; all have the same password.

    PostgreSQL does not run as root: then it runs as nobody.
    """

    def __init__(self, *options: str) -> None:
        found = programs()
        assert found is not None, MISSING
        self._bin = found
        self._user: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        with contextlib.ExitStack() as undo:
            undo.callback(shutil.rmtree, self.folder)
            if self._user:
                os.chown(self.folder, NOBODY, NOBODY)
            password = self.file("password", PASSWORD)
            self._run("initdb", "-D", "data", "-U", "postgres", "-A", "scram-sha-256", "--pwfile", str(password),
                      "-E", "UTF8", "--no-locale", "--no-sync")  # fmt: skip
            undo.callback(self.stop)
            self.start()
            self._roles()
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def file(self, name: str, text: str) -> Path:
        """Write a file that the server can read, and nobody else."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        if self._user:
            os.chown(path, NOBODY, NOBODY)
        return path

    def start(self, *options: str) -> None:
        """Start it, and wait until it answers; the port stays the same."""
        for _ in range(5):
            if not hasattr(self, "port") or self._process is None:
                self.port = _free_port()
            log = (self.folder / "log").open("ab")
            with log:
                self._process = subprocess.Popen(
                    [self._bin / "postgres", "-D", self.folder / "data", "-p", str(self.port), "-k", self.folder,
                     "-c", "listen_addresses=127.0.0.1", "-c", "log_line_prefix=%a ", *self._options, *options],
                    stdout=log, stderr=log, cwd=self.folder, **self._user,
                )  # fmt: skip
            if self._answers():
                return
            self._process = None  # somebody else has taken the port meanwhile
        raise AssertionError(self.log())

    def restart_if_down(self) -> None:
        """Start it where a test that failed has left it stopped: the next one is not to fail, too."""
        if self._process is None or self._process.poll() is not None:
            self.start()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT cuts connections, SIGQUIT is a crash (`pg_ctl -m immediate`)."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(timeout=60)

    def crash(self) -> None:
        """End it as a crash would: what was committed is there after the next start, all else is not."""
        self.stop(signal.SIGQUIT)

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """Have the server, and all its processes, stand still within the block."""
        assert self._process is not None
        pids = [self.pid]
        os.kill(self.pid, signal.SIGSTOP)  # from here on it has no more children
        pids += map(int, Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split())
        for pid in pids[1:]:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in reversed(pids):
                os.kill(pid, signal.SIGCONT)

    def log(self) -> str:
        """Return what the server has logged."""
        return (self.folder / "log").read_text()

    @property
    def pid(self) -> int:
        """The first of its processes."""
        assert self._process is not None
        return self._process.pid

    def dsn(self, user: str = "postgres", database: str = "postgres", **more: str) -> str:
        """Return an address of it."""
        parts = {"host": "127.0.0.1", "port": str(self.port), "user": user, "password": PASSWORD, "dbname": database}
        return make_conninfo(**(parts | more))

    @property
    def place(self) -> list[str]:
        """What tells one of its programs where it is."""
        return ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres"]

    def sql(self, query: str, *values: object, database: str = "postgres", user: str = "postgres") -> list[Any]:
        """Return the rows of a query, a row of one column as its value."""
        with psycopg.connect(self.dsn(user, database), autocommit=True) as connection:
            answer = connection.execute(query.encode(), values or None)
            rows = answer.fetchall() if answer.description else []
        return [row[0] if len(row) == 1 else row for row in rows]

    @contextlib.contextmanager
    def shared(self, *, empty: bool = False) -> Iterator[Shared]:
        """Give a database of the owner's, with the fleet's schema unless it is to be empty."""
        name = f"fleet_{secrets.token_hex(4)}"
        self.sql(f"create database {name} owner fleet_owner")
        shared = Shared(self, name)
        if not empty:
            shared.create()
        try:
            yield shared
        finally:
            shared.close()
            self.sql(f"drop database if exists {name} with (force)")

    def _roles(self) -> None:
        self.sql(f"create role fleet_owner login password '{PASSWORD}'")
        self.sql("create role playment_agent nologin")
        for host in HOSTS:
            self.sql(f"create role {host} login password '{PASSWORD}' in role playment_agent")

    def _answers(self) -> bool:
        assert self._process is not None
        deadline = time.monotonic() + 60
        while self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(self.dsn(sslmode="prefer"), connect_timeout=5).close()
                return True
            time.sleep(0.05)
        return False

    def tool(self, program: str, *arguments: str, given: bytes = b"") -> bytes:
        """Run one of its programs to its end; return what it tells."""
        environ = {**os.environ, "PGPASSWORD": PASSWORD}  # a test looks for it in all that `ps` shows
        done = subprocess.run(
            [self._bin / program, *arguments], input=given, capture_output=True, env=environ, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._bin / program, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            **self._user,
        )
        assert done.returncode == 0, done.stdout + done.stderr


class Shared:
    """A fleet's database, and the hosts that were let in."""

    def __init__(self, postgres: Postgres, name: str) -> None:
        self.postgres = postgres
        self.name = name
        self._open: list[Fleet] = []

    def create(self) -> schema.Made:
        """Do what `fleet init` does, as the owner."""
        return schema.create(self.postgres.dsn("fleet_owner", self.name))

    def fleet(self, host: str, *, role: str = "", project: str = "p", **more: str) -> Fleet:
        """Return a host's way to it that has not said a word yet."""
        fleet = Fleet(self.postgres.dsn(role or host, self.name, **more), project, host)
        self._open.append(fleet)
        return fleet

    def joined(self, host: str, *, role: str = "", project: str = "p", folder: str = "") -> Fleet:
        """Return a host's way to it that may ask for grants."""
        fleet = self.fleet(host, role=role, project=project)
        told = fleet.beat(Beat("1", {}, folder))
        fleet.trust(told.memory.database)
        fleet.beat(Beat("1", {}, folder))
        return fleet

    def sql(self, query: str, *values: object, user: str = "postgres") -> list[Any]:
        """Return the rows of a query, by default with all rights."""
        return self.postgres.sql(query, *values, database=self.name, user=user)

    def dump(self) -> bytes:
        """Return a backup, as `pg_dump` makes it of what is in use."""
        return self.postgres.tool("pg_dump", *self.postgres.place, self.name)

    def restore(self, backup: bytes) -> None:
        """Have the database be what it was at a backup."""
        postgres, apart = self.postgres, f"{self.name}_apart"
        postgres.sql(f"create database {apart} owner fleet_owner")
        postgres.tool("psql", "-qXv", "ON_ERROR_STOP=1", *postgres.place, apart, given=backup)
        postgres.sql(f"drop database {self.name} with (force)")
        postgres.sql(f"alter database {apart} rename to {self.name}")

    def close(self) -> None:
        """Close what hosts have open."""
        for fleet in self._open:
            fleet.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
