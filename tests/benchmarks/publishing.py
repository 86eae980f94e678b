"""Uploading 2,000 files of 200 KB to an S3 server on this machine, through the agent's publisher and by obstore alone.

- ours: the agent's `ObjectStore` with its eight publish workers, each file opened without following links, compared
  with its stamp and its digest, and created only where its key is not there; from the first to the last upload.
- the reference: `obstore.put` by a pool of eight threads, of the file's bytes as they are read, with the same request:
  its SHA-256 beside it, and created only.
- beside it `put`: the same without either. What that saves is the server's: of its 4.0 s of processor time to check the
  SHA-256 takes 0.3, to see that no such key is there 0.2; the client takes 0.7 s, and ours 0.2 more, which is sha256.
- beside them: `rclone copy --transfers 8`, from its start to its end.

Each runs in a process of its own beside a SeaweedFS, each time into an empty bucket, after one small object for which
the server makes its files. They take turns.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

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
    references = [upload_alone, put] + ([copy_by_rclone] if shutil.which("rclone") else [])
    count = bench.size(2000, 20)
    tree = trees.images(bench, count, PIXELS)
    with bench.place() as place, Store(place / "store") as store:

        def run(upload: Callable[[str, str], float]) -> float:
            store.drop_bucket()
            store.make_bucket()
            return bench.apart(upload, store.url, str(tree))

        ours, others = take_turns(bench.repeat, partial(run, publish), lambda: [run(each) for each in references])
    rate, alone, bare, *rclone = (count / median(each) for each in (ours, *zip(*others, strict=True)))
    figures = [
        Figure("ratio", rate / alone, TIMES, at_least=0.93),
        Figure("put", rate / bare, TIMES),
        *(Figure("rclone", rate / each, TIMES, at_least=1.4) for each in rclone),
        Figure("", rate, "files/s"),
    ]
    theirs = f"rclone: {rclone[0]:,.0f}/s" if rclone else "rclone missing: apt-get install rclone"
    reference = f"obstore: {alone:,.0f}/s, {theirs}"
    return [Row("publishing", f"{count:,} files of 200 KB, {WORKERS} workers", (*figures,), reference)]


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
    """Upload every file of a folder by obstore alone, with the agent's requests; return the seconds."""
    return _put_all(_begun(url, checksum_algorithm="SHA256", conditional_put="etag"), tree, "create")


def put(url: str, tree: str) -> float:
    """Do so without a checksum, whatever is there; return the seconds."""
    return _put_all(_begun(url), tree, "overwrite")


def _put_all(store: S3Store, tree: str, mode: Literal["create", "overwrite"]) -> float:
    paths = sorted(Path(tree).iterdir())

    def put(path: Path) -> None:
        key = f"alone/{hashlib.sha256(path.name.encode()).hexdigest()}/{path.name}"
        obstore.put(store, key, path.read_bytes(), mode=mode, use_multipart=False)

    started = time.monotonic()
    with ThreadPoolExecutor(WORKERS) as threads:
        for done in [threads.submit(put, path) for path in paths]:
            done.result()
    return time.monotonic() - started


def copy_by_rclone(url: str, tree: str) -> float:
    """Copy a folder as rclone does; return the seconds."""
    _begun(url)
    remote = {"TYPE": "s3", "PROVIDER": "Other", "ENDPOINT": url, "REGION": "us-east-1"}
    remote |= {"ACCESS_KEY_ID": ACCESS_KEY, "SECRET_ACCESS_KEY": SECRET_KEY}
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "RCLONE_"))}
    environ |= {f"RCLONE_CONFIG_STORE_{key}": value for key, value in remote.items()}
    command = ["rclone", "--config", os.devnull, "copy", "--transfers", f"{WORKERS}", tree, f"store:{BUCKET}/rclone"]
    started = time.monotonic()
    subprocess.run(command, env=environ, check=True, capture_output=True)
    return time.monotonic() - started


def _begun(url: str, **asked: str) -> S3Store:
    """Return the store with one small object in it."""
    config: dict[str, Any] = {
        "access_key_id": ACCESS_KEY,
        "secret_access_key": SECRET_KEY,
        "endpoint": url,
        "region": "us-east-1",
        **asked,
    }
    store = S3Store(BUCKET, config=config, client_options={"allow_http": True})  # type: ignore[arg-type]  # as the agent's
    obstore.put(store, "alone/first", b"x")
    return store
