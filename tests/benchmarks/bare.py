"""What a program does that only posts: the pool of `requests` sessions, and the vendor's example.

Its functions run in the process that is kept for such work, so that their processor time is theirs alone.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
from collections import deque
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

from agent.model import Edition, Frame, Job, Kind, Stamp
from agent.targets.playment.body import body
from tests.support import KEY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Body = Mapping[str, object]

TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds by the clock, and of processor time of the whole process."""

    seconds: float
    cpu_seconds: float


def bodies(paths: Sequence[str]) -> list[Body]:
    """Return what the agent posts for single images at these paths, but for the digits of the digests."""
    return [_body(path, Kind.IMAGE, (path,)) for path in paths]


def sequence_bodies(folders: int, frames: int) -> list[Body]:
    """Return what the agent posts for sequences of so many frames."""
    return [
        _body(name, Kind.SEQUENCE, [f"{name}/frame_{frame:05d}.jpg" for frame in range(1, frames + 1)])
        for name in (f"cam_{number:04d}" for number in range(1, folders + 1))
    ]


def _body(path: str, kind: Kind, files: Sequence[str]) -> Body:
    stamp = Stamp(0, 0, 0, 0)
    frames = tuple(
        Frame(position, file.rpartition("/")[2], file, stamp, "", f"http://127.0.0.1:9/{file}")
        for position, file in enumerate(files)
    )
    return body(Job(0, f"{path}~0123456789ab", path, kind, Edition.V0, "boxes", None, 5, frames, 1))


def pool(url: str, sent: Sequence[Body], workers: int) -> Spent:
    """Post every body, each thread by a session of its own that asks nothing of the environment."""
    left = deque(sent)

    def work() -> None:
        with requests.Session() as session:
            session.trust_env = False
            session.headers["x-api-key"] = KEY
            while left:
                try:
                    each = left.popleft()
                except IndexError:
                    return
                answer = session.post(url, json=each, timeout=TIMEOUT)
                answer.raise_for_status()
                answer.json()["data"]["job_id"]

    before, cpu_before = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(workers) as threads:
        for done in [threads.submit(work) for _ in range(workers)]:
            done.result()
    return Spent(time.monotonic() - before, time.process_time() - cpu_before)


def example(url: str, sent: Sequence[Body]) -> Spent:
    """Do as the vendor's example does: one `requests.post` after the other."""
    before, cpu_before = time.monotonic(), time.process_time()
    for each in sent:
        answer = requests.post(url, headers={"x-api-key": KEY}, json=each, timeout=TIMEOUT)
        answer.raise_for_status()
        answer.json()["data"]["job_id"]
    return Spent(time.monotonic() - before, time.process_time() - cpu_before)


def starts(url: str, sent: Sequence[Body]) -> dict[str, float]:
    """Post one body after the other by one session; return the monotonic time just before each, by its path."""
    started = {}
    with requests.Session() as session:
        session.trust_env = False
        session.headers["x-api-key"] = KEY
        for each in sent:
            started[str(each["reference_id"]).rpartition("~")[0]] = time.monotonic()
            session.post(url, json=each, timeout=TIMEOUT).raise_for_status()
    return started


def read_all(folder: str) -> Spent:
    """Read every file below a folder once and hash it, in one thread."""
    return _read([os.path.join(place, name) for place, _, names in os.walk(folder) for name in names])


def read_shared(folder: str) -> float:
    """Do so by two processes that have half of the files each, and return the seconds; their start is not counted."""
    files = sorted(os.path.join(place, name) for place, _, names in os.walk(folder) for name in names)
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        for started in [processes.submit(time.sleep, 0.5) for _ in range(2)]:
            started.result()
        before = time.monotonic()
        for done in [processes.submit(_read, files[first::2]) for first in range(2)]:
            done.result()
        return time.monotonic() - before


def _read(files: Sequence[str]) -> Spent:
    before, cpu_before = time.monotonic(), time.process_time()
    for path in files:
        with open(path, "rb") as file:
            hashlib.sha256(file.read()).hexdigest()
    return Spent(time.monotonic() - before, time.process_time() - cpu_before)
