"""Files by the ten thousand, unpaced, with the full rescan an hour away: nothing is lost, and memory stays small.

This is where watchdog's events alone lose up to 86 % of the files.
"""

from __future__ import annotations

import functools
import os
import subprocess
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


@pytest.mark.timeout(3600 if LONG else 180)
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
        agent.wait(functools.partial(is_noticed, agent, units, FILES), 1200 if LONG else 120)
        report(f"{way}, {shape}", agent, started, took)
        assert agent.files() == sorted(names(shape))
        assert agent.peak_mib() < MOST_MIB
        assert agent.stop() == 0


@pytest.mark.timeout(3600 if LONG else 180)
def test_tar_restores_the_times_of_the_folders(tmp_path: Path) -> None:
    """Unpacked over what is known already: a folder has its old time again when it has new files."""
    inbox, packed = tmp_path / "inbox", tmp_path / "packed"
    half = FILES // 2
    for number in range(FILES):
        folder = packed / f"shot {number % FOLDERS}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"frame_{number}.jpg").write_bytes(picture(number))
        if number + 1 in (half, FILES):
            for each in packed.iterdir():
                os.utime(each, (1e9, 1e9))
            subprocess.run(["tar", "-cf", tmp_path / f"{number + 1}.tar", "-C", packed, "."], check=True)
    with Watching(tmp_path) as agent:
        for count in (half, FILES):
            started = time.monotonic()
            subprocess.run(["tar", "-xf", tmp_path / f"{count}.tar", "-C", inbox], check=True)
            took = time.monotonic() - started
            assert {each.stat().st_mtime for each in inbox.iterdir()} == {1e9}
            agent.wait(functools.partial(is_noticed, agent, FOLDERS, count), 1200 if LONG else 120)
            report(f"tar -x, {count:,} of", agent, started, took)
        assert len(agent.files()) == FILES
        assert agent.peak_mib() < MOST_MIB
        assert agent.stop() == 0


def is_noticed(agent: Watching, units: int, files: int) -> bool:
    return agent.counts() == {"pending": (units, files)}


@pytest.mark.timeout(3600 if LONG else 180)
def test_one_more_image_in_a_large_folder(tmp_path: Path) -> None:
    """It does not wait for the folder to be listed again, which is put off the longer the larger the folder is."""
    inbox = tmp_path / "inbox"
    prepare(inbox)
    for number in range(FILES):
        (inbox / str(number)).rename(inbox / f"image_{number}.jpg")
    with Watching(tmp_path) as agent:
        agent.wait(functools.partial(is_noticed, agent, FILES, FILES), 1200 if LONG else 120)
        for number in range(3):
            (inbox / f"more_{number}.jpg").write_bytes(picture(FILES + number))
            started = time.monotonic()
            agent.wait(functools.partial(is_noticed, agent, FILES + number + 1, FILES + number + 1))
            report(f"one more image ({number + 1}) in", agent, started, 0.0)
        assert agent.peak_mib() < MOST_MIB
        assert agent.stop() == 0
