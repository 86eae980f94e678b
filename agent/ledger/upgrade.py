"""Takes a ledger through the steps of `migrations` that it has not behind it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from agent.ledger import migrations

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

CACHE_KIBIBYTES = 64 * 1024
TOLD_EVERY = 2_000_000
"""Instructions of SQLite's own machine: a quarter of a second of them."""


def migrate(connection: sqlite3.Connection, tell: Callable[[str], None] = lambda _text: None) -> None:
    """Bring the ledger to the newest schema, each step in a transaction of its own: a kill undoes one step at most.

    `tell` is told what is done to an older ledger, again and again as long as it lasts: with a million jobs, half a
    minute. Raises as `migrations.version_of` does.
    """
    version = migrations.version_of(connection)
    steps = migrations.MIGRATIONS
    with contextlib.ExitStack() as stack:
        if 0 < version < len(steps):
            stack.enter_context(_much_is_written(connection))
        for number, step in enumerate(steps[version:], start=version + 1):
            if version:
                _tell(connection, tell, f"bringing the ledger up to date, step {number} of {len(steps)}")
            connection.execute("begin immediate")
            try:
                if connection.execute("pragma user_version").fetchone()[0] < number:  # else another process took it
                    step(connection)
                    connection.execute(f"pragma user_version = {number}")
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")


def _tell(connection: sqlite3.Connection, tell: Callable[[str], None], text: str) -> None:
    """Tell a text now, and as long as statements run."""

    def goes_on() -> int:
        tell(text)
        return 0

    goes_on()
    connection.set_progress_handler(goes_on, TOLD_EVERY)


@contextlib.contextmanager
def _much_is_written(connection: sqlite3.Connection) -> Iterator[None]:
    """Let it go fast: with room to sort, and without wiping what is freed, which Debian's SQLite does."""
    kept = {name: connection.execute(f"pragma {name}").fetchone()[0] for name in ("cache_size", "secure_delete")}
    try:
        connection.execute(f"pragma cache_size = {-CACHE_KIBIBYTES}")
        connection.execute("pragma secure_delete = off")
        yield
    finally:
        connection.set_progress_handler(None, 0)
        for name, value in kept.items():
            connection.execute(f"pragma {name} = {value}")
