"""Whose a unit is to read, where other hosts see the same folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.core.states import State
    from agent.model import File, Unit, UnitKey

ELSEWHERE = "another host of the fleet reads it, or is sending it"


class Wanted(NamedTuple):
    """A settled unit that is to be read: its `files`, as they look.

    `read` has it read and written, in a thread of its own, where what it is handed reads; `unread` gives it as it is
    known by its digest alone.
    """

    unit: UnitKey
    files: Sequence[File]
    reads: Callable[[], Unit]
    read: Callable[[Callable[[], Unit]], None]
    unread: Callable[[str], Unit]


class Claims(Protocol):
    """Says whose a unit is, and has it read where it is ours. Its methods are the loop's thread's."""

    def take(self, wanted: Wanted) -> None:
        """Have a unit read, here or elsewhere; in the end a Finished tells of it."""

    def was_read(self, unit: UnitKey, state: State | None) -> None:
        """Take note of what became of a unit."""


class Unshared:
    """Nobody else sees the folder: all is ours."""

    def take(self, wanted: Wanted) -> None:
        """Have it read."""
        wanted.read(wanted.reads)

    def was_read(self, unit: UnitKey, state: State | None) -> None:
        """Nobody is to know."""
