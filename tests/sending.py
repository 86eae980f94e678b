"""What the tests of sending share: the sending half over a real ledger and real files, with a clock of its own."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from agent.core import frame_order
from agent.core.folder_rules import NO_FOLDERS
from agent.core.names import Filters
from agent.core.reference_id import IdRules
from agent.core.spend_guard import Limits
from agent.folder.scanner import Scanner
from agent.host.workers import Pools
from agent.ledger import jobs, past, related, units
from agent.ledger.batches import LedgerBatches
from agent.ledger.reads import Reads
from agent.ledger.store import Ledger
from agent.ledger.writer import LedgerWriter
from agent.model import Edition, Frame, Kind, Stamp, Unit, basename, join
from agent.model.jobs import Terms
from agent.model.units import Sight
from agent.publishing.base_url import BaseUrl
from agent.results.download import Download
from agent.sandbox.server import Answer
from agent.sending.batches import Batches
from agent.sending.context import SendingContext
from agent.sending.submitter import Submitter
from agent.service.membership import Membership
from agent.targets.gate import Gate
from agent.targets.playment.client import Playment
from agent.targets.playment.target import PlaymentTarget
from tests.support import KEY, eventually, query
from tests.support import Playment as Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from agent.model.jobs import Namer
    from agent.publishing import Publisher
    from agent.sandbox.server import Request
    from agent.service.shared import Fleet
    from agent.targets import Target

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULES = IdRules("{path}~{digest}", "host1")
NO_LIMITS = Limits()
PUBLISHER = BaseUrl("http://127.0.0.1:9/")
TERMS = Terms(Edition.V0, "boxes", None, 5)


def target_of(client: Playment) -> PlaymentTarget:
    """Return the target that asks by this client."""
    return PlaymentTarget(client, Download(allow_private=True).fetch)


class Clock:
    """Stands still until it is advanced."""

    def __init__(self) -> None:
        self._seconds = 1000.0

    def monotonic(self) -> float:
        return self._seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self._seconds)

    def advance(self, seconds: float) -> None:
        self._seconds += seconds


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it came; `at` is by the test's clock."""

    at: float
    name: str
    request: Request


class Server(Sandbox):
    """The sandbox, with every call kept. `answer` may answer a job's body in its place; `made` is told of each job."""

    def __init__(self, clock: Clock, **options: Any) -> None:
        super().__init__(**options)
        self.calls: list[Call] = []
        self.answer: Callable[[dict[str, Any]], Answer | None] = lambda _body: None
        self.made: Callable[[dict[str, Any]], None] = lambda _body: None
        self._clock = clock

    def _call(self, call: str, request: Request) -> Answer:
        self.calls.append(Call(self._clock.monotonic(), call, request))
        if call != "create_job":
            return super()._call(call, request)
        body = json.loads(request.body)
        given = self.answer(body)
        if given is not None:
            return given
        answer = super()._call(call, request)
        self.made(body)
        return answer

    def refuse_key(self, *, refused: bool) -> None:
        """Have the key refused, or work again."""
        self._api_key = "another" if refused else KEY

    def posts(self) -> list[Call]:
        """Return the requests for jobs."""
        return [call for call in self.calls if call.name == "create_job"]


def refusal(status: int, code: str, headers: dict[str, str] | None = None) -> Answer:
    """Return a failure as Playment tells it."""
    return Answer(status, {"error": {"code": code, "message": "no"}, "success": False}, headers or {})


def scanner_of(root: Path) -> Scanner:
    """Return a scanner of a watch folder."""
    return Scanner(root, Filters.of(("jpg", "png"), (), ""))


def image_unit(scanner: Scanner, path: str) -> Unit:
    """Return the unit of a file as it is now; its content need not be an image, since nothing looks at it."""
    frame = _frame(scanner, 0, path)
    return Unit(path, Kind.IMAGE, (frame,), frame.digest)


def sequence_unit(scanner: Scanner, folder: str) -> Unit:
    """Return the unit of a folder of frames as it is now."""
    listing = scanner.list(folder)
    assert listing is not None
    names = frame_order.arrange(name for name, *_ in listing.files).names
    frames = tuple(_frame(scanner, position, join(folder, name)) for position, name in enumerate(names))
    return Unit(folder, Kind.SEQUENCE, frames, frame_order.digest((frame.frame_id, frame.digest) for frame in frames))


def _frame(scanner: Scanner, position: int, path: str) -> Frame:
    stamp = scanner.stamp(path)
    assert isinstance(stamp, Stamp)
    content = (scanner.root / path).read_bytes()
    return Frame(position, basename(path), path, stamp, hashlib.sha256(content).hexdigest())


def settle(ledger: Ledger, unit: Unit, rules: IdRules = RULES, name: Namer = units.nameless) -> None:
    """Write a unit as detection does once it has settled. To be called in a transaction."""
    units.notice(ledger, Sight(unit.path, unit.kind, "settles", len(unit.frames), unit.bytes))
    units.apply(ledger, related.plan(ledger.sql, unit, rules), name)


@dataclass(frozen=True, slots=True)
class Options:
    """How the sending half is to be set up."""

    terms: Terms = TERMS
    limits: Limits = NO_LIMITS
    rules: IdRules = RULES
    name: Namer = units.nameless
    batch_name: Callable[[str], str | None] = lambda _path: None
    per_minute: float | None = None
    workers: int = 4
    post_seconds: float = 120.0
    paused: bool = False
    fleet: Fleet | None = None
    publisher: Publisher = PUBLISHER
    is_new: bool = False
    target: Target | None = None


