"""From the last byte of an image to its request at the server.

JPEGs of 20 KB are written into the watch folder, one every 0.3 to 0.4 s. The time is from right after `close` until the
request for the image is there in full at the server (both by the monotonic clock, which all processes share), less
SETTLE_SECONDS, less what a bare request takes: the median, in the same run, from just before `Session.post` until it is
there. Once in an empty folder, and once in one that holds 100,000 files that the ledger knows.
"""

from __future__ import annotations

import math
import random
import time
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks import bare, trees
from tests.benchmarks.measure import Bench, Figure, Row
from tests.benchmarks.running import Running
from tests.benchmarks.server import Server

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SETTLE = 0.2
SPACING = 0.3
JITTER = 0.1
"""At most so many seconds are added to each spacing, so that drops meet the agent's turns anywhere."""
DROPS = 20
"""For each run that is asked for: 100 with the usual five."""


def latency(bench: Bench) -> list[Row]:
    """Judge the median and the 99th percentile."""
    rows = []
    for there in (bench.size(0, 30),) if bench.small else (0, 100_000):
        drops = bench.size(DROPS * bench.repeat, 3)
        with bench.place() as place, Server(0) as server:
            (place / "inbox").mkdir()
            for number in range(there):
                trees.put(str(place / "inbox" / f"known_{number:06d}.jpg"), b"x")
            trees.know(place, place / "inbox", PLAYMENT_BASE_URL=server.url)
            request = _bare_request(bench, server, drops)
            delays = _delays(place, server, drops)
        beyond = sorted(1000 * (delay - SETTLE - request) for delay in delays)
        figures = (
            Figure("p50", median(beyond), "ms", 30),
            Figure("p99", beyond[math.ceil(0.99 * len(beyond)) - 1], "ms", 150),
        )
        case = f"{drops} images, {there:,} files there"
        rows.append(Row("latency", case, figures, f"settle {SETTLE:g} s, bare request {1000 * request:.2g} ms"))
    return rows


def _bare_request(bench: Bench, server: Server, count: int) -> float:
    bodies = bare.bodies([f"drop_{number:04d}.jpg" for number in range(count)])
    started = bench.apart(bare.starts, server.jobs_url, bodies)
    came = _came(server)
    return median(came[path] - at for path, at in started.items())


def _delays(place: Path, server: Server, drops: int) -> list[float]:
    """Drop images, and return the seconds from each one's last byte to its request."""
    rng = random.Random(1)
    closed: dict[str, float] = {}
    with Running(place, server.url, SETTLE_SECONDS=str(SETTLE)) as agent:
        agent.until(agent.has_scanned)
        for number in range(drops):
            time.sleep(SPACING + rng.random() * JITTER)
            name = f"drop_{number:04d}.jpg"
            trees.put(str(place / "inbox" / name), trees.jpeg(number, trees.LARGE))
            closed[name] = time.monotonic()
        agent.until(lambda: agent.jobs("submitted") == drops)
    came = _came(server)
    return [came[name] - at for name, at in closed.items()]


def _came(server: Server) -> Mapping[str, float]:
    """Return when the request for each path came."""
    return {reference_id.rpartition("~")[0]: at for reference_id, (at,) in server.requests().items()}
