"""Each unit becomes one job, whatever is lost, refused, changed or killed in between: a machine that tries the orders.

The ledger, the plan, the submitter, the adoption and the API client are the real ones, on real files. There is one
thread: pools and the ledger's queue are emptied when the machine says so, so that it decides what happens before what.
Playment is the sandbox without its socket. A crash may come before and after every commit and every request: it is
raised there, and the next process starts on what SQLite had committed.

The long form tries 10,000 schedules: `python -m tests.soak exactly_once`.
"""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import tempfile
from collections import Counter
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from agent.core.fingerprints import fingerprint, is_at_rest
from agent.core.folder_rules import NO_FOLDERS
from agent.core.states import WAITING
from agent.errors import TryLater
from agent.host.workers import Pools
from agent.http.transport import Reply
from agent.ledger import jobs, orders, related, seen, units
from agent.ledger.batches import LedgerBatches
from agent.ledger.reads import Reads
from agent.ledger.store import Ledger
from agent.ledger.writer import LedgerWriter, Piece
from agent.model import Edition, Entry, Kind, Unit, parent
from agent.model.units import Sight, UnitKey
from agent.noticing.moved import left_behind
from agent.publishing import namer
from agent.publishing.base_url import BaseUrl
from agent.sandbox import Sandbox
from agent.sandbox.server import Request
from agent.sending.batches import Batches
from agent.sending.context import SendingContext
from agent.sending.submitter import Submitter
from agent.targets.gate import Gate
from agent.targets.playment.client import Playment
from tests.sending import NO_LIMITS, RULES, TERMS, Clock, image_unit, scanner_of, sequence_unit, target_of
from tests.soak import LONG
from tests.support import KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLES = 10_000 if LONG else 100
BASE = "http://127.0.0.1:9/"
IMAGES = ("a.jpg", "b.jpg", "c.jpg")
FOLDERS = ("drive", "deep/drive")
FRAMES = ("f_10.jpg", "f_9.jpg", "f_1.jpg")
MADE = ("fine", "lost", "broken", "html", "stalled")
UNMADE = ("refused", "500", "later", "unread", "limited", "stalled before")


class Crash(BaseException):
    """The process dies here."""


class CrashingLedger(Ledger):
    """May die before and after each commit."""

    def __init__(self, path: Path, clock: Clock, point: Callable[[], None]) -> None:
        self._point = point
        super().__init__(path, clock.now)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        self._point()
        with super().transaction():
            yield
        self._point()


class QueuedLedger(LedgerWriter):
    """Commits, as the ledger's thread does, all that was handed in; when it is told to."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._queues: tuple[list[Piece], list[Piece]] = [], []

    def submit(self, work: Callable[[Ledger], Any], *, first: bool = False) -> Future[Any]:
        future: Future[Any] = Future()
        self._queues[0 if first else 1].append((work, future))
        return future

    def call(self, work: Callable[[Ledger], Any]) -> Any:
        future = self.submit(work)
        self.flush()
        return future.result()

    def flush(self) -> None:
        group = [piece for queue in self._queues for piece in queue]
        self._queues = [], []
        if group:
            self._commit(group)


class QueuedPool:
    """Does its next piece of work when it is told to."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.work: list[Callable[[], None]] = []

    def submit(self, work: Callable[[], None]) -> None:
        self.work.append(work)

    def close(self, seconds: float) -> bool:
        return True

    def run(self, index: int = 0) -> None:
        if self.work:
            self.work.pop(index % len(self.work))()


class Wire:
    """Playment without sockets: the client's requests go to the sandbox, and its answers back, as far as they come.

    `next_faults` says what becomes of the next jobs' requests. `made` is called with each job that is made.
    """

    def __init__(self, sandbox: Sandbox, point: Callable[[], None], check: Callable[[dict[str, Any]], None]) -> None:
        self.sandbox = sandbox
        self.next_faults: list[str] = []
        self.key = KEY
        self._point = point
        self._check = check

    def exchange(self, method: str, url: str, body: bytes | None, *, seconds: float, limit: int) -> Reply:
        self._point()
        posts = method == "POST" and url.endswith("/jobs")
        fault = self.next_faults.pop(0) if posts and self.next_faults else "fine"
        if fault in UNMADE:
            reply = _unmade(fault)
        else:
            parts = urlsplit(url)
            query = dict(pair.split("=", 1) for pair in parts.query.split("&") if pair)
            before = len(self.sandbox.jobs)
            answer = self.sandbox._answer(
                Request(method, unquote(parts.path), {k: [unquote(v)] for k, v in query.items()}, self.key, body or b"")
            )
            if len(self.sandbox.jobs) > before:
                self._check(self.sandbox.jobs[-1].body)
            reply = _reply(answer.status, json.dumps(answer.body).encode())
            if answer.status == 200:
                reply = _garbled(fault, reply)
        self._point()
        if isinstance(reply, TryLater):
            raise reply
        return reply

    def close(self) -> None:
        pass


