"""watchdog on a real folder: what it tells of, and that its death is seen."""

from __future__ import annotations

import shutil
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest

from agent.watcher import Lost, Noticed, Watcher
from tests.support import eventually, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _is_dead(watcher: Watcher) -> bool:
    return not watcher.is_alive()


@contextmanager
def watching(root: Path) -> Iterator[tuple[Watcher, list[Noticed | Lost]]]:
    noticed: list[Noticed | Lost] = []
    watcher = Watcher(root, noticed.append)
    assert watcher.start() is None
    try:
        yield watcher, noticed
    finally:
        watcher.stop()


def test_paths_are_told_relative_to_the_folder(tmp_path: Path) -> None:
    outside, inbox = tmp_path / "outside", tmp_path / "inbox"
    write(outside / "tree" / "deep" / "c.jpg", b"c")
    inbox.mkdir()
    with watching(inbox) as (_, noticed):
        write(inbox / "a.jpg", b"a")
        (inbox / "a.jpg").rename(inbox / "b.jpg")
        (outside / "tree").rename(inbox / "tree")
        (inbox / "b.jpg").unlink()
        wanted = {
            Noticed("a.jpg", is_folder=False),
            Noticed("b.jpg", is_folder=False),
            Noticed("tree", is_folder=True),
            Noticed("tree/deep", is_folder=True),
            Noticed("tree/deep/c.jpg", is_folder=False),
        }
        eventually(lambda: wanted <= set(noticed))


def test_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    name = b"caf\xe9.jpg"
    with watching(tmp_path) as (_, noticed):
        with open(bytes(tmp_path) + b"/" + name, "wb"):
            pass
        eventually(lambda: Noticed("caf\udce9.jpg", is_folder=False) in noticed)


def test_our_own_reading_is_no_event(tmp_path: Path) -> None:
    write(tmp_path / "read.jpg", b"a")
    with watching(tmp_path) as (_, noticed):
        (tmp_path / "read.jpg").read_bytes()
        list(tmp_path.iterdir())
        write(tmp_path / "last.jpg", b"b")
        eventually(lambda: Noticed("last.jpg", is_folder=False) in noticed)
        assert Noticed("read.jpg", is_folder=False) not in noticed


def test_the_folder_deleted_is_a_dead_watcher(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    with watching(inbox) as (watcher, _):
        assert watcher.is_alive()
        shutil.rmtree(inbox)
        eventually(lambda: not watcher.is_alive())


def test_any_thread_of_watchdogs_that_ends_is_a_dead_watcher(tmp_path: Path) -> None:
    """Found here: with its reading thread dead, observer and emitter live on, deaf."""
    threads = len(threading.enumerate())
    with watching(tmp_path) as (watcher, _):
        count = len(threading.enumerate()) - threads
    assert count >= 3
    for number in range(count):
        before = set(threading.enumerate())
        with watching(tmp_path) as (watcher, _):
            mine = [thread for thread in threading.enumerate() if thread not in before]
            mine[number].stop()  # type: ignore[attr-defined]  # watchdog's BaseThread
            eventually(partial(_is_dead, watcher))


def test_a_folder_that_cannot_be_watched_is_told_in_words(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path / "missing", lambda _: pytest.fail("nothing is there"))
    assert watcher.start() == "events cannot be had: No such file or directory"
    assert not watcher.is_alive()
    watcher.stop()
