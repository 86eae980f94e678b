"""What the agent keeps in memory after many jobs: VmRSS after 200,000 jobs against VmRSS after 20,000, of one process.

Small JPEGs are written 1,000 to a folder while it runs (IMAGE_FOLDERS=*) and are sent to a server without latency; a
folder is begun when no more than 2,000 images wait, so that jobs are counted and not a backlog. Each figure is taken
once all that was written is `submitted` and a second has gone by with next to no processor time.
"""

from __future__ import annotations

from functools import partial

from tests.benchmarks import trees
from tests.benchmarks.measure import TIMES, Bench, Figure, Row
from tests.benchmarks.running import Running
from tests.benchmarks.server import Server

FOLDER = 1000
BACKLOG = 2000


def memory(bench: Bench) -> list[Row]:
    """Judge the growth."""
    few, many = bench.size(20_000, 50), bench.size(200_000, 100)
    with bench.place() as place, Server(0) as server:
        (place / "inbox").mkdir()
        with Running(place, server.url, IMAGE_FOLDERS="*", SETTLE_SECONDS="0.2") as agent:
            before = _after(bench, agent, 0, few)
            after = _after(bench, agent, few, many)
            highest = agent.memory_mib("VmHWM")
        assert len(server.requests()) == many
    figures = (
        Figure("ratio", after / before, TIMES, 1.1),
        Figure("", after, "MiB"),
        Figure("peak", highest, "MiB"),
    )
    return [Row("memory", f"after {many:,} jobs", figures, f"after {few:,}: {before:.3g} MiB")]


def _after(bench: Bench, agent: Running, first: int, until: int) -> float:
    """Drop the images from one number to another, and return what it holds once they are sent."""
    for start in range(first, until, FOLDER):
        agent.until(partial(_has_room, agent, start), every=0.02)
        folder = agent.inbox / f"from_{start:06d}"
        folder.mkdir()
        for number in range(start, min(start + FOLDER, until)):
            trees.put(str(folder / f"img_{number:06d}.jpg"), trees.jpeg(number, trees.SMALL))
    agent.until(lambda: agent.jobs("submitted") == until, every=0.1)
    agent.rests(bench.size(1, 0.3))
    return agent.memory_mib("VmRSS")


def _has_room(agent: Running, dropped: int) -> bool:
    return dropped - agent.jobs("submitted") <= BACKLOG
