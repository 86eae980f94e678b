"""Hosts that share the work of one folder: 1, 2 and 4 agents, each of which reads and uploads at a pace of its own.

The agents are whole ones, in threads, with ledgers of their own; that they see one folder is said for them, and reading
and uploading a file takes each of them a fixed time, as a link does that is no other host's. Each unit must be read,
uploaded and sent once.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, Any

from agent.host import mounts
from agent.publishing.base_url import BaseUrl
from agent.reading.reader import Reader
from tests.benchmarks.measure import TIMES, Bench, Figure, Missing, Row
from tests.postgres import HOSTS, Postgres, programs
from tests.support import Agent, Playment, image, query, settings, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from agent.model import Frame, Image, Stamp, Unit

READING = UPLOADING = 0.04
"""Seconds for a file: a megabyte at 25 MB/s."""
PLACE = "nfs nas:/export /inbox"
BOUNDS = {1: None, 2: 1.8, 4: 3.4}


def sharing(bench: Bench) -> list[Row]:
    """Judge by how many times more than one agent two and four get through one folder."""
    if programs() is None:
        raise Missing("apt-get install postgresql")
    count = bench.size(400, 24)
    rows: list[Row] = []
    alone = 0.0
    with Postgres() as postgres, _throttled() as done:
        for hosts in bench.size((1, 2, 4), (1, 2)):
            rate = median(_rate(bench, postgres, done, hosts, count) for _ in range(bench.repeat))
            alone = alone or rate
            figures = (Figure("ratio", rate / alone, TIMES, at_least=BOUNDS[hosts]), Figure("", rate, "images/s"))
            rows.append(Row("sharing", f"{count:,} images, {hosts} hosts", figures, f"one host: {alone:.3g} images/s"))
    return rows


@contextlib.contextmanager
def _throttled() -> Iterator[Counter[str]]:
    """Have files be read and uploaded at a pace, and give how often each was."""
    done: Counter[str] = Counter()
    whole = Reader.image

    def read(reader: Reader, path: str, stamp: Stamp, examined: Image | None = None) -> Unit:
        done[f"read {path}"] += 1
        time.sleep(READING)
        return whole(reader, path, stamp, examined)

    def publish(_place: BaseUrl, frame: Frame, *, expected: bool) -> int:
        done[f"upload {frame.path}"] += 1
        time.sleep(UPLOADING)
        return frame.stamp.size

    with contextlib.ExitStack() as undo:
        _set(undo, Reader, image=read)
        _set(undo, BaseUrl, uploads=True, publish=publish)
        _set(undo, mounts, shared_place=lambda _path: PLACE)
        yield done


def _set(undo: contextlib.ExitStack, owner: Any, **values: Any) -> None:
    for name, value in values.items():
        undo.callback(setattr, owner, name, getattr(owner, name))
        setattr(owner, name, value)


def _rate(bench: Bench, postgres: Postgres, done: Counter[str], hosts: int, count: int) -> float:
    """Return the images a second that so many agents send of one folder, from the first to the last of them."""
    done.clear()
    pictures = [image(number) for number in range(count)]
    with bench.place() as root, postgres.shared() as shared, Playment() as server, contextlib.ExitStack() as stack:
        dsns = [postgres.dsn(host, shared.name) for host in HOSTS[:hosts]]
        agents = [_agent(root / host, server.url, dsn, pictures) for host, dsn in zip(HOSTS, dsns, strict=False)]
        _together([lambda agent=agent: stack.enter_context(agent) for agent in agents])  # type: ignore[misc]
        while not all(_is_done(agent.settings.ledger_path, count) for agent in agents):
            time.sleep(0.1)
        came = sorted(receipt.at for receipt in server.receipts)
    assert len(came) == count
    assert len(done) == 2 * count
    assert set(done.values()) == {1}
    return (count - 1) / (came[-1] - came[0])


def _agent(place: Path, url: str, dsn: str, pictures: list[bytes]) -> Agent:
    for number, picture in enumerate(pictures):
        write(place / "inbox" / f"{number:05}.jpg", picture)
        _same_time(place / "inbox" / f"{number:05}.jpg")
    return Agent(settings(place, url, FLEET_DSN=dsn, FLEET_HOST=place.name, PUBLISH_WORKERS="1", SETTLE_SECONDS="2"))


def _same_time(path: Path) -> None:
    os.utime(path, (1_000_000_000, 1_000_000_000))


def _together(starts: list[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=start) for start in starts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _is_done(ledger: Path, count: int) -> bool:
    return bool(query(ledger, "select count(*) as n from jobs where state = 'submitted'")[0]["n"] == count)
