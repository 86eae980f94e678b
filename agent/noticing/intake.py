"""From a look at a unit to its reading: what waits settles in `Rest.waiting`, and what has settled is read."""

from __future__ import annotations

import logging
import math
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from agent.core.arrival import WRITER_LOOKS
from agent.core.folder_rules import NOTHING
from agent.core.read_again import Restless
from agent.core.states import ARRIVAL, LEFT_OUT, SETTINGS, UNREADABLE
from agent.core.unreadable import Unreadable
from agent.model import Kind, shown
from agent.model.journal import about
from agent.model.units import Sight
from agent.noticing.claims import ELSEWHERE, Unshared, Wanted
from agent.reading.readers import CHUNK_FILES, ImageReading, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from agent.core.folder_rules import FolderRules
    from agent.core.states import State
    from agent.model import File, Listing, Stamp, Unit, UnitKey
    from agent.noticing.arriving import Arriving
    from agent.noticing.book import Book, Decider
    from agent.noticing.claims import Claims
    from agent.noticing.rest import Rest
    from agent.reading.readers import Readers

log = logging.getLogger(__package__)

PREPARE_SECONDS = 4.0  # two sweeps: the processes that read frames take a tenth of a second to start
MOST_UNITS = 4096
MOST_FILES = 4096
"""Units and files of each kind that are being read or wait to be written: what is read faster than it is written takes
memory (2 KiB a file). One sequence is always let in, however long."""


class _Delay(NamedTuple):
    """Until when a unit is left alone at the least, and what it waits for, in words; `code` as in Sight."""

    until: float
    reason: str
    code: str = ""


