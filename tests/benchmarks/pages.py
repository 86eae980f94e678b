"""What the page costs with 1,000,000 jobs, while another process moves jobs through all states.

- views: each of the page's views is asked again and again over HTTP, as a browser asks for a whole page: the time until
  all of it is there. Of the jobs one in thirty is in trouble, by five reasons, in 2,000 folders.
- looked at: a browser asks each second for what has changed; the server's processor time (user and system) as a share
  of one core, while nothing happens and while jobs are moved, and its VmRSS at the end.
"""

from __future__ import annotations

import contextlib
import re
import time
from statistics import median
from typing import TYPE_CHECKING

import requests

from agent.host.clock import utc_now
from agent.ledger.store import Ledger, iso
from tests.benchmarks.ledgers import PART, write
from tests.benchmarks.measure import Bench, Figure, Row
from tests.benchmarks.running import cpu_seconds, memory_mib
from tests.page_served import serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.page_served import Served

MOST_MS = 100
LOOKS = 20
TOP_FOLDERS = 2_000
VIEWS = {
    "how it stands": "/",
    "what waits for a person": "/waiting",
    "… by reason": "/waiting?state=held&code=gaps",
    "… by reason and day": "/waiting?state=invalid&code=-&day=2023-11-15",
    "… by folder, and a reason that none has": "/waiting?folder=top_0007&code=none",
    "folders": "/folders",
    "… in trouble, from the middle": "/folders?trouble=1&after=[%22top_1000%22]",
    "jobs": "/jobs",
    "… of a state, from the middle": "/jobs?state=submitted&after=[%222023-11-15T12:00:00.000Z%22,1]",
    "… of a folder": "/jobs?folder=top_0007",
    "… by a text that none has": "/jobs?q=nothing-of-the-kind",
    "… of a folder and a state, by a text that none has": "/jobs?folder=top_0007&state=held&q=nothing-of-the-kind",
    "one job": "/jobs/500",
}
ROWS = """
    insert into jobs (id, reference_id, path, kind, state, reason, error_code, frame_count, bytes, digest, edition, tag,
        job_id, attempts, first_seen_at, settled_at, submitted_at, completed_at, updated_at, next_attempt_at)
    with recursive n (i) as (select ?1 union all select i + 1 from n where i < ?2),
    row as (
        select i, printf('top_%04d/frame_%09d.jpg', i * 7919 % ?3, i) as path,
            strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000 + i / 10.0, 'unixepoch') as at,
            case when i % 30 = 1 then json_array('held', 'held', 'invalid', 'failed', 'duplicate') ->> (i / 30 % 5)
                when i % 30 = 2 then 'pending' when i % 3 = 0 then 'completed' else 'submitted' end as state
        from n
    )
    select i, path || '~0123456789ab', path, 'image', state, 'a reason of some length, as they are', case state
        when 'held' then json_array('gaps', 'changed') ->> (i / 30 % 2) when 'failed' then 'FS_0007' else '' end,
        1, 20000, printf('%064x', i), 'v0', 'boxes',
        iif(state in ('submitted', 'completed'), printf('%036d', i), null), 1, at, at,
        iif(state in ('submitted', 'completed'), at, null), iif(state = 'completed', at, null), at,
        iif(state = 'pending', '9999', null)
    from row
"""
FRAMES = """
    insert into frame_rows (job, position, size, mtime_ns, src, ctime_ns, inode)
    select id, 0, 20000, 17 * id, 'https://example.org/' || path, 17 * id, id from jobs where id between ?1 and ?2
"""
EVENTS = """
    insert into event_log (at, job, event, detail) select 1700000000000 + id * 100, id, 'submitted', ''
    from jobs where id between ?1 and ?2 and state in ('submitted', 'completed')
"""


def page(bench: Bench) -> list[Row]:
    """Judge each view's time, and what a look costs."""
    count = bench.size(1_000_000, 1000)
    with bench.place() as place:
        _fill(place / "ledger.db", count)
        with serving(place, WATCH_DIR=str(place)) as served:
            resting = _looked_at(served, bench)
            writing = bench.executor.submit(write, served.ledger, bench.size(60, 2))
            rows = [Row("page", f"{name}, {count:,} jobs", _view(served, path, bench)) for name, path in VIEWS.items()]
            busy = _looked_at(served, bench)
            figures = (
                Figure("at rest", resting, "% of one core", 1.0),
                Figure("busy", busy, "% of one core"),
                Figure("resident", memory_mib(served.process.pid, "VmRSS"), "MiB", 100),
            )
            written = writing.result()
    told = f"looked at, beside nothing and beside {written:,.0f} jobs/s"
    return [*rows, Row("page", told, figures)]


def _fill(path: Path, count: int) -> None:
    with contextlib.closing(Ledger(path, utc_now)) as ledger:
        for first in range(1, count + 1, PART):
            span = (first, min(first + PART - 1, count))
            with ledger.transaction():
                ledger.sql.execute(ROWS, (*span, min(TOP_FOLDERS, count)))
                ledger.sql.execute(FRAMES, span)
                ledger.sql.execute(EVENTS, span)
        with ledger.transaction():
            ledger.record(None, "started")
            ledger.put(started_at=iso(ledger.now), heartbeat_at=iso(ledger.now))


def _view(served: Served, path: str, bench: Bench) -> tuple[Figure, ...]:
    seconds = []
    with requests.Session() as browser:
        for _ in range(bench.size(LOOKS, 2) + 1):
            started = time.monotonic()
            answer = browser.get(served.url + path, timeout=60)
            seconds.append(time.monotonic() - started)
            assert answer.status_code == 200, path
    times = [1000 * each for each in seconds[1:]]  # the first one reads the pages that others have in memory
    return Figure("median", median(times), "ms", MOST_MS), Figure("slowest", max(times), "ms")


def _looked_at(served: Served, bench: Bench) -> float:
    """Return the share of a core, in percent, that a browser costs which asks as the page's script does."""
    seconds, seen = bench.size(15, 1), ""
    with requests.Session() as browser:
        browser.get(served.url, timeout=60)
        started, before = time.monotonic(), cpu_seconds(served.process.pid)
        for number in range(1, seconds + 1):
            answer = browser.get(served.url, headers={"HX-Request": "true", "X-Seen": seen}, timeout=60)
            if found := re.search(r'"X-Seen": "(\w+)"', answer.text):
                seen = found[1]
            time.sleep(max(0.0, started + number - time.monotonic()))
        return 100 * (cpu_seconds(served.process.pid) - before) / (time.monotonic() - started)
