"""Uploading 2,000 files of 200 KB to an S3 server on this machine, through the agent's publisher and by obstore alone.

- ours: the agent's `ObjectStore` with its eight publish workers, each file opened without following links, compared
  with its stamp and its digest, and created only where its key is not there; from the first to the last upload.
- the reference: `obstore.put` of the file's bytes by a pool of eight threads.

Both run in a process of their own beside a SeaweedFS, each time into an empty bucket, after one small object for which
the server makes its files.
"""

from __future__ import annotations

import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import obstore
from obstore.store import S3Store

from agent.demo.store import ACCESS_KEY, BUCKET, PACKAGE, SECRET_KEY, Store, program
from agent.host.workers import Workers
from tests.benchmarks import trees
from tests.benchmarks.measure import TIMES, Bench, Figure, Missing, Row, take_turns
from tests.integration.s3 import frame, publisher

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.model import Frame
    from agent.publishing.object_store import ObjectStore

WORKERS = 8
PIXELS = (640, 482)
"""Of a JPEG of noise of 200 KB."""


def publishing(bench: Bench) -> list[Row]:
    """Judge the rate."""
    if program() is None:
        raise Missing(f"pip install {PACKAGE}")
    count = bench.size(2000, 20)
    tree = trees.images(bench, count, PIXELS)
    with bench.place() as place, Store(place / "store") as store:

        def run(upload: Callable[[str, str], float]) -> float:
            store.drop_bucket()
            store.make_bucket()
            return bench.apart(upload, store.url, str(tree))

        ours, theirs = take_turns(bench.repeat, partial(run, publish), partial(run, upload_alone))
    rate, their_rate = (count / median(each) for each in (ours, theirs))
    figures = (Figure("ratio", rate / their_rate, TIMES, at_least=0.85), Figure("", rate, "files/s"))
    return [
        Row("publishing", f"{count:,} files of 200 KB, {WORKERS} workers", figures, f"obstore: {their_rate:,.0f}/s")
    ]


def publish(url: str, tree: str) -> float:
    """Publish every file of a folder as the agent does; return the seconds."""
    root = Path(tree)
    store = publisher(url, root, "ours/")
    frames = [frame(store, root, path.name) for path in sorted(root.iterdir())]
    left = threading.Semaphore(0)
    workers = Workers("publish", WORKERS)
    store.check_access()
    started = time.monotonic()
    for each in frames:
        workers.submit(partial(_publish, store, each, left))
    for _ in frames:
        assert left.acquire(timeout=60)
    seconds = time.monotonic() - started
    assert workers.close(10)
    return seconds


def _publish(store: ObjectStore, each: Frame, done: threading.Semaphore) -> None:
    store.publish(each, expected=False)
    done.release()


def upload_alone(url: str, tree: str) -> float:
    """Upload every file of a folder by obstore alone; return the seconds."""
    paths = sorted(Path(tree).iterdir())
    store = S3Store(
        BUCKET,
        config={"access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY, "endpoint": url, "region": "us-east-1"},
        client_options={"allow_http": True},
    )

    def put(path: Path) -> None:
        obstore.put(store, f"alone/{hashlib.sha256(path.name.encode()).hexdigest()}/{path.name}", path.read_bytes())

    obstore.put(store, "alone/first", b"x")
    started = time.monotonic()
    with ThreadPoolExecutor(WORKERS) as threads:
        for done in [threads.submit(put, path) for path in paths]:
            done.result()
    return time.monotonic() - started