class Intake:
    """Settles units and has them read by the `readers` of their kind. All methods are the loop's thread's.

    Of each kind one thread reads at a time: what was just dropped is in memory, and two do little but hand each other
    the interpreter's lock (50,000 frames: 4.6 s by one, 7.2 s by two). No image waits for a sequence.

    What of the ledger's units is `elsewhere`, as the watch folder may be another one than theirs, cannot be missed
    before it was seen here: an empty mount point must not read as 'all was deleted'.
    """

    def __init__(
        self,
        rest: Rest,
        arriving: Arriving,
        readers: Readers,
        *,
        book: Book,
        decider: Decider,
        elsewhere: Iterable[UnitKey] = (),
        claims: Claims = Unshared(),  # noqa: B008 (it holds nothing)
    ) -> None:
        self._rest = rest
        self._arriving = arriving
        self._image_quiet, self._image_reason = arriving.image_quiet, arriving.image_reason
        self._readers = readers
        self._book = book
        self._decider = decider
        self._load = {kind: [0, 0] for kind in Kind}  # the units and files of each kind that are being read
        self._long: set[UnitKey] = set()
        self._restless = Restless()
        self._unreadable = Unreadable()
        self._elsewhere = set(elsewhere)
        self._claims = claims
        self._taken: dict[UnitKey, float] = {}
        self.has_seen = False
        """Whether a look has shown any unit."""

    def has_room(self, kind: Kind) -> bool:
        """Tell whether another unit of a kind may be read now."""
        units, files = self._load[kind]
        return units < MOST_UNITS and files < MOST_FILES

    @property
    def seeks(self) -> bool:
        """Whether units of the ledger's were not seen here yet, as the watch folder may be another one."""
        return bool(self._elsewhere)

    def is_here(self, unit: UnitKey) -> None:
        """Take note that a look has shown a unit, at rest or not."""
        self.has_seen = True
        self._elsewhere.discard(unit)

    def see_image(self, unit: UnitKey, stamp: Stamp, now: float) -> None:
        """Take a look at a single image that is not at rest."""
        self.is_here(unit)
        waiting = self._rest.waiting
        # A number keeps 160 bytes less than the stamp; whether it is the very file is asked again when it is read.
        look = hash(stamp)
        self._unreadable.see(unit, look)
        delay = self._delay(unit, self._image_reason)
        until = now + WRITER_LOOKS if self._arriving.is_written(unit, stamp.size) else delay.until
        if unit in waiting:
            if not self.has_room(unit.kind):
                waiting.block(unit, until)
                return
        else:
            self._book.notice(unit, Sight(unit.path, unit.kind, delay.reason, 1, stamp.size, delay.code))
            since = self._arriving.quiet_since([("", *stamp)], now)
            if since is not None:
                waiting.observe(unit, look, quiet=self._image_quiet, now=since)
        waiting.observe(unit, look, quiet=self._image_quiet, now=now, blocked_until=until)
        for settled in waiting.settled():
            if not (settled in self._restless and self._rest.was_sent_so(settled, stamp)):  # its times went back
                reader = self._readers.reader
                unread = partial(reader.unread_image, settled.path, stamp)
                self._read(settled, [("", *stamp)], ImageReading(reader, settled.path, stamp), unread)

    def see_sequence(
        self, unit: UnitKey, listing: Listing, now: float, rules: FolderRules = NOTHING, *, took: float = 0.0
    ) -> None:
        """Take a look at a folder of frames that is not at rest; it began at `now` and took so many seconds."""
        self.is_here(unit)
        waiting = self._rest.waiting
        if unit in waiting and not self.has_room(unit.kind):
            return
        if self._unreadable.see(unit, listing.fingerprint):
            self._arriving.forget(unit)  # how long it waited to be read tells nothing of the pace at which it comes
        waits = self._arriving.look(unit, listing, rules, now + took)
        if waits.left:
            self.hold(unit, waits.left, len(listing.files), listing.bytes, code=ARRIVAL)
            return
        until, delay = waits.until, self._delay(unit, waits.reason)
        if delay.code or delay.until > max(now, until):
            until = max(until, delay.until)
        else:
            delay = _Delay(until, waits.reason)
        self._book.notice(
            unit, Sight(unit.path, unit.kind, delay.reason, len(listing.files), listing.bytes, delay.code)
        )
        since = None if unit in waiting else self._arriving.quiet_since(listing.files, now)
        if since is not None:
            waiting.observe(unit, waits.look, quiet=waits.quiet, now=since, blocked_until=until)
        waiting.observe(unit, waits.look, quiet=waits.quiet, now=now, took=took, blocked_until=until)
        if len(listing.files) > CHUNK_FILES:
            self._long.add(unit)
            self._prepare_for((unit,), now)
        for settled in waiting.settled():
            why = "" if waits.proved else self._arriving.why_left_out(listing)
            if why:
                self.hold(settled, why, len(listing.files), listing.bytes, code=LEFT_OUT)
            elif not (settled in self._restless and self._rest.were_sent_so(settled, listing.files)):
                reader = self._readers.reader
                unread = partial(reader.unread_sequence, settled.path, listing.files, rules.order)
                read = partial(reader.sequence, settled.path, [*listing.files], rules.order)
                self._read(settled, listing.files, read, unread)

    def changed(self, unit: UnitKey, now: float) -> None:
        """Take note that a unit has changed while it was read or sent: it is not read again at once."""
        self._restless.changed(unit, self._arriving.quiet_of(unit.kind), now)

    def taken(self, unit: UnitKey, seconds: float, now: float) -> None:
        """Take note that another host reads a unit: it is asked about again after so many seconds."""
        self._taken[unit] = now + seconds

    def unread(self, unit: UnitKey, reason: str, now: float) -> None:
        """Take note that a unit could not be read, and why: it waits, and is tried again."""
        if self._unreadable.failed(unit, reason, now):
            log.info("%s", self._unreadable.reason(unit), extra=about(shown(unit.path)))

    def readable(self, unit: UnitKey) -> None:
        """Take note that a unit could be read."""
        self._unreadable.forget(unit)

    def hurry(self, told: Collection[UnitKey]) -> None:
        """Have what could not be read tried now, but for the units that are `told` as such: a person has asked."""
        for unit in self._unreadable.hurry(told):
            if unit in self._rest.waiting:
                self._rest.waiting.block(unit, -math.inf)

    def growing(self, now: float, factor: float) -> int:
        """Count the units that wait for longer than `factor` of their quiet times, or tries at reading them."""
        waiting = self._rest.waiting
        return len(
            {*waiting.growing(now, factor)} | {unit for unit in self._unreadable.tried(factor) if unit in waiting}
        )

    def _delay(self, unit: UnitKey, reason: str) -> _Delay:
        """Return what keeps a unit from being read, else `reason`."""
        if unit in self._unreadable:
            until = max(self._unreadable.until(unit), self._restless.until(unit))
            return _Delay(until, self._unreadable.reason(unit), UNREADABLE)
        if unit in self._taken:
            return _Delay(max(self._taken[unit], self._restless.until(unit)), ELSEWHERE)
        if unit in self._restless:
            reason = self._restless.reason(unit)
        return _Delay(self._restless.until(unit), reason)

    def prepare(self, now: float) -> None:
        """Have the readers made ready where a long sequence settles soon."""
        self._long.intersection_update(self._rest.waiting)
        self._prepare_for(self._long, now)

    def _prepare_for(self, units: Iterable[UnitKey], now: float) -> None:
        waiting = self._rest.waiting
        if any(waiting.waits_until(unit) <= now + PREPARE_SECONDS for unit in units if unit in waiting):
            self._readers.prepare()

    def miss(self, unit: UnitKey) -> None:
        """Take note that a listing does not show a unit that it should."""
        self._let_go(unit)
        if unit not in self._elsewhere:
            self._book.miss(unit)

    def miss_waiting(self, unit: UnitKey) -> None:
        """Take note that a listing shows nothing of a unit, should it wait: its row may not be written yet."""
        if self._book.withdraw(unit) or unit in self._rest.waiting:
            self.miss(unit)

    def hold(self, unit: UnitKey, reason: str, frames: int, size: int, *, code: str = SETTINGS) -> None:
        """Have a unit held that must not even be read; `code` says which kind of reason it is."""
        self._let_go(unit)
        self._book.hold(Sight(unit.path, unit.kind, reason, frames, size), code)

    def refuse(self, unit: UnitKey, reason: str, size: int) -> None:
        """Have it told that a file is of no kind that is taken."""
        self._book.refuse(Sight(unit.path, unit.kind, reason, 1, size))

    def leave_alone(self, unit: UnitKey, reason: str) -> None:
        """Have a unit left alone: its folder's settings say so."""
        self._let_go(unit)
        self._book.leave_alone(unit, reason)

    def was_read(self, unit: UnitKey, state: State | None) -> bool:
        """Take note that a unit was read and written; return whether it is to be looked at once more."""
        self._claims.was_read(unit, state)
        files = self._rest.reading.get(unit)
        if files is not None:
            self._count(unit.kind, -1, -files)
        return self._rest.was_read(unit)

    def _let_go(self, unit: UnitKey) -> None:
        self._rest.waiting.forget(unit)
        self._arriving.forget(unit)
        self._unreadable.forget(unit)
        self._taken.pop(unit, None)
        self._book.withdraw(unit)

    def _read(
        self, unit: UnitKey, files: Sequence[File], reads: Callable[[], Unit], unread: Callable[[str], Unit]
    ) -> None:
        self._rest.reading[unit] = len(files)
        self._arriving.forget(unit)
        self._taken.pop(unit, None)
        self._count(unit.kind, 1, len(files))
        self._book.withdraw(unit)
        self._claims.take(Wanted(unit, files, reads, partial(self._has_read, unit), unread))

    def _has_read(self, unit: UnitKey, reads: Callable[[], Unit]) -> None:
        """Have a unit read and decided about (called by any thread)."""
        self._readers.pools[unit.kind].submit(Work(partial(self._decider.take, unit), reads))

    def _count(self, kind: Kind, units: int, files: int) -> None:
        load = self._load[kind]
        load[0] += units
        load[1] += files
