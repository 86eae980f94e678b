"""Many hosts that ask one PostgreSQL, with its defaults and on a disk to be sure of.

- the table: 1,000,000 claims, granted and mirrored; what they take, and a grant of 24 ids beside them.
- hosts: 1, 10 and 100 threads with the real client. Each beats every 10 s, then asks for 24 ids and mirrors them. Once
  with room for a connection each, once with PostgreSQL's default of 100. The first figure has only beats.
- jobs: 1, 2 and 4 processes of 8 threads that post at 50 ms what they were granted, and mirror it. The reference are
  the same processes that ask nobody.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Self

import requests

from agent.core.grants import Asked, Say
from agent.errors import FleetUnavailable
from agent.fleet.client import Fleet
from agent.fleet.records import Beat, Mirrored
from tests.benchmarks import bare
from tests.benchmarks.measure import TIMES, Bench, Figure, Missing, Row, take_turns
from tests.benchmarks.server import Server
from tests.postgres import HOSTS, Postgres, programs
from tests.support import KEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.postgres import Shared

BEAT = Beat("1", {"pending": 3, "submitted": 1000, "completed": 500})
BEAT_SECONDS = 10.0
TOGETHER = 24
LATENCY = 0.05
THREADS = 8
ROOM_FOR_ALL = "max_connections=120"
TICKS = 100.0


def fleet(bench: Bench) -> list[Row]:
    """Judge what many hosts cost the database, and what it costs them."""
    if programs() is None:
        raise Missing("apt-get install postgresql")
    return [*_table(bench), *_hosts(bench), *_jobs(bench)]


def _table(bench: Bench) -> list[Row]:
    count = bench.size(1_000_000, 1000)
    with Postgres() as postgres, postgres.shared() as shared:
        host = shared.joined("cam_a")
        for start in range(0, count, 500):
            ids = _ids("cam_a", start, 500)
            host.ask([Asked(each, 1) for each in ids])
            host.mirror([Mirrored(each, 1, f"0d3fa111-7a1c-4c8e-9b57-{start:012x}") for each in ids])
        took = []
        for turn in range(bench.size(300, 5)):
            asked = [Asked(each, 1) for each in _ids("new", 24 * turn, TOGETHER)]
            before = time.monotonic()
            host.ask(asked)
            took.append(1000 * (time.monotonic() - before))
        (size,) = shared.sql("select pg_total_relation_size('fleet.fleet_claims') / 1e6")
        viewed = _milliseconds(shared, "select * from fleet.fleet_status, fleet.fleet_today")
    figures = (
        Figure("", float(size), "MB", 300),
        Figure("grant of 24: median", median(took), "ms", 5),
        Figure("p95", quantiles(took, n=20)[-1], "ms"),
        Figure("views", viewed, "ms"),
    )
    return [Row("fleet", f"{count:,} claims", figures)]


def _ids(host: str, start: int, count: int) -> list[str]:
    return [f"{host}/drive_{number:07d}~341a6fb5467b" for number in range(start, start + count)]


def _milliseconds(shared: Shared, query: str) -> float:
    (plan,) = shared.sql(f"explain (analyze, format json) {query}")
    return float(plan[0]["Execution Time"])


@dataclass
class Seen:
    """What a hundred hosts met with: seconds of each grant, what failed, the most connections, the server's cores."""

    grants: list[float] = field(default_factory=list)
    failed: int = 0
    connections: int = 0
    cores: float = 0.0


def _hosts(bench: Bench) -> list[Row]:
    rows = []
    for options in (("-c", ROOM_FOR_ALL), ()):
        with Postgres(*options) as postgres:
            one: Seen | None = None
            for count in bench.size((1, 10, 100), (1, 3)):
                with postgres.shared() as shared:
                    idle = _live(shared, count, bench.size(20.0, 0.2), asks=False)
                with postgres.shared() as shared:
                    busy = _live(shared, count, bench.size(20.0, 0.2), asks=True)
                one = one or busy
                figures = [
                    Figure("beats", 100 * idle.cores, "% of a core", 0.5),
                    Figure("grant: median", 1000 * median(busy.grants), "ms"),
                    Figure("p95", 1000 * quantiles(busy.grants, n=20)[-1], "ms"),
                    Figure("connections", busy.connections, ""),
                    Figure("all", 100 * busy.cores / count, "% of a core a host"),
                    Figure("failed", busy.failed, "", 0),
                ]
                room = "room for all" if options else "max_connections 100"
                rows.append(Row("fleet", f"{count} hosts, {room}", tuple(figures)))
    return rows


def _live(shared: Shared, count: int, seconds: float, *, asks: bool) -> Seen:
    """Have so many hosts live for a while, none in step with another."""
    seen, lock = Seen(), threading.Lock()
    hosts = [shared.joined(f"host_{number}", role="cam_a") for number in range(count)]
    end = time.monotonic() + seconds

    def live(number: int, host: Fleet) -> None:
        turn = 0
        pause = min(BEAT_SECONDS, seconds / 2)
        time.sleep(pause * number / count)
        while time.monotonic() < end:
            began = time.monotonic()
            try:
                host.beat(BEAT)
                if asks:
                    ids = _ids(f"host_{number}", TOGETHER * turn, TOGETHER)
                    before = time.monotonic()
                    host.ask([Asked(each, 1) for each in ids])
                    with lock:
                        seen.grants.append(time.monotonic() - before)
                    host.mirror([Mirrored(each, 1, each) for each in ids])
            except FleetUnavailable:
                with lock:
                    seen.failed += 1
            turn += 1
            time.sleep(max(0.0, pause - (time.monotonic() - began)))

    before, started = _cpu(shared.postgres.pid), time.monotonic()
    threads = [threading.Thread(target=live, args=each) for each in enumerate(hosts)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        seen.connections = max(seen.connections, len(_children(shared.postgres.pid, "cam_a")))
        time.sleep(0.05)
    seen.cores = (_cpu(shared.postgres.pid) - before) / (time.monotonic() - started)
    return seen


def _children(pid: int, words: str = "") -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed if words in _read(Path(f"/proc/{child}/cmdline"))]


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # it has ended
        return ""