class Sending:
    """The ledger, its thread and the submitter on `place/inbox`; like a process, it may be started on a ledger again.

    `changed` collects the units that were found changed.
    """

    def __init__(self, place: Path, url: str, clock: Clock, **options: Any) -> None:
        self.clock = clock
        self.path = place / "ledger.db"
        self.inbox = place / "inbox"
        self.inbox.mkdir(exist_ok=True)
        self.scanner = scanner_of(self.inbox)
        self.options = replace(Options(), **options)
        self.gate = Gate(clock.monotonic, self.options.per_minute)
        self.gate.pause(paused=self.options.paused)
        self.changed: list[str] = []
        self._url = url
        self._looked_at = -math.inf
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        options, stack = self.options, self._stack
        other = options.target
        ledger = Ledger(self.path, self.clock.now, late=None if other is None else other.post_seconds)
        stack.callback(ledger.close)
        self.ledger = LedgerWriter(ledger)
        stack.callback(self.ledger.close)
        self.ledger.call(jobs.recover)
        if options.is_new:
            self.ledger.call(past.begin)
            self.gate.pause(paused=True)
        client = Playment(self._url, "p1", KEY, options.terms.edition, post_seconds=options.post_seconds)
        target: Target = target_of(client) if other is None else other
        stack.callback(target.close)
        self.context = SendingContext(
            target=target,
            batches=Batches(target, LedgerBatches(self.ledger)),
            publisher=options.publisher,
            probe=None,
            probe_all=False,
            scanner=self.scanner,
            terms=options.terms,
            limits=options.limits,
            rules=options.rules,
            batch_name=options.batch_name,
            batch_of=lambda _path, said: (said or None, None),
            folders=NO_FOLDERS,
            now=self.clock.now,
            monotonic=self.clock.monotonic,
            on_changed=lambda path, _kind: self.changed.append(path),
        )
        reads = stack.enter_context(Reads.open(self.path))
        pools = Pools.of_threads(publish=options.workers, post=options.workers)
        member = None
        if options.fleet is not None:
            member = Membership(
                options.fleet,
                self.ledger,
                self.gate,
                host=self.path.parent.name,
                folder="",
                now=self.clock.now,
                monotonic=self.clock.monotonic,
            )
        self.submitter = Submitter(self.context, self.ledger, reads, self.gate, pools, grantor=member)
        self.submitter.turn = partial(self._turn, self.submitter.turn)  # type: ignore[method-assign]
        self.submitter.start()
        stack.callback(self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _stop(self) -> None:
        self.gate.stop()
        ticking = threading.Event()
        thread = threading.Thread(target=self._tick, args=(ticking,))
        thread.start()
        try:
            assert self.submitter.close(20.0)
        finally:
            ticking.set()
            thread.join()

    def _turn(self, turn: Callable[[], float]) -> float:
        at = self.clock.monotonic()
        try:
            return turn()
        finally:
            self._looked_at = at

    def _rests(self) -> bool:
        """Tell whether all was done that is due at this time."""
        return self._looked_at == self.clock.monotonic() and not self.submitter.in_flight()

    def _tick(self, stopped: threading.Event) -> None:
        """Let the clock go while the threads end: its limits are measured by it."""
        while not stopped.wait(0.01):
            self.clock.advance(0.01)

    def pause(self) -> None:
        """Hold jobs back, and wait until none is under way: a turn that has begun before may begin some yet."""
        self.gate.pause(paused=True)
        self.advance(0.01)
        eventually(self._rests)

    def unpause(self) -> None:
        """Let jobs be sent that were held back until now."""
        self.gate.pause(paused=False)
        self.submitter.wake()

    def drop(self, name: str, content: bytes | None = None) -> None:
        """Write a file and have it queued."""
        path = self.inbox / name
        path.write_bytes(name.encode() if content is None else content)
        self._settle([image_unit(self.scanner, name)])

    def drop_many(self, count: int) -> None:
        """Write files and have them queued together."""
        names = [f"{number:05}.jpg" for number in range(count)]
        for name in names:
            (self.inbox / name).write_bytes(name.encode())

        self._settle([image_unit(self.scanner, name) for name in names])

    def drop_frames(self, folder: str, names: list[str]) -> None:
        """Write a folder of frames and have it queued."""
        (self.inbox / folder).mkdir(parents=True)
        for name in names:
            (self.inbox / folder / name).write_bytes(f"{folder}/{name}".encode())
        self._settle([sequence_unit(self.scanner, folder)])

    def _settle(self, units: Iterable[Unit]) -> None:
        def write(ledger: Ledger) -> None:
            for unit in units:
                settle(ledger, unit, self.options.rules, self.options.name)

        self.ledger.call(write)
        self.submitter.wake()

    def advance(self, seconds: float) -> None:
        """Let time pass, and have everybody look at the clock."""
        self.clock.advance(seconds)
        self.gate.block(self.gate.blocked)
        self.submitter.wake()

    def states(self) -> dict[str, int]:
        """Return the number of jobs by state, as anybody sees it."""
        return {row["state"]: row["jobs"] for row in query(self.path, "select state, jobs from status")}

    def becomes(self, seconds: float = 30.0, **states: int) -> None:
        """Wait until there are exactly so many jobs in these states."""
        eventually(lambda: self.states() == states, seconds)

    def row(self, path: str) -> dict[str, Any]:
        """Return the newest row of a path."""
        return query(self.path, "select * from jobs where path = ? order by id desc limit 1", path)[0]

    def passes_until(self, condition: Callable[[], object], step: float = 30.0, seconds: float = 30.0) -> None:
        """Let time pass in steps until `condition` holds; `seconds` is the limit by the real clock.

        No step is taken before all that was due after the last one has been done.
        """

        def looked() -> bool:
            rests = self._rests()
            if condition():
                return True
            if rests:
                self.advance(step)
            return False

        eventually(looked, seconds)
