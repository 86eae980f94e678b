"""What each thread has its own of, such as a session whose connections are kept, and all of which is closed at once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable


class Closable(Protocol):
    """What can be closed."""

    def close(self) -> None:
        """Let go of what it holds."""


T = TypeVar("T", bound=Closable)


class PerThread(Generic[T]):
    """Makes one for each thread that asks. Safe to use from any number of threads."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._local = threading.local()
        self._lock = threading.Lock()
        self._all: list[T] = []

    def mine(self) -> T:
        """Return that of the calling thread, made where there is none."""
        mine: T | None = getattr(self._local, "mine", None)
        if mine is None:
            mine = self._local.mine = self._make()
            with self._lock:
                self._all.append(mine)
        return mine

    def close(self) -> None:
        """Close those of all threads; none may be in use. Who asks later gets another one."""
        with self._lock:
            for each in self._all:
                each.close()
            self._all.clear()
            self._local = threading.local()
