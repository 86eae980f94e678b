"""Sending many single images, against programs that only post, on the same server.

Each run is the real agent on a new ledger and 2,000 JPEGs of 20 KB. Ours is timed by the ledger, from the first
`settled_at` to the last `submitted_at`: all reading, checking, deciding, intents and events lie between. The
reference posts the same bodies from a process of its own, timed from its first thread's start to the last answer.

- `jobs`: at 50 ms, by 8, 16 and 64 workers; the reference is a pool of as many `requests` sessions. With `--against`
  another clone takes turns with both.
- `jobs0`: at 0 ms, by 8; beside the rate, the processor time a job: ours from when every image has its `settling` row
  to the last `submitted_at`, the pool's while it posts.
- `example`: 500 images at 50 ms by 16 workers, against one `requests.post` after the other.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from tests.benchmarks import bare, trees
from tests.benchmarks.bare import Spent
from tests.benchmarks.installed import Installed, installed
from tests.benchmarks.measure import TIMES, Bench, Figure, Row, median_of, take_turns
from tests.benchmarks.running import Running
from tests.benchmarks.server import Server

if TYPE_CHECKING:
    from pathlib import Path

LATENCY = 0.05


def jobs(bench: Bench) -> list[Row]:
    """Judge the rate at a latency of 50 ms."""
    count = bench.size(2000, 40)
    least = {8: 0.95} if bench.small else {8: 0.95, 16: 0.95, 64: 0.93}
    rows = []
    for workers, ratio in least.items():
        ours, pool, other = _against_pool(bench, count, LATENCY, workers, bench.against)
        figures = _rate(count, ours, pool, ratio)
        case = f"{count:,} images, {workers} workers, 50 ms"
        reference = f"bare pool: {count / _seconds(pool):,.0f} jobs/s"
        if bench.against:
            reference += f", {bench.against.name}: {count / _seconds(other):,.0f} jobs/s"
        rows.append(Row("jobs", case, figures, reference))
    return rows


def jobs0(bench: Bench) -> list[Row]:
    """Judge the rate, and the processor time, at no latency."""
    count, workers = bench.size(2000, 40), 8
    ours, pool, _ = _against_pool(bench, count, 0, workers)
    cpu = median_of(ours, _cpu) / median_of(pool, _cpu)
    milliseconds = 1000 * median_of(ours, _cpu) / count
    figures = (*_rate(count, ours, pool, 0.65), Figure("CPU", cpu, TIMES, 2.0), Figure("CPU", milliseconds, "ms a job"))
    reference = (
        f"bare pool: {count / _seconds(pool):,.0f} jobs/s, {1000 * median_of(pool, _cpu) / count:.2g} ms of CPU a job"
    )
    return [Row("jobs0", f"{count:,} images, {workers} workers, 0 ms", figures, reference)]


def example(bench: Bench) -> list[Row]:
    """Judge how much faster it is than the vendor's example."""
    count, workers = bench.size(500, 5), 16
    tree = trees.images(bench, count)
    with Server(LATENCY) as server:
        ours, theirs = take_turns(
            bench.repeat,
            partial(send, bench, tree, count, server, workers),
            partial(bench.apart, bare.example, server.jobs_url, _bodies(count)),
        )
    figures = (
        Figure("ratio", _seconds(theirs) / _seconds(ours), TIMES, at_least=15),
        Figure("", _seconds(ours), "s"),
    )
    return [
        Row("example", f"{count:,} images, {workers} workers, 50 ms", figures, f"example: {_seconds(theirs):.3g} s")
    ]


def _against_pool(
    bench: Bench, count: int, latency: float, workers: int, clone: Path | None = None
) -> tuple[list[Spent], list[Spent], list[Spent]]:
    """Return what ours, the pool and another clone, where one is given, have spent by turns."""
    tree = trees.images(bench, count)
    other = installed(bench, clone) if clone else None
    others: list[Spent] = []
    with Server(latency) as server:

        def pool() -> Spent:
            if other is not None:
                others.append(send(bench, tree, count, server, workers, other))
            return bench.apart(bare.pool, server.jobs_url, _bodies(count), workers)

        ours, pools = take_turns(bench.repeat, partial(send, bench, tree, count, server, workers), pool)
    return ours, pools, others


def send(bench: Bench, tree: Path, count: int, server: Server, workers: int, side: Installed | None = None) -> Spent:
    """Have the agent send all images of a tree; each must arrive once."""
    server.requests()
    settle = bench.size("1", "0.3")  # all are seen before the first one settles
    options = {"WATCH_DIR": str(tree), "SETTLE_SECONDS": settle, "SUBMIT_WORKERS": str(workers)}
    python = sys.executable
    if side is not None:
        python, options = side.python, options | side.environ
    with bench.place() as place, Running(place, server.url, python=python, **options) as agent:
        agent.until(lambda: agent.jobs("settling") == count)
        before = agent.cpu_seconds()
        agent.until(lambda: agent.jobs("submitted") == count)
        spent = Spent(agent.seconds_of_sending(), agent.cpu_seconds() - before)
    came = server.requests()
    assert len(came) == count
    assert all(len(times) == 1 for times in came.values())
    return spent


def _bodies(count: int) -> list[bare.Body]:
    return bare.bodies([f"img_{number:05d}.jpg" for number in range(1, count + 1)])


def _rate(count: int, ours: list[Spent], pool: list[Spent], least: float) -> tuple[Figure, ...]:
    return (
        Figure("ratio", _seconds(pool) / _seconds(ours), TIMES, at_least=least),
        Figure("", count / _seconds(ours), "jobs/s"),
    )


def _seconds(spent: list[Spent]) -> float:
    return median_of(spent, lambda each: each.seconds)


def _cpu(spent: Spent) -> float:
    return spent.cpu_seconds