def _reply(status: int, body: bytes, retry_after: float | None = None) -> Reply:
    return Reply(status=status, body=body, cut=False, retry_after=retry_after, location=None, date=None)


def _unmade(fault: str) -> Reply | TryLater:
    def failure(code: str) -> bytes:
        return json.dumps({"error": {"code": code, "message": "no"}, "success": False}).encode()

    replies: dict[str, Reply | TryLater] = {
        "refused": TryLater("no connection", code="connection", refused=True),
        "500": _reply(500, b"<html>"),
        "later": _reply(400, failure("FS_0000")),
        "unread": _reply(400, failure("FS_0007")),
        "limited": _reply(429, b"", 30.0),
        "stalled before": TryLater("no answer", code="timeout"),
    }
    return replies[fault]


def _garbled(fault: str, reply: Reply) -> Reply | TryLater:
    replies: dict[str, Reply | TryLater] = {
        "fine": reply,
        "lost": TryLater("the connection broke", code="connection"),
        "broken": _reply(502, b""),
        "html": _reply(200, b"<html>welcome</html>"),
        "stalled": TryLater("no answer", code="timeout"),
    }
    return replies[fault]


class ExactlyOnce(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="exactly-once-"))
        self.inbox = self.place / "inbox"
        self.inbox.mkdir()
        self.clock = Clock()
        self.crash_in: int | None = None
        self.scanner = scanner_of(self.inbox)
        self.wire = Wire(Sandbox(rng=random.Random(1), api_key=KEY), self.point, self.check_made)
        self.arrivals: Counter[str] = Counter()
        self.contents: dict[str, set[str]] = {}
        self.count = 0
        self.problems: list[str] = []
        self.start()

    # The process

    def point(self) -> None:
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in < 0:
                self.crash_in = None
                raise Crash

    def start(self) -> None:
        self.store = CrashingLedger(self.place / "ledger.db", self.clock, self.point)
        self.reads = Reads.open(self.place / "ledger.db")
        self.ledger = QueuedLedger(self.store)
        self.gate = Gate(self.clock.monotonic)
        self.gate.enter = lambda: not self.gate.is_shut  # type: ignore[method-assign]  # the one thread cannot wait
        self.gate.enter_to_send = self.gate.enter  # type: ignore[method-assign]
        self.gate.left = lambda: None  # type: ignore[method-assign]
        self.gate.enter_to_read = lambda: not self.gate.blocked  # type: ignore[method-assign]
        client = Playment(BASE, "p1", KEY, Edition.V0)
        client._transport = self.wire  # type: ignore[assignment]  # the same method without a socket
        target = target_of(client)
        context = SendingContext(
            target=target,
            batches=Batches(target, LedgerBatches(self.ledger)),
            publisher=BaseUrl(BASE),
            probe=None,
            probe_all=False,
            scanner=self.scanner,
            terms=TERMS,
            limits=NO_LIMITS,
            rules=RULES,
            batch_name=lambda path: parent(path).replace("/", "-") or None,
            batch_of=lambda _path, said: (None, said or None),
            folders=NO_FOLDERS,
            now=self.clock.now,
            monotonic=self.clock.monotonic,
            on_changed=lambda _path, _kind: None,
        )
        self.pools = (QueuedPool(2), QueuedPool(2), QueuedPool(1))
        self.submitter = Submitter(context, self.ledger, self.reads, self.gate, Pools(*self.pools))
        self.ledger.call(jobs.recover)

    def restart(self) -> None:
        self.crash_in = None
        self.store.close()
        self.reads.close()
        self.start()

    def go(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Crash:
            self.restart()

    # People and their files

    def write(self, path: str, content: str) -> None:
        file = self.inbox / path
        file.parent.mkdir(parents=True, exist_ok=True)
        self.count += 1
        temporary = self.place / f"new-{self.count}"
        temporary.write_text(content, encoding="utf-8")
        temporary.replace(file)

    def arrived(self, path: str) -> None:
        unit = self.unit(path)
        assert unit is not None
        assert unit.digest is not None
        self.arrivals[unit.digest] += 1
        self.contents.setdefault(path, set()).add(unit.digest)

    def unit(self, path: str) -> Unit | None:
        if path in IMAGES:
            return image_unit(self.scanner, path) if (self.inbox / path).exists() else None
        listing = self.scanner.list(path)
        return sequence_unit(self.scanner, path) if listing is not None and listing.files else None

    @rule(path=st.sampled_from(IMAGES), content=st.sampled_from("xy"))
    def drop_image(self, path: str, content: str) -> None:
        self.write(path, content)
        self.arrived(path)

    @rule(
        path=st.sampled_from(FOLDERS),
        content=st.sampled_from("xy"),
        frames=st.sets(st.sampled_from(FRAMES), min_size=1),
    )
    def drop_frames(self, path: str, content: str, frames: set[str]) -> None:
        for name in sorted(frames):
            self.write(f"{path}/{name}", f"{path}{content}{name}")
        self.arrived(path)

    @rule(path=st.sampled_from(IMAGES + FOLDERS))
    def delete(self, path: str) -> None:
        if path in IMAGES:
            (self.inbox / path).unlink(missing_ok=True)
        else:
            shutil.rmtree(self.inbox / path, ignore_errors=True)

    @rule(old=st.sampled_from(IMAGES), new=st.sampled_from(IMAGES))
    def move(self, old: str, new: str) -> None:
        if (self.inbox / old).exists():
            (self.inbox / old).rename(self.inbox / new)
            unit = self.unit(new)
            assert unit is not None
            assert unit.digest is not None
            self.contents.setdefault(new, set()).add(unit.digest)

    # The agent

    @rule(path=st.sampled_from(IMAGES + FOLDERS))
    def detect(self, path: str) -> None:
        """Look at a unit: it has settled, or it is gone."""
        self.ledger.submit(partial(self._detect, path=path))

    def _detect(self, ledger: Ledger, *, path: str) -> None:
        unit = self.unit(path)
        if unit is None:
            units.vanish(ledger, path, Kind.IMAGE if path in IMAGES else Kind.SEQUENCE)
            return
        look = seen.newest(ledger.sql, UnitKey(path, unit.kind))
        entries = [Entry(frame.frame_id, frame.stamp) for frame in unit.frames]
        if look is not None and is_at_rest(
            *look, entries[0].stamp if unit.kind is Kind.IMAGE else fingerprint(entries)
        ):
            return
        units.notice(ledger, Sight(unit.path, unit.kind, "settles", len(unit.frames), unit.bytes))
        left = left_behind(self.scanner, Reads.within(ledger), unit)
        name = namer(BaseUrl(BASE)) if unit.kind is Kind.SEQUENCE else units.nameless  # both ways lead to a job
        units.apply(ledger, related.plan(ledger.sql, unit, RULES, left), name)

    @rule()
    def turn(self) -> None:
        self.go(self.submitter.turn)

    @rule(pool=st.integers(0, 2), index=st.integers(0, 3))
    def run(self, pool: int, index: int) -> None:
        self.go(partial(self.pools[pool].run, index))

    @rule()
    def commit(self) -> None:
        self.go(self.ledger.flush)

    @rule()
    def send(self) -> None:
        """Go all the way from the turn to the outcome, if nothing is in between."""
        self.go(self._send)

    def _send(self) -> None:
        for _ in range(3):
            self.ledger.flush()
            self.submitter.turn()
            for pool in self.pools:
                while pool.work:
                    pool.run()
            self.ledger.flush()

    @rule(path=st.sampled_from(IMAGES), content=st.sampled_from("xyz"))
    def change_after_the_intent(self, path: str, content: str) -> None:
        """Bring jobs to their intents, and change a file before they are posted."""
        self.detect(path)

        def claim() -> None:
            self.ledger.flush()
            self.submitter.turn()
            while self.pools[0].work:
                self.pools[0].run()
            self.submitter.turn()
            self.ledger.flush()

        self.go(claim)
        self.drop_image(path, content)

    @rule(seconds=st.sampled_from([1, 40, 400, 4000, 100_000]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(faults=st.lists(st.sampled_from(MADE + UNMADE), min_size=1, max_size=4))
    def trouble(self, faults: list[str]) -> None:
        self.wire.next_faults = faults

    @rule(points=st.integers(0, 8))
    def crash_soon(self, points: int) -> None:
        self.crash_in = points

    @rule()
    def kill(self) -> None:
        self.restart()

    @rule(works=st.booleans())
    def change_key(self, works: bool) -> None:
        self.wire.key = KEY if works else "revoked"

    @rule()
    def retry(self) -> None:
        self.go(partial(self.ledger.call, self._retry))

    @staticmethod
    def _retry(ledger: Ledger) -> None:
        for target in orders.in_states(ledger, orders.RETRIED):
            if target.state == "failed":
                orders.retry(ledger, target)

    # What must hold

    def check_made(self, body: dict[str, Any]) -> None:
        """Note a job that is made of other bytes than those that are there, or not in their order."""
        data = body["data"]
        sources = [data["image_url"]] if "image_url" in data else [f["src"] for f in data["video_data"]["frames"]]
        paths = [source.removeprefix(BASE) for source in sources]
        unit = self.unit(paths[0] if "image_url" in data else parent(paths[0]))
        names = [path.rpartition("/")[2] for path in paths]
        if (
            unit is None
            or unit.digest is None
            or not body["reference_id"].endswith(f"~{unit.digest[:12]}")
            or names != [frame.frame_id for frame in unit.frames]
        ):
            self.problems.append(f"{body} was made of {unit}")

    def teardown(self) -> None:
        try:
            self.recover()
            self.check()
        finally:
            self.store.close()
            self.reads.close()
            shutil.rmtree(self.place)

    def rows(self, where: str = "1") -> list[dict[str, Any]]:
        cursor = self.store.sql.execute(f"select * from jobs where {where} order by id")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def recover(self) -> None:
        """Start once more, with everything in order, and go on until nothing is left to do."""
        self.restart()
        self.wire.next_faults, self.wire.key = [], KEY
        waiting = ", ".join(f"'{state}'" for state in (*WAITING, "failed"))
        before: list[dict[str, Any]] = []
        for _ in range(60):
            for path in IMAGES + FOLDERS:
                self.detect(path)
            self._send()
            self.ledger.call(self._retry)
            self.clock.advance(700)
            after = self.rows()
            if after == before and not self.rows(f"state in ({waiting})"):
                return
            before = after
        raise AssertionError(f"it never ends: {self.rows()}")

    def check(self) -> None:
        assert self.problems == []
        made = {job.job_id: job for job in self.wire.sandbox.jobs}
        rows = self.rows()
        known = Counter(row["job_id"] for row in rows if row["state"] == "submitted")
        assert known == Counter(made.keys()), "the ledger holds every job of Playment's, once"
        by_digest = Counter(job.reference_id.rpartition("~")[2] for job in made.values())
        arrivals = {digest[:12]: count for digest, count in self.arrivals.items()}
        assert all(count <= arrivals[digest] for digest, count in by_digest.items()), "nothing is sent twice"
        for path in IMAGES + FOLDERS:
            unit = self.unit(path)
            if unit is None or unit.digest is None:
                continue
            states = [row["state"] for row in rows if row["digest"] == unit.digest]
            here = [row["state"] for row in rows if (row["digest"], row["path"]) == (unit.digest, path)]
            if self.contents[path] == {unit.digest} and self.arrivals[unit.digest] == 1:
                assert states.count("submitted") == 1, "what never changed was sent"
            allowed = {"submitted", "held", "duplicate"}
            assert allowed & set(here), f"{path} has no row that says how it stands: {rows}"
        assert all(row["error_code"] == "reference-id" for row in rows if row["state"] == "duplicate")

    @initialize()
    def begin(self) -> None:
        self.drop_image(IMAGES[0], "x")


TestExactlyOnce = ExactlyOnce.TestCase
TestExactlyOnce.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
