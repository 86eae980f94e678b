"""From a look at a unit to its row: what waits is held in `settle`, what has settled is read, decided and written.

Each unit is in one of three places: waiting in `settle`, being read (`busy`), or at rest (its newest row looks like
its files). All methods but callbacks are the loop's thread's.
"""

from __future__ import annotations

import logging
from collections import deque
from concurrent.futures import wait
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from agent.core.folder_rules import NOTHING
from agent.core.settling import Settling
from agent.core.states import State
from agent.errors import FileChanged, FolderUnavailable, LedgerUnavailable
from agent.ledger import bulk, holds, units
from agent.ledger.reads import Reads
from agent.ledger.units import Sight
from agent.ledger.writer import Each
from agent.model import Kind, shown
from agent.noticing.messages import Finished
from agent.reading.processes.pool import CHUNK_FILES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future

    from agent.core.folder_rules import FolderRules
    from agent.core.plan import IdRules
    from agent.core.quiet_times import QuietTimes
    from agent.folder.scanner import Scanner
    from agent.host.workers import Pool
    from agent.ledger.store import Ledger
    from agent.ledger.writer import LedgerWriter
    from agent.model import Listing, Stamp, Unit
    from agent.model.jobs import Namer
    from agent.model.units import UnitKey
    from agent.reading.reader import Reader
from agent.noticing.moved import left_behind

log = logging.getLogger(__package__)

WRITTEN_TOGETHER = 1000
MOST_SIGHTS = 2 * WRITTEN_TOGETHER
"""Sights that wait to be written where a folder of 100,000 images is seen at once: more take memory (180 bytes each),
and two busy threads hold each other up."""
WRITING_SECONDS = 1.0
"""How long detection waits for a piece of them: a ledger that takes longer must not stop it."""
PREPARE_SECONDS = 4.0  # two sweeps: the processes that read frames take a tenth of a second to start
MOST_UNITS = 256
MOST_FILES = 4096
"""Units and files of each kind that are being read or wait to be written: what is read faster than it is written takes
memory (2 KiB a file). One sequence is always let in, however long."""


