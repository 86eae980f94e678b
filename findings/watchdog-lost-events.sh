#!/usr/bin/env bash
# watchdog 7.1.0 loses events without telling the event handler, and goes on as if nothing had been lost.
#
# The kernel queues fs.inotify.max_queued_events events (mostly 16,384) for who is to read them, and drops the rest. One
# second in which the reading thread does not run is enough: here a C function keeps the interpreter's lock, as an
# extension that computes may. Where the queue overflowed, the kernel says so; watchdog's own observer turns that into
# one line of its log. The handler gets no event of any kind for it, the observer and its emitter live on, and the next
# file is told of as always: a program that keeps a list by its events is wrong from then on, and cannot know it.
#
# Seen with watchdog 7.1.0, Linux 6.18:
#   16,384 files were written, the handler was told of 645 of them (another time 3,642)
#   kinds of events it got: closed, created, modified, opened
#   the log: Inotify queue overflowed; filesystem events were lost
#   observer alive: True; its emitter alive: True; a file written later is told of: True
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
trap 'exit 1' HUP INT TERM # what runs now ends first, and writes no more into it
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-cache-dir watchdog==7.1.0

"$place/venv/bin/python" - "$place/watched" <<'PYTHON'
import ctypes
import logging
import subprocess
import sys
import time
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

folder = Path(sys.argv[1])
folder.mkdir()
files = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())  # three events each, and more
kinds: set[str] = set()
told: set[str] = set()
said: list[str] = []


class Handler(FileSystemEventHandler):
    def on_any_event(self, event: FileSystemEvent) -> None:
        kinds.add(event.event_type)

    def on_closed(self, event: FileSystemEvent) -> None:
        told.add(Path(str(event.src_path)).name)


class Log(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        said.append(record.getMessage())


logging.getLogger("watchdog").addHandler(Log())
observer = Observer()
observer.schedule(Handler(), str(folder))
observer.start()

writing = "import sys\nfor n in range(int(sys.argv[2])):\n    open(f'{sys.argv[1]}/{n}', 'w').close()"
writer = subprocess.Popen([sys.executable, "-c", writing, str(folder), str(files)])
ctypes.PyDLL(None).waitpid(writer.pid, None, 0)  # a PyDLL's functions keep the interpreter's lock

(folder / "later").touch()
limit = time.monotonic() + 60
while "later" not in told and time.monotonic() < limit:
    before = len(told)
    time.sleep(1)
    if len(told) == before:  # all that was queued is out: what comes now is told of
        (folder / "later").touch()
on_disk = {path.name for path in folder.iterdir()}
later = "later" in told
alive, emitter = observer.is_alive(), all(each.is_alive() for each in observer.emitters)
observer.stop()
observer.join()

print(f"{files:,} files were written, the handler was told of {len(told - {'later'}):,} of them")
print(f"kinds of events it got: {', '.join(sorted(kinds))}")
print(f"the log: {'; '.join(said)}" if len(said) == 1 else f"the log: {said}")
print(f"observer alive: {alive}; its emitter alive: {emitter}; a file written later is told of: {later}")
assert len(on_disk) == files + 1
assert len(told) < files / 2, "changed: most files are told of"
assert kinds <= {"created", "opened", "modified", "closed", "closed_no_write"}, "changed: an event of another kind"
assert said == ["Inotify queue overflowed; filesystem events were lost"], "changed: what the log says"
assert alive, "changed: the observer ends"
assert emitter, "changed: the emitter ends"
assert later, "changed: nothing is told of after the loss"
PYTHON
