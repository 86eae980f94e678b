"""Our observer, used as watchdog documents its own: by handlers that know no more than watchdog's events."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest
from watchdog.events import DirDeletedEvent, DirModifiedEvent, FileSystemEvent, FileSystemEventHandler

from agent.folder.changes import MANY_NAMES
from agent.folder.inotify import ChangesEvent, EventsLostEvent, InotifyEmitter, InotifyObserver
from agent.host.inotify_limits import inotify_limits, inotify_watches
from agent.model import join
from tests.support import eventually, write

if TYPE_CHECKING:
    from pathlib import Path


class Seen(FileSystemEventHandler):
    """Keeps all events."""

    def __init__(self) -> None:
        self.events: list[FileSystemEvent] = []

    def on_any_event(self, event: FileSystemEvent) -> None:
        self.events.append(event)

    def paths(self) -> set[str]:
        """Return what was told of, folders and files, relative to the watched folder."""
        taken = [event.changes.take() for event in self.events if isinstance(event, ChangesEvent)]
        named = {join(folder, name) for _, files in taken for folder, names in files.items() for name in names}
        return named.union(*(folders for folders, _ in taken))


def test_every_time_that_something_happens_is_an_event(tmp_path: Path) -> None:
    seen = Seen()
    observer = InotifyObserver()
    observer.schedule(seen, tmp_path, recursive=True)
    observer.start()
    for number in range(3):
        (tmp_path / f"{number}").mkdir()
        eventually(lambda number=number: len(seen.events) == number + 1)  # type: ignore[misc]
    assert observer.is_alive()
    observer.stop()
    observer.join()
    assert not observer.is_alive()
    assert seen.paths() == {"0", "1", "2"}
    for event in seen.events:
        assert isinstance(event, DirModifiedEvent)
        assert (event.src_path, event.event_type, event.is_directory) == (os.fspath(tmp_path), "modified", True)


@pytest.mark.parametrize("recursive", [True, False])
def test_what_happens_below_is_told_of_where_the_watch_is_recursive(tmp_path: Path, recursive: bool) -> None:
    outside, inbox, seen = tmp_path / "outside", tmp_path / "inbox", Seen()
    write(outside / "moved" / "deep" / "1.jpg", b"")
    write(outside / "secret" / "1.jpg", b"")
    write(inbox / "there" / "deep" / "1.jpg", b"")
    (inbox / "link").symlink_to(outside / "secret")
    with InotifyObserver() as observer:
        observer.schedule(seen, inbox, recursive=recursive)
        (inbox / "made" / "deep").mkdir(parents=True)
        (outside / "moved").rename(inbox / "moved")
        eventually(lambda: {"made", "moved"} <= seen.paths())
        eventually(lambda: inotify_watches() == (7 if recursive else 1))
        for folder in ("there/deep", "made/deep", "moved/deep", "link"):
            write(inbox / folder / "2.jpg", b"")
        write(inbox / "last.jpg", b"")
        eventually(lambda: "last.jpg" in seen.paths())
    below = {path for path in seen.paths() if path.endswith("2.jpg")}
    assert below == ({"there/deep/2.jpg", "made/deep/2.jpg", "moved/deep/2.jpg"} if recursive else set())


def test_a_burst_is_fewer_events_than_files(tmp_path: Path) -> None:
    seen = Seen()
    with InotifyObserver() as observer:
        observer.schedule(seen, tmp_path)
        (emitter,) = observer.emitters
        assert isinstance(emitter, InotifyEmitter)
        with emitter._lock:  # until all of it waits in the kernel's queue
            for number in range(1000):
                write(tmp_path / f"{number}.jpg", b"")
        write(tmp_path / "last", b"")
        eventually(lambda: len(seen.paths()) > MANY_NAMES)
    assert len(seen.events) < 10


def test_until_it_is_taken_an_event_is_the_only_one(tmp_path: Path) -> None:
    seen = Seen()
    with InotifyObserver(until_taken=True) as observer:
        observer.schedule(seen, tmp_path)
        (tmp_path / "1").mkdir()
        (first,) = eventually(lambda: list(seen.events))
        assert isinstance(first, ChangesEvent)
        (tmp_path / "2").mkdir()
        eventually(lambda: first.changes._folders == {"1", "2"})
        assert first.changes.take() == ({"1", "2"}, {})
        assert seen.events == [first]
        (tmp_path / "3").mkdir()
        second = eventually(lambda: seen.events[1:])[0]
        assert isinstance(second, ChangesEvent)
        assert second.changes.take() == ({"3"}, {})


def test_lost_events_are_told_of_and_what_came_meanwhile_is_watched(tmp_path: Path) -> None:
    inbox, seen = tmp_path / "inbox", Seen()
    (inbox / "again").mkdir(parents=True)
    with InotifyObserver() as observer:
        observer.schedule(seen, inbox, recursive=True)
        (emitter,) = observer.emitters
        assert isinstance(emitter, InotifyEmitter)
        with emitter._lock:
            for _ in range(inotify_limits().max_queued_events):  # three events each, some of them read before
                (inbox / "noise").touch()
                (inbox / "noise").unlink()
            (inbox / "unheard" / "deep").mkdir(parents=True)
            (inbox / "again").rename(tmp_path / "away")
            (inbox / "again").mkdir()
        eventually(lambda: [event for event in seen.events if isinstance(event, EventsLostEvent)])
        eventually(lambda: inotify_watches() == 5)  # the folder that is away among them: nobody heard of that
        for folder in ("unheard/deep", "again"):
            write(inbox / folder / "1.jpg", b"")
        eventually(lambda: {"unheard/deep/1.jpg", "again/1.jpg"} <= seen.paths())


def test_the_end_of_one_folder_is_not_that_of_another(tmp_path: Path) -> None:
    seen, others = Seen(), Seen()
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    with InotifyObserver() as observer:
        observer.schedule(seen, tmp_path / "a")
        watch = observer.schedule(others, tmp_path / "b")
        assert observer.is_watching()
        (tmp_path / "a").rmdir()
        eventually(lambda: seen.events == [DirDeletedEvent(os.fspath(tmp_path / "a"))])
        eventually(lambda: not observer.is_watching())
        assert observer.is_alive()
        write(tmp_path / "b" / "1.jpg", b"")
        eventually(lambda: others.paths() == {"1.jpg"})
        observer.unschedule(watch)
        observer.schedule(others, tmp_path / "c")
        write(tmp_path / "b" / "2.jpg", b"")
        write(tmp_path / "c" / "3.jpg", b"")
        eventually(lambda: "3.jpg" in others.paths())
        assert others.paths() == {"1.jpg", "3.jpg"}


@pytest.mark.parametrize("when", ["before it starts", "while it runs"])
def test_what_cannot_be_watched_is_an_error_and_leaves_nothing_behind(tmp_path: Path, when: str) -> None:
    write(tmp_path / "file", b"")
    threads, descriptors = threading.active_count(), os.listdir("/proc/self/fd")
    for name, error in (("gone", FileNotFoundError), ("file", NotADirectoryError)):
        observer = InotifyObserver()
        if when == "before it starts":
            observer.schedule(Seen(), tmp_path / name)
            with pytest.raises(error):
                observer.start()
        else:
            with observer, pytest.raises(error):
                observer.schedule(Seen(), tmp_path / name)
    assert (threading.active_count(), os.listdir("/proc/self/fd")) == (threads, descriptors)


def test_stopped_before_anything_was_read_it_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = InotifyEmitter.run

    def late(emitter: InotifyEmitter) -> None:
        emitter.stopped_event.wait(20)
        read(emitter)

    monkeypatch.setattr(InotifyEmitter, "run", late)
    threads, descriptors = threading.active_count(), os.listdir("/proc/self/fd")
    with InotifyObserver() as observer:
        observer.schedule(Seen(), tmp_path)
    assert (threading.active_count(), os.listdir("/proc/self/fd")) == (threads, descriptors)


def test_it_stops_in_the_middle_of_a_burst(tmp_path: Path) -> None:
    going = threading.Event()

    def pour() -> None:
        while not going.is_set():
            write(tmp_path / "noise", b"")

    pouring = threading.Thread(target=pour)
    pouring.start()
    try:
        for _ in range(20):
            seen = Seen()
            with InotifyObserver() as observer:
                observer.schedule(seen, tmp_path)
                eventually(lambda seen=seen: seen.events, every=0.001)  # type: ignore[misc]
            assert not observer.is_alive()
    finally:
        going.set()
        pouring.join()
