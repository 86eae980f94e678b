"""Whether the target and the object store let us in at all: whose fault a refusal is, and when it ends."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from agent.core.retry import ACCESS
from agent.errors import AccessRefused, Refused, RemoteError, StoreRefused, TryLater

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.host.workers import Pool
    from agent.publishing import Publisher
    from agent.targets import Target
    from agent.targets.gate import Gate

log = logging.getLogger(__package__)


@dataclass(frozen=True, slots=True)
class Door:
    """Where we must be let in. `check_access` raises AccessRefused where we are not; the others are parts of words."""

    check_access: Callable[[], object]
    refuses: str
    lets_in: str


class Access:
    """Shuts the gate where one of them refuses us, and opens it again. `tell` writes the reason, or ''."""

    def __init__(
        self,
        target: Target,
        publisher: Publisher,
        gate: Gate,
        monotonic: Callable[[], float],
        tell: Callable[[str], None],
    ) -> None:
        self._target = Door(
            target.check_access, f"{target.name} refuses the key or the project", f"{target.name} lets us in again"
        )
        self._store = Door(publisher.check_access, "nothing can be uploaded", "files can be uploaded again")
        self._gate = gate
        self._monotonic = monotonic
        self._tell = tell
        self._lock = threading.Lock()
        self._shut = self._target
        self._next_probe = 0.0

    def judge(self, error: AccessRefused) -> RemoteError:
        """Knock once (ask for the project's details, or write to the bucket): refused too, everything stops.

        Else the refusal is this job's alone, and for good. It is tried again where it cannot be its own, and where a
        store says so, whose rights and rules take a while to reach all of it.
        """
        door = self._store if isinstance(error, StoreRefused) else self._target
        with self._lock:
            if not self._gate.enter_to_read():  # a pause stops no look
                return error
            try:
                door.check_access()
            except AccessRefused as refusal:
                reason = f"{door.refuses}: {refusal}"
                log.error("sending is stopped, nothing is lost: %s", reason)  # noqa: TRY400 (a sentence, no defect)
                self._shut = door
                self._next_probe = self._monotonic() + ACCESS.seconds()
                self._gate.block(reason)
                self._tell(reason)
                return error
            except RemoteError as other:
                return other.of_another() if isinstance(other, TryLater) else _later(other)
            if door is self._store or error.is_of_all:
                return _later(error)
            return Refused(str(error), code=error.code)

    def knock(self) -> None:
        """Have the next turn ask at once: what refuses us may have been mended."""
        self._next_probe = 0.0

    def turn(self, pool: Pool) -> float:
        """While blocked, have `pool` check_access slowly; return seconds until the next time.

        Not in the caller's thread: an answer may take longer than a stop is allowed to.
        """
        wait = max(self._next_probe - self._monotonic(), self._gate.held_for())
        if wait > 0:
            return wait
        self._next_probe = self._monotonic() + ACCESS.seconds()
        pool.submit(partial(self._look_for_recovery, self._shut))
        return ACCESS.seconds()

    def _look_for_recovery(self, door: Door) -> None:
        try:
            door.check_access()
        except RemoteError as error:
            log.error("still blocked: %s", error)  # noqa: TRY400 (a sentence, no defect)
            if isinstance(error, TryLater) and error.retry_after:
                self._gate.hold(error.retry_after)
            return
        log.warning("%s: sending goes on", door.lets_in)
        self._gate.block("")
        self._tell("")


def _later(error: RemoteError) -> TryLater:
    """Return a refusal as one that may pass."""
    return TryLater(str(error), code=error.code, refused=True)