def _cpu(pid: int) -> float:
    """Return the processor seconds of a server, with those of its processes that live, and that have ended."""
    found = 0
    for each, last in ((pid, 15), *((child, 13) for child in _children(pid))):
        found += sum(map(int, _read(Path(f"/proc/{each}/stat")).rpartition(")")[2].split()[11:last]))
    return found / TICKS


def _jobs(bench: Bench) -> list[Row]:
    rows = []
    for processes in bench.size((1, 2, 4), (1,)):
        count = bench.size(1200, 48) * processes
        with Postgres() as postgres, Server(LATENCY) as server, _pool(processes) as pool:
            ours, theirs = take_turns(
                bench.repeat,
                partial(_claimed, postgres, server, pool, processes, count),
                partial(_bare, server, pool, processes, count),
            )
        figures = (
            Figure("ratio", median(ours) / median(theirs), TIMES, at_least=0.9),
            Figure("", median(ours), "jobs/s"),
        )
        told = f"bare pool: {median(theirs):,.0f} jobs/s"
        rows.append(Row("fleet", f"{count:,} jobs, {processes} processes of {THREADS} threads, 50 ms", figures, told))
    return rows


def _pool(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"))


def _claimed(postgres: Postgres, server: Server, pool: ProcessPoolExecutor, processes: int, count: int) -> float:
    with postgres.shared() as shared:
        shares = [_ids(host, 0, count // processes) for host in HOSTS[:processes]]
        dsns = [postgres.dsn(host, shared.name) for host in HOSTS]
        shared.sql("update fleet.fleet_meta set since = now() - interval '1 hour'")  # nobody waits for who is to come
        rate = _rate(pool.map(_post, [server.jobs_url] * processes, shares, dsns))
        assert shared.sql("select count(*) from fleet.fleet_claims where job_id is not null") == [count]
    came = server.requests()
    assert len(came) == count
    assert all(len(times) == 1 for times in came.values())
    return rate


def _bare(server: Server, pool: ProcessPoolExecutor, processes: int, count: int) -> float:
    shares = [_ids(host, 0, count // processes) for host in HOSTS[:processes]]
    rate = _rate(pool.map(_post, [server.jobs_url] * processes, shares, [""] * processes))
    server.requests()
    return rate


def _rate(times: Iterable[list[float]]) -> float:
    """Return the jobs a second of the middle half: processes do not begin, and end, at one moment."""
    ends = sorted(end for each in times for end in each)
    quarter = len(ends) // 4
    return 2 * quarter / float(ends[3 * quarter] - ends[quarter])


class Posting:
    """Threads that post what is ready, by a session each."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._changed = threading.Condition()
        self._ended = False
        self.ready: deque[str] = deque()
        self.done: deque[tuple[str, str, float]] = deque()
        self._threads = [threading.Thread(target=self._work) for _ in range(THREADS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def add(self, ids: Sequence[str]) -> None:
        """Have these posted."""
        with self._changed:
            self.ready.extend(ids)
            self._changed.notify_all()

    def wait(self) -> None:
        """Wait until a thread has taken one, or a moment."""
        with self._changed:
            self._changed.wait(LATENCY)

    def _take(self) -> str | None:
        with self._changed:
            while not self.ready and not self._ended:
                self._changed.wait()
            self._changed.notify_all()
            return None if self._ended else self.ready.popleft()

    def _work(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            session.headers["x-api-key"] = KEY
            while (each := self._take()) is not None:
                answer = session.post(self._url, json={**bare.bodies([each])[0], "reference_id": each}, timeout=60)
                self.done.append((each, answer.json()["data"]["job_id"], time.monotonic()))


def _post(url: str, ids: Sequence[str], dsn: str) -> list[float]:
    """Post every id, where there is a fleet those that it grants; return when each was answered."""
    fleet = Fleet(dsn, "p", ids[0].partition("/")[0]) if dsn else None
    if fleet is not None:
        fleet.trust(fleet.beat(BEAT).memory.database)
    left, times = deque(ids), list[float]()
    with Posting(url) as posting:
        while len(times) < len(ids):
            while left and len(posting.ready) < 2 * THREADS:
                some = [left.popleft() for _ in range(min(TOGETHER, len(left)))]
                if fleet is not None:
                    assert {each.say for each in fleet.ask([Asked(each, 1) for each in some])} == {Say.GO}
                posting.add(some)
            answered = [posting.done.popleft() for _ in range(len(posting.done))]
            times += [at for _, _, at in answered]
            if fleet is not None:
                fleet.mirror([Mirrored(each, 1, job_id) for each, job_id, _ in answered])
            posting.wait()
    if fleet is not None:
        fleet.close()
    return times
