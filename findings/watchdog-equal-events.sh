#!/usr/bin/env bash
# watchdog 7.1.0: an event of one's own that carries more than its base class is dropped where only that differs.
#
# Whoever writes an emitter on watchdog.observers.api puts events of their own class into the observer's queue. The queue
# leaves out an event that equals the one before it, and events are dataclasses: their equality asks their class and the
# fields that the base class declared. An attribute that a plain subclass sets in its __init__ is no field, so two events
# with different content are equal, and the second never reaches a handler. A subclass that is a dataclass itself, with
# the content as a field, is told of every time.
#
# Seen with watchdog 7.1.0:
#   content in an attribute:  queued [1, 2, 3], told of [1]
#   content in a field:       queued [1, 2, 3], told of [1, 2, 3]
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
trap 'exit 1' HUP INT TERM # what runs now ends first, and writes no more into it
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-cache-dir watchdog==7.1.0

"$place/venv/bin/python" - <<'PYTHON'
import sys
from dataclasses import dataclass
from queue import Empty

from watchdog.events import DirModifiedEvent
from watchdog.observers.api import EventQueue, ObservedWatch


class InAttribute(DirModifiedEvent):
    def __init__(self, path: str, content: int) -> None:
        super().__init__(path)
        self.content = content


@dataclass(unsafe_hash=True)
class InField(DirModifiedEvent):
    content: int = 0


def told_of(kind: type) -> list[int]:
    queue, watch = EventQueue(), ObservedWatch("/folder", recursive=False)
    for content in (1, 2, 3):
        queue.put((kind("/folder", content=content), watch))
    found = []
    try:
        while True:
            found.append(queue.get_nowait()[0].content)
    except Empty:
        return found


attribute, in_field = told_of(InAttribute), told_of(InField)
print(f"content in an attribute:  queued [1, 2, 3], told of {attribute}")
print(f"content in a field:       queued [1, 2, 3], told of {in_field}")
sys.exit(0 if (attribute, in_field) == ([1], [1, 2, 3]) else "this has changed")
PYTHON
