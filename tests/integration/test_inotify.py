"""watchdog on a real folder: what it tells of, and that its death is seen."""

from __future__ import annotations

import os
import queue
import shutil
import sys
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest
from watchdog.observers.api import BaseObserver, EventEmitter

from agent.core.folder_rules import NAME
from agent.folder.changes import MANY_NAMES, Changes, EventsLost
from agent.folder.inotify import InotifyEmitter
from agent.folder.watcher import InotifyWatcher
from agent.model import join
from tests.support import eventually, run, write

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from watchdog.observers.inotify_c import InotifyEvent
    from watchdog.utils import BaseThread


def _is_dead(watcher: InotifyWatcher) -> bool:
    return not watcher.is_alive()


class Told:
    """Takes what it is told of at once."""

    def __init__(self) -> None:
        self.items: queue.SimpleQueue[Changes | EventsLost] = queue.SimpleQueue()
        self.folders: set[str] = set()
        self.files: set[str] = set()
        self.lost = 0

    def of(self, *, folders: Collection[str] = (), files: Collection[str] = ()) -> bool:
        """Tell whether it was told of all of these."""
        while not self.items.empty():
            item = self.items.get()
            if isinstance(item, EventsLost):
                self.lost += 1
                continue
            came, named = item.take()
            self.folders |= came
            self.files |= {join(folder, name) for folder, names in named.items() for name in names}
        return self.folders.issuperset(folders) and self.files.issuperset(files)


@contextmanager
def watching(root: Path) -> Iterator[tuple[InotifyWatcher, Told]]:
    told = Told()
    watcher = InotifyWatcher(root, told.items.put)
    assert watcher.start() is None
    try:
        yield watcher, told
    finally:
        watcher.stop()


def test_paths_are_told_relative_to_the_folder(tmp_path: Path) -> None:
    outside, inbox = tmp_path / "outside", tmp_path / "inbox"
    write(outside / "tree" / "deep" / "b.jpg", b"b")
    inbox.mkdir()
    with watching(inbox) as (watcher, told):
        write(inbox / "a.jpg", b"a")
        (inbox / "a.jpg").rename(inbox / "b.jpg")
        (outside / "tree").rename(inbox / "tree")
        (inbox / "b.jpg").unlink()
        eventually(lambda: told.of(folders={"tree"}, files={"a.jpg", "b.jpg"}))
        watcher.cover("tree/deep")
        write(inbox / "tree" / "deep" / "c.jpg", b"c")
        os.link(inbox / "tree" / "deep" / "c.jpg", inbox / "tree" / "deep" / "d.jpg")
        eventually(lambda: told.of(files={"tree/deep/c.jpg", "tree/deep/d.jpg"}))


def test_a_folder_that_moves_is_told_of_under_its_new_path(tmp_path: Path) -> None:
    (tmp_path / "a" / "deep").mkdir(parents=True)
    with watching(tmp_path) as (watcher, told):
        watcher.cover("a")
        watcher.cover("a/deep")
        (tmp_path / "a").rename(tmp_path / "b")
        eventually(lambda: told.of(folders={"a", "b"}))
        watcher.cover("b")
        watcher.cover("b/deep")
        (tmp_path / "b").rename(tmp_path / "a")
        (tmp_path / "a").rename(tmp_path / "b")
        eventually(lambda: told.of(folders={"a", "b"}))
        told.folders.clear()
        write(tmp_path / "last", b"")
        eventually(lambda: told.of(files={"last"}))
        watcher.cover("b")
        watcher.cover("b/deep")
        write(tmp_path / "b" / "deep" / "a.jpg", b"a")
        eventually(lambda: told.of(files={"b/deep/a.jpg"}))
        assert "a/deep/a.jpg" not in told.files


def test_a_folder_made_anew_is_covered_anew(tmp_path: Path) -> None:
    with watching(tmp_path) as (watcher, told):
        for name in ("a.jpg", "b.jpg"):
            (tmp_path / "s").mkdir()
            eventually(lambda: told.of(folders={"s"}))
            watcher.cover("s")
            write(tmp_path / "s" / name, b"")
            eventually(partial(told.of, files={f"s/{name}"}))
            told.folders.clear()
            shutil.rmtree(tmp_path / "s")
            eventually(lambda: told.of(folders={"s"}))
            told.folders.clear()


def test_a_link_in_place_of_a_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "s").symlink_to(tmp_path / "outside")
    with watching(tmp_path / "inbox") as (watcher, told):
        watcher.cover("s")
        write(tmp_path / "outside" / "secret.jpg", b"")
        write(tmp_path / "inbox" / "last.jpg", b"")
        eventually(lambda: told.of(files={"last.jpg"}))
        assert told.files == {"last.jpg"}


def test_a_burst_is_told_of_in_one_piece_and_no_file_of_settings_is_left_out(tmp_path: Path) -> None:
    with watching(tmp_path) as (_, told):
        for number in range(1000):
            write(tmp_path / f"{number}.jpg", b"")
        write(tmp_path / NAME, b"")
        (tmp_path / "last").mkdir()
        item = told.items.get(timeout=10)
        assert isinstance(item, Changes)
        eventually(lambda: "last" in item._folders)
        _, files = item.take()
        assert NAME in files[""]
        assert MANY_NAMES < len(files[""]) < 100
        assert told.items.empty()
        write(tmp_path / "later.jpg", b"")
        eventually(lambda: told.of(files={"later.jpg"}))


