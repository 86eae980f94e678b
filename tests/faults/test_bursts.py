"""Files by the ten thousand, unpaced, with the full rescan an hour away: nothing is lost, and memory stays small.

This is where watchdog's events alone lose up to 86 % of the files.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.watching import Watching, picture
from tests.soak import LONG

if TYPE_CHECKING:
    from pathlib import Path

FILES = 100_000 if LONG else 10_000
FOLDERS = 100
MOST_MIB = 150


def names(shape: str) -> list[str]:
    """Return the files to drop: images of their own, the frames of one folder, or those of a hundred folders."""
    where = {"images": "", "folder": "shot/", "folders": "shot {folder}/"}[shape]
    return [where.format(folder=number % FOLDERS) + f"frame_{number}.jpg" for number in range(FILES)]


def prepare(outside: Path) -> None:
    outside.mkdir()
    for number in range(FILES):
        (outside / str(number)).write_bytes(picture(number))


def burst(inbox: Path, outside: Path, way: str, shape: str) -> None:
    """Write the files, or rename them in; folders are made when their first file comes."""
    root, source = os.fspath(inbox), os.fspath(outside)
    made = {""}
    for number, name in enumerate(names(shape)):
        folder = name.rpartition("/")[0]
        if folder not in made:
            made.add(folder)
            os.mkdir(f"{root}/{folder}")
        if way == "written":
            with open(f"{root}/{name}", "wb") as file:
                file.write(picture(number))
        else:
            os.rename(f"{source}/{number}", f"{root}/{name}")


def report(what: str, agent: Watching, started: float, burst_seconds: float) -> None:
    sys.stdout.write(
        f"\n{what}: {FILES:,} files in {burst_seconds:.1f} s, all rows after {time.monotonic() - started:.1f} s, "
        f"{agent.cpu_seconds():.1f} CPU s, {agent.peak_mib():.0f} MiB\n"
    )


@pytest.mark.timeout(180)
@pytest.mark.parametrize("shape", ["images", "folder", "folders"])
@pytest.mark.parametrize("way", ["written", "renamed"])
def test_a_burst_loses_nothing(tmp_path: Path, way: str, shape: str) -> None:
    outside = tmp_path / "outside"
    if way == "renamed":
        prepare(outside)
    units = {"images": FILES, "folder": 1, "folders": FOLDERS}[shape]
    with Watching(tmp_path) as agent:
        started = time.monotonic()
        burst(agent.inbox, outside, way, shape)
        took = time.monotonic() - started
        agent.wait(lambda: agent.counts() == {"pending": (units, FILES)}, 1200 if LONG else 120)
        report(f"{way}, {shape}", agent, started, took)
        assert agent.files() == sorted(names(shape))
        assert agent.peak_mib() < MOST_MIB
        assert agent.stop() == 0
