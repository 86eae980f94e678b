"""The real agent, which kills itself at a named point: `python crashing.py POINT run --once`.

POINT is `before commit STATE` or `after commit STATE` (a transaction that takes a job into STATE), or `before CALL` or
`after CALL` (a request of the API client, by the name of its method).
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from agent.__main__ import main
from agent.ledger.store import Ledger
from agent.targets.playment.client import Playment

if TYPE_CHECKING:
    from collections.abc import Iterator

POINT = sys.argv.pop(1)
CALLS = ("create_job", "batch_jobs", "details")

_transaction, _move, _move_all = Ledger.transaction, Ledger.move, Ledger.move_all
_entered: set[str] = set()


def reach(point: str) -> None:
    """Die as from a power cut where this is the point."""
    if point == POINT:
        os.kill(os.getpid(), signal.SIGKILL)


@contextlib.contextmanager
def transaction(self: Ledger) -> Iterator[None]:
    """Commit as ever, passing a point before and after it."""
    with _transaction(self):
        yield
        entered = set(_entered)
        _entered.clear()
        for state in entered:
            reach(f"before commit {state}")
    for state in entered:
        reach(f"after commit {state}")


def move(self: Ledger, job: int, now: Any, then: Any, *more: Any, **columns: Any) -> None:
    """Move as ever, and note the state."""
    _move(self, job, now, then, *more, **columns)
    _entered.add(str(then))


def move_all(self: Ledger, now: Any, then: Any, moves: Any, *, quiet: bool = False) -> None:
    """Move as ever, and note the state."""
    _move_all(self, now, then, moves, quiet=quiet)
    if moves:
        _entered.add(str(then))


def wrapped(name: str) -> Any:
    """Return a method of the client that passes a point before and after its request."""
    method = getattr(Playment, name)

    @functools.wraps(method)
    def call(*values: Any, **named: Any) -> Any:
        reach(f"before {name}")
        try:
            return method(*values, **named)
        finally:
            reach(f"after {name}")

    return call


if __name__ == "__main__":
    Ledger.transaction = transaction  # type: ignore[method-assign]
    Ledger.move = move  # type: ignore[method-assign]
    Ledger.move_all = move_all  # type: ignore[method-assign]
    for each in CALLS:
        setattr(Playment, each, wrapped(each))
    main()
