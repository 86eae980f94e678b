"""What is used of watchdog below its documentation is as it was. Nothing of the agent is needed to find that out."""

from __future__ import annotations

import dataclasses
import inspect
from importlib.metadata import version
from typing import NewType

from watchdog.observers import inotify_c
from watchdog.observers.api import ObservedWatch

CALLS = {
    "InotifyFD": [],
    "InotifyFD.add_callback": ["self", "path", "mask", "callback", "id_"],
    "InotifyFD.remove_callbacks": ["self", "callbacks"],
    "InotifyFD.read_events": ["self", "event_buffer_size"],
    "InotifyFD.handle_event": ["self", "event"],
    "InotifyFD.close": ["self"],
    "WatchCallback.on_event": ["self", "event"],
    "WatchCallback.on_watch_deleted": ["self", "wd"],
    "WatchCallback.on_queue_overflow": ["self"],
}
"""What is called, and what it calls, with the names of the parameters."""

TYPES = ("CallbackId", "Mask", "WatchDescriptor")
"""Names for integers."""

CONSTANTS = {
    "IN_CLOSE_WRITE": 0x8,
    "IN_MOVED_FROM": 0x40,
    "IN_MOVED_TO": 0x80,
    "IN_CREATE": 0x100,
    "IN_DELETE": 0x200,
    "IN_ONLYDIR": 0x01000000,
    "IN_DONT_FOLLOW": 0x02000000,
    "IN_ISDIR": 0x40000000,
}
"""As <sys/inotify.h> has them."""


def _parameters(dotted: str) -> list[str] | None:
    found: object = inotify_c
    for name in dotted.split("."):
        found = getattr(found, name, None)
    return list(inspect.signature(found).parameters) if callable(found) else None


def _fields(name: str) -> set[str]:
    found = getattr(inotify_c, name, None)
    return {field.name for field in dataclasses.fields(found)} if dataclasses.is_dataclass(found) else set()


def _initial(attribute: str) -> object:
    try:
        reader = inotify_c.InotifyFD()
    except (AttributeError, TypeError):
        return None
    value = getattr(reader, attribute, None)
    reader._is_reading = False
    reader.close()
    return value


def test_what_is_used_below_the_documentation_is_as_it_was() -> None:
    changed = [name for name, parameters in CALLS.items() if _parameters(name) != parameters]
    changed += [name for name in TYPES if not isinstance(getattr(inotify_c, name, None), NewType)]
    constants = getattr(inotify_c, "InotifyConstants", None)
    changed += [name for name, value in CONSTANTS.items() if getattr(constants, name, None) != value]
    changed += [f"InotifyEvent.{name}" for name in {"wd", "mask", "name"} - _fields("InotifyEvent")]
    called = {name for name in vars(getattr(inotify_c, "WatchCallback", None) or object) if name.startswith("on_")}
    changed += [f"WatchCallback.{name}" for name in called if f"WatchCallback.{name}" not in CALLS]
    watch = ObservedWatch(".", recursive=True)
    changed += [f"ObservedWatch.{name}" for name in ("path", "is_file", "is_recursive") if not hasattr(watch, name)]
    if _initial("_is_reading") is not True:
        changed.append("InotifyFD._is_reading")
    assert not changed, (
        f"watchdog {version('watchdog')} has changed what agent/folder/inotify.py uses of it below its documentation: "
        f"{', '.join(sorted(changed))}. Adapt that to it, or keep this version out in pyproject.toml."
    )
