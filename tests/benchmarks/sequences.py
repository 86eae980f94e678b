"""Sending sequences, from settled to submitted, at 50 ms: 50 of 1,000 frames of 20 KB, and one of 2,000 frames of 1 MB.

- ours: from when the settle time of the first sequence is over and the agent begins to read frames, told by its count
  of bytes read (`rchar`, asked every 2 ms), until the last of the 50 is `submitted` in the ledger. No ready marker;
  all 50 were seen within one short scan, so that all become due at nearly the same time. Frames are JPEGs in the page
  cache.
- of the one only until it is to be sent, so that its POST is not in it.
- the reference, by a process of its own: every file is read and hashed (sha256) once, in one thread; then 50 bare
  requests with the same bodies over as many sessions as there are workers.
"""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks import bare, trees
from tests.benchmarks.measure import TIMES, Bench, Figure, Row, take_turns
from tests.benchmarks.running import Running
from tests.benchmarks.server import Server

if TYPE_CHECKING:
    from pathlib import Path

LATENCY = 0.05
WORKERS = 8
MEGABYTE = (1431, 1078)
"""Pixels of a JPEG of noise of 1 MB."""
BEGUN_BYTES = 8_000_000
"""400 frames, or 8 large ones: more than all that is read meanwhile, which is 4 MB of modules once a long folder is
seen, two seconds before its time."""


def sequences(bench: Bench) -> list[Row]:
    """Judge the time against that of reading, hashing and posting alone."""
    folders, frames = bench.size(50, 3), bench.size(1000, 30)
    tree = trees.folders_of_frames(bench, folders, frames, trees.LARGE)
    bodies = bare.sequence_bodies(folders, frames)
    with Server(LATENCY) as server:
        bench.apart(bare.read_all, str(tree))
        ours, theirs = take_turns(
            bench.repeat,
            partial(_agent, bench, tree, folders, frames, server),
            lambda: (
                bench.apart(bare.read_all, str(tree)).seconds,
                bench.apart(bare.pool, server.jobs_url, bodies, WORKERS).seconds,
            ),
        )
    seconds, reading, posting = median(ours), median(each[0] for each in theirs), median(each[1] for each in theirs)
    figures = (Figure("ratio", seconds / (reading + posting), TIMES, 1.3), Figure("", seconds, "s"))
    reference = f"read and hash: {reading:.3g} s, post: {posting:.3g} s"
    return [
        Row("sequences", f"{folders} sequences of {frames:,} frames, {WORKERS} workers", figures, reference),
        _large(bench),
    ]


def _large(bench: Bench) -> Row:
    """Judge the time of one sequence, until it is to be sent, against that of one core: two processes have two."""
    frames = bench.size(2000, 30)
    tree = trees.folders_of_frames(bench, 1, frames, MEGABYTE)
    with Server(LATENCY) as server:
        bench.apart(bare.read_all, str(tree))
        ours, theirs = take_turns(
            bench.repeat,
            partial(_agent, bench, tree, 1, frames, server, until_read=True),
            lambda: (bench.apart(bare.read_all, str(tree)).seconds, bench.apart(bare.read_shared, str(tree))),
        )
    seconds, one, two = median(ours), median(each[0] for each in theirs), median(each[1] for each in theirs)
    figures = (
        Figure("ratio", seconds / one, TIMES, 0.6),
        Figure("two cores", seconds / two, TIMES),
        Figure("", seconds, "s"),
    )
    reference = f"read and hash: {one:.3g} s, by two processes: {two:.3g} s"
    return Row("sequences", f"1 sequence of {frames:,} frames of 1 MB", figures, reference)


def _agent(bench: Bench, tree: Path, folders: int, frames: int, server: Server, *, until_read: bool = False) -> float:
    settle = bench.size("2", "0.5")
    options = {"WATCH_DIR": str(tree), "SEQUENCE_SETTLE_SECONDS": settle, "SUBMIT_WORKERS": str(WORKERS)}
    with bench.place() as place, Running(place, server.url, **options) as agent:
        agent.until(lambda: agent.counts().get("settling") == (folders, folders * frames))
        before = agent.bytes_read()
        most = before + bench.size(BEGUN_BYTES, 400_000)
        begun = agent.until(lambda: agent.bytes_read() > most, every=0.002)
        if until_read:
            return agent.until(lambda: not agent.jobs("settling"), every=0.01) - begun
        return agent.until(lambda: agent.jobs("submitted") == folders, every=0.01) - begun