class Intake:
    """Settles units, has them read by the `readers` of their kind, and writes what was decided.

    Of each kind one thread reads at a time: what was just dropped is in memory, and two do little but hand each other
    the interpreter's lock (50,000 frames: 4.6 s by one, 7.2 s by two). No image waits for a sequence.

    `post` hands a Finished to the loop from any thread; `wall` gives seconds since 1970; `name` gives the `src` of what
    is to be sent. Where the watch folder is not `trusted` to be the one of last time, only what was seen here can be
    missed: an empty mount point must not read as 'all was deleted'. `prepare` makes ready who reads long sequences.
    """

    def __init__(
        self,
        scanner: Scanner,
        quiet: QuietTimes,
        rules: IdRules,
        *,
        reader: Reader,
        readers: Mapping[Kind, Pool],
        ledger: LedgerWriter,
        post: Callable[[Finished], None],
        wall: Callable[[], float],
        trusted: bool,
        name: Namer = units.nameless,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self._scanner = scanner
        self._quiet = quiet
        self._image_reason = quiet.image_reason
        self._rules = rules
        self._reader = reader
        self._readers = readers
        self._ledger = ledger
        self._post = post
        self._wall = wall
        self._name = name
        self._prepare = prepare
        self.settle = Settling()
        self.busy: dict[UnitKey, int] = {}  # with the number of files
        self._load = {kind: [0, 0] for kind in Kind}  # the units and files of each kind in `busy`
        self._noticing: Future[None] | None = None
        self._waited_for: Future[None] | None = None
        self._sights: dict[UnitKey, Sight] = {}
        self._missed: set[UnitKey] = set()
        self._long: set[UnitKey] = set()
        self._stopped: deque[Callable[[Ledger], None]] = deque()
        self._seen: set[UnitKey] | None = None if trusted else set()

    def has_room(self, kind: Kind) -> bool:
        """Tell whether another unit of a kind may be read now."""
        units, files = self._load[kind]
        return units < MOST_UNITS and files < MOST_FILES

    @property
    def unwritten(self) -> bool:
        """Whether sights wait for those before them to be committed."""
        return bool(self._sights)

    def see_image(self, unit: UnitKey, stamp: Stamp, now: float) -> None:
        """Take a look at a single image that is not at rest."""
        if self._seen is not None:
            self._seen.add(unit)
        if unit in self.settle:
            if not self.has_room(unit.kind):
                return
        else:
            self._sights[unit] = Sight(unit.path, unit.kind, self._image_reason, 1, stamp.size)
            if len(self._sights) > MOST_SIGHTS:
                self._let_ledger_catch_up()
        # A number keeps 160 bytes less than the stamp; whether it is the very file is asked again when it is read.
        self.settle.observe(unit, hash(stamp), quiet=self._quiet.image, now=now)
        for settled in self.settle.settled():
            self._read(settled, 1, partial(self._reader.image, settled.path, stamp))

    def see_sequence(
        self,
        unit: UnitKey,
        listing: Listing,
        now: float,
        rules: FolderRules = NOTHING,
        *,
        took: float = 0.0,
    ) -> None:
        """Take a look at a folder of frames that is not at rest; it began at `now` and took so many seconds."""
        if self._seen is not None:
            self._seen.add(unit)
        if unit in self.settle and not self.has_room(unit.kind):
            return
        quiet, blocked_until, reason = self._quiet.under(rules).waits_for(listing, now, self._wall())
        self._sights[unit] = Sight(unit.path, unit.kind, reason, len(listing.files), listing.bytes)
        self.settle.observe(unit, listing.fingerprint, quiet=quiet, now=now, took=took, blocked_until=blocked_until)
        if len(listing.files) > CHUNK_FILES:
            self._long.add(unit)
            self._prepare_for((unit,), now)
        for settled in self.settle.settled():
            self._read(settled, len(listing.files), partial(self._reader.sequence, settled.path, [*listing.files]))

    def prepare(self, now: float) -> None:
        """Have the readers made ready where a long sequence settles soon."""
        self._long.intersection_update(self.settle)
        self._prepare_for(self._long, now)

    def _prepare_for(self, units: Iterable[UnitKey], now: float) -> None:
        if any(self.settle.waits_until(unit) <= now + PREPARE_SECONDS for unit in units if unit in self.settle):
            self._prepare()

    def miss(self, unit: UnitKey) -> None:
        """Take note that a listing does not show a unit that it should."""
        self.settle.forget(unit)
        self._sights.pop(unit, None)
        if self._seen is None or unit in self._seen:
            self._missed.add(unit)

    def miss_waiting(self, unit: UnitKey) -> None:
        """Take note that a listing shows nothing of a unit, should it wait: its row may not be written yet."""
        if unit in self.settle or unit in self._sights:
            self.miss(unit)

    def hold(self, unit: UnitKey, reason: str, frames: int, size: int) -> None:
        """Have a unit held that must not even be read: its folder's settings are bad, or it does not fit them."""
        self._let_go(unit)
        self._stopped.append(partial(holds.hold, sight=Sight(unit.path, unit.kind, reason, frames, size)))

    def leave_alone(self, unit: UnitKey, reason: str) -> None:
        """Have a unit left alone: its folder's settings say so."""
        self._let_go(unit)
        self._stopped.append(partial(units.vanish, path=unit.path, kind=unit.kind, why=reason))

    def _let_go(self, unit: UnitKey) -> None:
        self.settle.forget(unit)
        self._sights.pop(unit, None)

    def release(self, unit: UnitKey) -> None:
        """Take note that a unit was read and written."""
        files = self.busy.pop(unit, None)
        if files is not None:
            self._count(unit.kind, -1, -files)

    def flush(self, absence_is_proof: Callable[[], bool]) -> None:
        """Have written what was seen and what is missing; the latter only where absence proves a deletion."""
        self._write_sights()
        # Taken out one by one: the ledger's thread puts back what it could not write.
        stopped = [self._stopped.popleft() for _ in range(len(self._stopped))]
        for start in range(0, len(stopped), WRITTEN_TOGETHER):
            orders = stopped[start : start + WRITTEN_TOGETHER]
            self._write_later(partial(_stop_all, stopped=orders), partial(self._stopped.extend, orders))
        missed = [self._missed.pop() for _ in range(len(self._missed))]
        if missed and absence_is_proof():
            for start in range(0, len(missed), WRITTEN_TOGETHER):
                gone = missed[start : start + WRITTEN_TOGETHER]
                self._write_later(partial(_vanish_all, missed=gone), partial(self._missed.update, gone))

    def _write_later(self, work: Callable[[Ledger], None], put_back: Callable[[], None]) -> None:
        def written(future: Future[None]) -> None:
            if isinstance(future.exception(), LedgerUnavailable):
                put_back()

        self._ledger.submit(work).add_done_callback(written)

    def _let_ledger_catch_up(self) -> None:
        if self._noticing is not None and self._noticing is not self._waited_for:
            self._waited_for = self._noticing  # not twice: while the ledger is locked, that would be for each image
            wait((self._noticing,), WRITING_SECONDS)
        self._write_sights()

    def _write_sights(self) -> None:
        if self._noticing is None or self._noticing.done():  # one piece a commit: a long one holds up all others
            sights = [self._sights.pop(unit) for unit in list(islice(self._sights, WRITTEN_TOGETHER))]
            self._noticing = self._ledger.submit(lambda ledger: units.notice(ledger, *sights)) if sights else None

    def _read(self, unit: UnitKey, files: int, read: Callable[[], Unit]) -> None:
        self.busy[unit] = files
        self._count(unit.kind, 1, files)
        self._sights.pop(unit, None)  # written later it would undo what the reading writes
        self._readers[unit.kind].submit(partial(self._read_and_write, unit, read))

    def _count(self, kind: Kind, units: int, files: int) -> None:
        load = self._load[kind]
        load[0] += units
        load[1] += files

    def _read_and_write(self, unit: UnitKey, read: Callable[[], Unit]) -> None:
        """Read a unit's files and have it written (in a reader's thread)."""
        try:
            content = read()
        except (FileChanged, FolderUnavailable) as error:
            log.info("%s: %s", shown(unit.path), error)
            self._post(Finished(unit, None))
        except BaseException:
            self._post(Finished(unit, None))
            raise
        else:
            self._ledger.submit(Each(self._write_all, content)).add_done_callback(partial(self._written, unit))

    def _write_all(self, ledger: Ledger, contents: Sequence[Unit]) -> list[State | None]:
        """Plan and apply, in the ledger's thread, so that nothing can come between."""
        plain = bulk.queue_plain(ledger, contents, self._rules, self._name)
        return [
            State.PENDING if index in plain else self._write(ledger, content) for index, content in enumerate(contents)
        ]

    def _write(self, ledger: Ledger, unit: Unit) -> State | None:
        reads = Reads.within(ledger)
        left = left_behind(self._scanner, reads, unit)
        return units.apply(ledger, reads.plan(unit, self._rules, left), self._name)

    def _written(self, unit: UnitKey, future: Future[State | None]) -> None:
        error = future.exception()
        if error is not None and not isinstance(error, (LedgerUnavailable, FolderUnavailable)):
            log.error("a defect in playment-agent; please report it", exc_info=error)
        self._post(Finished(unit, None if error is not None else future.result()))


def _stop_all(ledger: Ledger, *, stopped: Sequence[Callable[[Ledger], None]]) -> None:
    for stop in stopped:
        stop(ledger)


def _vanish_all(ledger: Ledger, *, missed: Sequence[UnitKey]) -> None:
    for path, kind in missed:
        units.vanish(ledger, path, kind)
