#!/usr/bin/env bash
# watchdog 7.1.0: once the watched folder was deleted and made again, the observer is alive and deaf, and scheduling the
# folder again does nothing.
#
# The emitter ends when its folder is deleted; the observer's thread, which only hands events on, does not. So the usual
# check, observer.is_alive(), says that all is well. schedule() then finds that the observer has a watch of that path,
# returns it, and starts nothing. Only after unschedule_all() (or unschedule of that watch) does schedule() help.
#
# Seen with watchdog 7.1.0, Linux 6.18:
#   before the folder was deleted:                told of a file: True, observer alive: True, emitters alive: [True]
#   deleted and made again:                       told of a file: False, observer alive: True, emitters alive: [False]
#   after schedule() of the same path:            told of a file: False, observer alive: True, emitters alive: [False]
#   after unschedule_all() and schedule() of it:  told of a file: True, observer alive: True, emitters alive: [True]
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
trap 'exit 1' HUP INT TERM # what runs now ends first, and writes no more into it
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-cache-dir watchdog==7.1.0

"$place/venv/bin/python" - "$place/watched" <<'PYTHON'
import shutil
import sys
import threading
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

folder = Path(sys.argv[1])
folder.mkdir()


class Handler(FileSystemEventHandler):
    def __init__(self) -> None:
        self.created = threading.Event()
        self.deleted = threading.Event()

    def on_created(self, event: FileSystemEvent) -> None:
        self.created.set()

    def on_deleted(self, event: FileSystemEvent) -> None:
        if event.src_path == str(folder):
            self.deleted.set()


handler = Handler()
observer = Observer()
observer.schedule(handler, str(folder))
observer.start()


def look(when: str, seconds: float) -> tuple[bool, bool, list[bool]]:
    handler.created.clear()
    (folder / when.replace(" ", "_")).touch()
    seen = (handler.created.wait(seconds), observer.is_alive(), [each.is_alive() for each in observer.emitters])
    print(f"{when + ':':45} told of a file: {seen[0]}, observer alive: {seen[1]}, emitters alive: {seen[2]}")
    return seen


works = (True, True, [True])
deaf = (False, True, [False])
assert look("before the folder was deleted", 20) == works

shutil.rmtree(folder)
assert handler.deleted.wait(20), "changed: the handler is not told that the folder was deleted"
for emitter in observer.emitters:
    emitter.join(20)
folder.mkdir()
assert look("deleted and made again", 3) == deaf, "changed: what becomes of the watch"

observer.schedule(handler, str(folder))
assert look("after schedule() of the same path", 3) == deaf, "changed: schedule() alone helps"

observer.unschedule_all()
observer.schedule(handler, str(folder))
assert look("after unschedule_all() and schedule() of it", 20) == works, "changed: this helps no more"
observer.stop()
observer.join()
PYTHON
