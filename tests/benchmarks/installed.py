"""A clone in an environment as a user's: what it depends on is installed there, and nothing of what tests need.

NumPy beside the agent, which the tests bring along, would be imported by what looks for it: 12 MiB.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.benchmarks.measure import Bench

ROOT = Path(__file__).parents[2]
EMPTY = """
import sys
from pathlib import Path
from agent.host.clock import utc_now
from agent.ledger.store import Ledger
Ledger(Path(sys.argv[1]), utc_now).close()
"""
KNOW = """
import sys
from pathlib import Path
from tests.benchmarks.trees import know
know(Path(sys.argv[1]), Path(sys.argv[2]))
"""
COST = """
import json, os, sys
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[
    (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
_, status, used = os.wait4(child, 0)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""Run from a small process: what starts another one lends it its own highest memory."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took: processor seconds, and MiB at its highest."""

    seconds: float
    mib: float


@dataclass(frozen=True, slots=True)
class Installed:
    """The interpreter of an environment, and the clone that it runs."""

    python: str
    clone: Path

    @property
    def environ(self) -> dict[str, str]:
        """What has the interpreter run the clone."""
        return {"PYTHONPATH": str(self.clone)}

    def cost(self, place: Path, *arguments: str, settings: Mapping[str, str] | None = None) -> Cost:
        """Return what a command takes that is run in a place; it must end well."""
        command = [sys.executable, "-c", COST, self.python, *arguments]
        told = subprocess.run(
            command,
            env={**os.environ, **self.environ, **(settings or {})},
            cwd=place,
            check=True,
            stdout=subprocess.PIPE,
        )
        return Cost(*json.loads(told.stdout))

    def make_ledger(self, path: Path) -> None:
        """Make an empty ledger of the clone's version."""
        environ = {**os.environ, **self.environ}
        subprocess.run([self.python, "-c", EMPTY, path], env=environ, cwd=path.parent, check=True)

    def know(self, place: Path, tree: Path) -> None:
        """Make a ledger in a place that knows all of a tree, as the clone's tests do, in the environment of these."""
        environ = {**os.environ, **self.environ}
        subprocess.run([sys.executable, "-c", KNOW, place, tree], env=environ, cwd=place, check=True)


def installed(bench: Bench, clone: Path = ROOT) -> Installed:
    """Return a clone in an environment of its own, which is kept; in the small form in the one that runs this."""
    if bench.small:
        return Installed(sys.executable, clone)
    wanted: list[str] = tomllib.loads((clone / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    name = hashlib.sha256(json.dumps([sys.version, wanted]).encode()).hexdigest()[:12]
    place = bench.out / "environments" / name
    python = place / "bin" / "python"
    if not (place / "is-whole").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True)
        (place / "is-whole").touch()
    return Installed(str(python), clone)