def test_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    name = b"caf\xe9.jpg"
    with watching(tmp_path) as (_, told):
        with open(bytes(tmp_path) + b"/" + name, "wb"):
            pass
        eventually(lambda: told.of(files={"caf\udce9.jpg"}))


def test_our_own_reading_is_no_event(tmp_path: Path) -> None:
    write(tmp_path / "read.jpg", b"a")
    with watching(tmp_path) as (_, told):
        (tmp_path / "read.jpg").read_bytes()
        list(tmp_path.iterdir())
        write(tmp_path / "last.jpg", b"b")
        eventually(lambda: told.of(files={"last.jpg"}))
        assert told.files == {"last.jpg"}


def test_the_folder_deleted_is_a_dead_watcher(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    with watching(inbox) as (watcher, _):
        assert watcher.is_alive()
        shutil.rmtree(inbox)
        eventually(lambda: not watcher.is_alive())


@pytest.mark.parametrize("kind", [EventEmitter, BaseObserver])
def test_a_thread_that_ends_is_a_dead_watcher(tmp_path: Path, kind: type[BaseThread]) -> None:
    before = set(threading.enumerate())
    with watching(tmp_path) as (watcher, _):
        (thread,) = (each for each in threading.enumerate() if each not in before and isinstance(each, kind))
        thread.stop()
        eventually(partial(_is_dead, watcher))


def test_a_folder_that_is_covered_before_its_move_is_read_stays_covered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, on_event = threading.Event(), InotifyEmitter.on_event

    def late(emitter: InotifyEmitter, event: InotifyEvent) -> None:
        assert go_on.wait(20)
        on_event(emitter, event)

    monkeypatch.setattr(InotifyEmitter, "on_event", late)
    (tmp_path / "a").mkdir()
    with watching(tmp_path) as (watcher, told):
        watcher.cover("a")
        (tmp_path / "a").rename(tmp_path / "b")
        watcher.cover("b")
        go_on.set()
        eventually(lambda: told.of(folders={"a", "b"}))
        write(tmp_path / "b" / "1.jpg", b"")
        eventually(lambda: told.of(files={"b/1.jpg"}))


def test_a_folder_that_may_not_be_read_is_covered_as_soon_as_it_may(tmp_path: Path) -> None:
    program = """
import os, queue, sys
from pathlib import Path
from agent.folder.watcher import InotifyWatcher

inbox, told = Path(sys.argv[1]), queue.SimpleQueue()
inbox.chmod(0)
print(InotifyWatcher(inbox, told.put).start())
inbox.chmod(0o700)
(inbox / "shot").mkdir(mode=0)
watcher = InotifyWatcher(inbox, told.put)
print(watcher.start())
watcher.cover("shot")
(inbox / "shot").chmod(0o700)
watcher.cover("shot")
(inbox / "shot" / "1.jpg").touch()
print(told.get(timeout=20).take())
watcher.stop()
"""
    powerless = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
    said = run([*powerless, sys.executable, "-c", program, str(tmp_path)], environ={}, cwd=tmp_path.parent)
    refused, started, told = said.stdout.splitlines()
    assert refused == "events cannot be had: Permission denied"
    assert started == "None"
    assert told == "(set(), {'shot': {'1.jpg'}})"


def test_a_folder_that_cannot_be_watched_is_told_in_words(tmp_path: Path) -> None:
    watcher = InotifyWatcher(tmp_path / "missing", lambda _: pytest.fail("nothing is there"))
    assert watcher.start() == "events cannot be had: No such file or directory"
    assert not watcher.is_alive()
    watcher.stop()


def test_who_writes_is_known_until_it_ends(tmp_path: Path) -> None:
    with watching(tmp_path) as (watcher, told):
        (tmp_path / "s").mkdir()
        eventually(lambda: told.of(folders={"s"}))
        with open(tmp_path / "s" / "a.bin", "wb", buffering=0) as file:
            eventually(lambda: watcher.writing_in("s") == {"a.bin": False})
            file.write(b"1")
            eventually(lambda: watcher.writing_in("s") == {"a.bin": True})
        eventually(lambda: watcher.writing_in("s") == {})
        with open(tmp_path / "s" / "a.bin", "ab", buffering=0) as file:  # one that was there
            file.write(b"2")
            eventually(lambda: watcher.writing_in("s") == {"a.bin": True})
            (tmp_path / "s" / "a.bin").rename(tmp_path / "s" / "b.bin")
            eventually(lambda: watcher.writing_in("s") == {})
            file.write(b"3")
            eventually(lambda: watcher.writing_in("s") == {"b.bin": True})
        eventually(lambda: watcher.writing_in("s") == {})


def test_who_began_before_its_folder_was_known_is_suspected(tmp_path: Path) -> None:
    with watching(tmp_path) as (watcher, _):
        folder = tmp_path / ".spool" / "deep"
        folder.mkdir(parents=True)
        with open(folder / "x", "wb") as file:
            eventually(lambda: watcher.writing_beside("anything") == ".spool/deep/x")
            file.write(b"1")
        eventually(lambda: not watcher.writing_beside("anything"))


def test_a_folder_that_goes_takes_its_writers_along(tmp_path: Path) -> None:
    with watching(tmp_path) as (watcher, told):
        (tmp_path / "s").mkdir()
        eventually(lambda: told.of(folders={"s"}))
        with open(tmp_path / "s" / "a", "wb"):
            eventually(lambda: watcher.writing_in("s"))
            shutil.rmtree(tmp_path / "s")
            eventually(lambda: not watcher.writing_in("s"))
