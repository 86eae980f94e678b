"""Debian's Prometheus and its promtool: what is installed, else unpacked, not installed, which would start a server.

They are fetched once, into a folder outside of the repository: `XDG_CACHE_HOME`, else `~/.cache`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.programs import Debian, Missing, Programs

if TYPE_CHECKING:
    from tests.programs import Program

PACKAGE = "prometheus"


def program(name: str) -> Program:
    """Return `prometheus` or `promtool`; other processes wait for the one that fetches them. Raises Missing."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "playment-agent-tests" / "programs"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{PACKAGE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return Programs(folder).find(Debian(name, PACKAGE))
        except Missing:
            shutil.rmtree(folder / PACKAGE, ignore_errors=True)
            raise


def promtool() -> Program:
    """Return it for a test, which is skipped where there is no Debian to fetch it from."""
    try:
        return program("promtool")
    except Missing as missing:
        if shutil.which("apt-get"):
            raise
        pytest.skip(str(missing))
