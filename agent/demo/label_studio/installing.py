"""Makes Label Studio in an environment of its own, in the user's cache: there it is whole, or it is not there. I/O.

Its packages are pinned, and would change ours. It is made under another name and renamed when it has run: so it is
never called by the scripts in its `bin`, which name the folder that they were made in.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agent.demo.children import Child
from agent.demo.label_studio.words import DATABASE_BYTES, NEEDED_MB, PACKAGES, PIP, PLACED, VERSION, no_room, why_not
from agent.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from agent.demo.steps import Steps

LOOK_SECONDS = 0.2
QUIET = {
    "COLLECT_ANALYTICS": "false",
    "SENTRY_RATE": "0",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    "LATEST_VERSION_CHECK": "false",
}
"""It calls home, at its start and for every error, unless it is told not to five times (1.23.2)."""
_MISLEADING = ("PYTHON", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_ROOT", "PIP_REQUIRE", "PIP_LOG", "PIP_QUIET")
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ")


class Installation:
    """Where Label Studio is, or is to be, for this Python, in the user's folder for caches."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.folder = cache / f"label-studio-{VERSION}-py{sys.version_info[0]}{sys.version_info[1]}"
        self.python = self.folder / "venv/bin/python"
        self.database = self.folder / "label_studio.sqlite3"
        self.log = cache / f"{self.folder.name}.log"

    @property
    def is_whole(self) -> bool:
        """Whether it can be started; not where the Python that it was made with is gone."""
        return self.python.exists() and self.database.exists()

    def make(self, steps: Steps) -> None:
        """Make it, unless another demo has just done so. Raises AgentError, with one sentence."""
        try:
            self.cache.mkdir(parents=True, exist_ok=True)
            with _alone(self.cache / f"{self.folder.name}.lock", steps):
                if not self.is_whole:
                    self._make(steps)
        except OSError as error:
            raise AgentError(
                f"Label Studio cannot be put into {self.cache} ({error.strerror}): make the folder writable, or set "
                "XDG_CACHE_HOME to another one."
            ) from error

    def _make(self, steps: Steps) -> None:
        for left in (self.folder, *self.cache.glob(f"{self.folder.name}.part-*")):
            shutil.rmtree(left, ignore_errors=True)
        if (free := shutil.disk_usage(self.cache).free // 10**6) < NEEDED_MB:
            raise AgentError(no_room(str(self.cache), free))
        self.log.unlink(missing_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f"{self.folder.name}.part-", dir=self.cache))
        try:
            self._fill(part, steps)
            os.rename(part, self.folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _fill(self, part: Path, steps: Steps) -> None:
        """Make an environment, have pip put Label Studio into it, and make its database, by which it is tried, too."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith(_MISLEADING)}
        python, packages = part / "venv/bin/python", part / "venv/lib" / f"python{_python()}" / "site-packages"
        (part / "tmp").mkdir()
        self._run(
            steps, "Making an environment for it", part, environ, sys.executable, "-I", "-m", "venv", str(part / "venv")
        )
        before = len(os.listdir(packages))
        self._run(
            steps,
            "Fetching and installing Label Studio",
            part,
            {**environ, "TMPDIR": str(part / "tmp"), "PYTHONUNBUFFERED": "1"},
            str(python),
            *PIP,
            done=partial(_pip_done, self.log, packages, before),
        )
        data = part / "data"
        data.mkdir()
        version = (str(python), "-I", "-m", "label_studio.server", "version", "--data-dir", str(data))
        database = data / self.database.name
        done = partial(_size_done, database)
        self._run(steps, "Making its database", part, server_environ(data), *version, done=done)
        os.rename(database, part / self.database.name)
        for each in ("data", "tmp"):
            shutil.rmtree(part / each)

    def _run(
        self,
        steps: Steps,
        what: str,
        folder: Path,
        environ: Mapping[str, str],
        *command: str,
        done: Callable[[], float] | None = None,
    ) -> None:
        """Run a command to its end, and show it as a step. Raises AgentError where it fails."""
        with steps.step(what) as show, Child(command, environ, self.log, folder) as child:
            while child.exit_code is None:
                show(done() if done else None)
                time.sleep(LOOK_SECONDS)
            if child.exit_code:
                raise AgentError(why_not(self.log.read_text(errors="replace"), _python(), str(self.log)))


def installation(environ: Mapping[str, str]) -> Installation:
    """Return where Label Studio is, or is to be. Raises AgentError where the user has no folder for caches."""
    given = environ.get("XDG_CACHE_HOME", "")
    try:
        # https://specifications.freedesktop.org/basedir-spec/latest/: a path that is not absolute is to be ignored.
        cache = Path(given) if os.path.isabs(given) else Path.home() / ".cache"
    except RuntimeError:
        raise AgentError(
            "This user has no home folder for Label Studio to be put into: set XDG_CACHE_HOME to a folder."
        ) from None
    return Installation(cache / "playment-agent")


def server_environ(data: Path) -> dict[str, str]:
    """Return the environment of Label Studio, in which nothing stands that could mislead it, or have it call home."""
    return {**{name: os.environ[name] for name in _KEPT if name in os.environ}, **QUIET, "HOME": str(data)}


def _python() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def _size_done(database: Path) -> float:
    """Return how far its database is, by the size that it is to have."""
    return min(0.99, os.path.getsize(database) / DATABASE_BYTES) if database.exists() else 0.0


def _pip_done(log: Path, packages: Path, before: int) -> float:
    """Return how far pip is: one half for what it has collected, one for what it has put into place."""
    collected = log.read_text(errors="replace").count("\nCollecting ")
    placed = len(os.listdir(packages)) - before
    return min(0.99, 0.5 * min(1.0, collected / PACKAGES) + 0.5 * min(1.0, max(0, placed) / PLACED))


@contextlib.contextmanager
def _alone(path: Path, steps: Steps) -> Iterator[None]:
    """Wait until no other demo makes the same; the lock dies with its process."""
    with path.open("ab") as lock:
        take = partial(fcntl.flock, lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            take()
        except BlockingIOError:
            _await(take, steps)
        yield


def _await(take: Callable[[], None], steps: Steps) -> None:
    with steps.step("Waiting for another demo that is making it") as show:
        while True:
            with contextlib.suppress(BlockingIOError):
                return take()
            show(None)
            time.sleep(LOOK_SECONDS)
