"""Debian's Prometheus, its promtool, and node-exporter: what is installed, else unpacked.

Not installed, which would start servers. They are fetched once, into a folder outside of the repository:
`XDG_CACHE_HOME`, else `~/.cache`.
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

EXPORTER = "prometheus-node-exporter"
PACKAGES = {"promtool": "prometheus", "prometheus": "prometheus", EXPORTER: EXPORTER}


def program(name: str) -> Program:
    """Return one of them; other processes wait for the one that fetches it. Raises Missing."""
    package = PACKAGES[name]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "playment-agent-tests" / "programs"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{package}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return Programs(folder).find(Debian(name, package, alone=True))
        except Missing:
            shutil.rmtree(folder / package, ignore_errors=True)
            raise


def promtool() -> Program:
    """Return it for a test, which is skipped where there is no Debian to fetch it from."""
    try:
        return program("promtool")
    except Missing as missing:
        if shutil.which("apt-get"):
            raise
        pytest.skip(str(missing))
