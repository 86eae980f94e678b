"""What the agent costs while nothing happens: 1,000 known folders, all submitted.

Run it alone on a quiet machine; `-s` shows the figures: pytest -s tests/benchmarks/test_idle.py
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.support import Playment, environ, eventually, image, process, query, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FOLDERS = 1000
SECONDS = 20.0
CPU_SHARE = 0.01
MEMORY_MIB = 80


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process (proc(5), fields 14 and 15 of stat)."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int, key: str) -> float:
    """Return a memory figure of a process in MiB (proc(5), status: VmRSS now, VmHWM at its highest)."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key)) / 1024


@pytest.mark.timeout(180)
def test_idle_is_free(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    ledger = tmp_path / "ledger.db"
    with Playment() as playment:
        env = environ(tmp_path, playment.url, WATCH_RESCAN_SECONDS="300")
        for number in range(FOLDERS):
            write(tmp_path / "inbox" / f"cam{number % 10}" / f"s{number}" / "frame_1.jpg", image(number, size=(4, 4)))
        with process("run", environ=env, cwd=tmp_path) as agent:
            sent = "select 1 from status where state = 'submitted' and jobs = ?"
            eventually(lambda: ledger.exists() and len(playment.jobs) == FOLDERS, seconds=90, every=0.2)
            eventually(lambda: query(ledger, sent, FOLDERS), every=0.2)
            eventually(lambda: cpu_is_low(agent.pid), seconds=60, every=0)
            before, started = cpu_seconds(agent.pid), time.monotonic()
            time.sleep(SECONDS)
            share = (cpu_seconds(agent.pid) - before) / (time.monotonic() - started)
            now, peak = resident_mib(agent.pid, "VmRSS"), resident_mib(agent.pid, "VmHWM")
            agent.send_signal(signal.SIGTERM)
            assert agent.wait(timeout=25) == 0
    figures = f"{100 * share:.2f} % of one core, {now:.0f} MiB resident, {peak:.0f} MiB at its highest"
    record_property("idle", figures)
    print(f"\nidle with {FOLDERS:,} folders: {figures}")  # noqa: T201 (a benchmark's figures)
    assert share < CPU_SHARE
    assert now < MEMORY_MIB


def cpu_is_low(pid: int) -> bool:
    """Tell whether a whole second went by in which next to nothing was done: what was dropped is dealt with."""
    before = cpu_seconds(pid)
    time.sleep(1)
    return cpu_seconds(pid) - before <= 0.02
