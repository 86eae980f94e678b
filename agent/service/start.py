"""Starts the parts of a running agent in their order, and ends them in the opposite one."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from agent.core.flow import Flow
from agent.core.unset_clock import is_unset
from agent.errors import Interrupted
from agent.folder.tree import Tree
from agent.folder.watched_folder import WatchedFolder
from agent.host import locks, mounts
from agent.host.clock import Clocks, utc_now
from agent.host.meters import Meters
from agent.ledger import counters, past
from agent.ledger.reads import Reads
from agent.ledger.session import begin, data_version, ended
from agent.ledger.store import Ledger, iso
from agent.ledger.upkeep import Upkeep
from agent.ledger.writer import LedgerWriter
from agent.model import UnitKey
from agent.noticing.claims import Claims, Unshared
from agent.noticing.decide import LedgerDecider, Verdicts
from agent.noticing.ledger_book import LedgerBook
from agent.noticing.messages import Changed, LedgerChanged
from agent.noticing.rounds import Rounds
from agent.noticing.start import Noticing, noticing
from agent.publishing import namer
from agent.reading.start import reading
from agent.service.assembly import collecting, fleet_of, member_of, publisher_of, sending
from agent.service.folder import folders_of, scanner_of
from agent.service.names import called
from agent.service.news import notifier_of, telling
from agent.service.twice import late_of, twins_of_others
from agent.settings.parts import cautions_of, filters_of, image_rules_of, quiet_of, rules_of, world_of
from agent.targets.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.core.whereabouts import Whereabouts
    from agent.ledger.session import LastRun
    from agent.noticing.messages import Item
    from agent.sending.submitter import Submitter
    from agent.service.assembly import Follow
    from agent.settings.settings import Settings

log = logging.getLogger(__package__)

STOP_SECONDS = 18.0
"""Finish what is in flight for this long; the whole stop is promised to be over in 20 s."""


class OtherWriters:
    """Tells the loop when another process has written. All methods are the ledger's thread's."""

    def __init__(self, post: Callable[[Item], None]) -> None:
        self._post = post
        self._version = 0

    def begin(self, ledger: Ledger, here: Whereabouts) -> LastRun:
        """Write who runs here, and take up what the last run has left."""
        before = begin(ledger, here)
        self._version = data_version(ledger)
        return before

    def check(self, ledger: Ledger) -> None:
        """Notice what another process has written; the own writes of this thread's connection do not count."""
        version = data_version(ledger)
        if version != self._version:
            self._version = version
            self._post(LedgerChanged(past.is_paused(ledger)))


@dataclass(frozen=True, slots=True)
class Running:
    """The parts of a running agent that its loop talks to. `reads` is for the loop's thread."""

    watch: WatchedFolder
    ledger: LedgerWriter
    meters: Meters
    reads: Reads
    others: OtherWriters
    gate: Gate
    submitter: Submitter
    rounds: Rounds


@contextlib.contextmanager
def started(
    settings: Settings,
    post: Callable[[Item], None],
    *,
    follow: Follow,
    once: bool,
    is_stopping: Callable[[], bool],
    tell: Callable[[str], None],
    starting: Callable[[str], None],
    fed: Callable[[], None],
) -> Iterator[Running]:
    """Take the locks, open the ledger, and start the threads; give the parts until the block ends.

    `post` hands the loop messages, from any thread; `follow` is told who obeys settings that change; `tell` says how
    the stop goes on, `starting` what makes the start last; `fed` is called after every folder listed. Raises
    AlreadyRunning, LedgerError, FolderUnavailable.
    """
    clocks = Clocks()
    scanner = scanner_of(settings)
    folders = folders_of(settings, scanner)
    publisher, notifier = publisher_of(settings, scanner), notifier_of(settings)
    for told in filter(None, (*cautions_of(settings), twins_of_others(settings), publisher.caution)):
        log.warning("%s", told)
    with contextlib.ExitStack() as stack:
        stack.enter_context(locks.lock_file(settings.lock_path))
        watch = WatchedFolder(
            settings.watch_dir,
            settings.watch_mode,
            poll_seconds=settings.watch_poll_seconds,
            rescan_seconds=settings.watch_rescan_seconds,
            scanner=scanner,
            notice=post,
        )
        stack.callback(watch.close)
        ledger, meters = _writer(settings, stack, starting)
        others = OtherWriters(post)
        before = ledger.call(lambda ledger: others.begin(ledger, watch.whereabouts))
        scanner.inodes_last = before.inodes_last
        gate = _gate(settings, ledger, before, clocks)
        follow(lambda new: gate.limit_rate(new.submit_jobs_per_minute))

        def go_on() -> None:
            if is_stopping():
                raise Interrupted("not read: the agent is stopping")

        order, doubt = settings.sequence_order, settings.sequence_order_doubt
        pictures = image_rules_of(settings)
        readers = stack.enter_context(
            reading(scanner, settings.sequence_gaps, go_on, order=order, doubt=doubt, rules=pictures)
        )
        if not once:
            stack.enter_context(collecting(settings, ledger, gate, follow))
        fleet = fleet_of(settings)
        member = None if fleet is None else member_of(settings, fleet, ledger, gate, clocks.monotonic)
        submitter = stack.enter_context(
            sending(
                settings,
                ledger,
                gate,
                meters=meters,
                member=member,
                scanner=scanner,
                publisher=publisher,
                folders=folders,
                monotonic=clocks.monotonic,
                on_changed=lambda path, kind: post(Changed(UnitKey(path, kind))),
                fingerprint=readers.fingerprint,
                follow=follow,
            )
        )
        stack.callback(_stop_sending, submitter, tell)
        reads = stack.enter_context(Reads.open(settings.ledger_path))
        watch.start()
        rules = rules_of(settings)
        verdicts = Verdicts(scanner, rules, namer(publisher))
        claims: Claims = Unshared()
        if fleet is not None and member is not None and mounts.shared_place(settings.watch_dir):
            from agent.service.shared_reading import SharedReading  # noqa: PLC0415 - most hosts are alone

            claims = shared = SharedReading(fleet, ledger, verdicts=verdicts, rules=rules, post=post, member=member)
            stack.callback(shared.close)

        def begin_noticing(trusted: bool) -> Noticing:  # noqa: FBT001 (said by Rounds)
            return noticing(
                Tree(scanner, filters_of(settings), folders),
                reads,
                quiet_of(settings),
                readers,
                book=LedgerBook(ledger, post),
                decider=LedgerDecider(ledger, verdicts, post),
                clocks=clocks,
                absence_is_proof=watch.is_proof,
                trusted=trusted,
                writers=watch,
                cover=watch.cover,
                fed=fed,
                claims=claims,
            )

        rounds = Rounds(
            watch, ledger, begin_noticing, monotonic=clocks.monotonic, home=before.home, trusted=before.is_here
        )
        if not once:
            stack.enter_context(telling(settings, notifier, ledger, clocks.monotonic))
        yield Running(watch, ledger, meters, reads, others, gate, submitter, rounds)


def _writer(
    settings: Settings, stack: contextlib.ExitStack, starting: Callable[[str], None]
) -> tuple[LedgerWriter, Meters]:
    """Open the ledger and start the thread that writes to it; go on counting where the last run ended."""
    name, late = called(settings.target), late_of(settings)
    ledger = Ledger(settings.ledger_path, utc_now, name, mode=settings.ledger_mode, tell=starting, late=late)
    stack.callback(ledger.close)
    ledger.bind(world_of(settings))
    writer = LedgerWriter(ledger, Upkeep(settings.ledger_keep_events_days).step)
    stack.callback(writer.close)
    meters = Meters(writer.call(counters.kept))
    stack.push(partial(_record_end, writer, meters))
    return writer, meters


def _record_end(writer: LedgerWriter, meters: Meters, defect: type[BaseException] | None, *_: object) -> None:
    sums = meters.sums()
    writer.submit(lambda ledger: ended(ledger, sums, stopped=defect is None))


def _gate(settings: Settings, ledger: LedgerWriter, before: LastRun, clocks: Clocks) -> Gate:
    """Return the gate before every request, as the last run has left it."""

    def keep(seconds: float) -> None:
        ledger.submit(lambda ledger: ledger.put(held_until=iso(ledger.now + timedelta(seconds=seconds))))

    gate = Gate(clocks.monotonic, settings.submit_jobs_per_minute, keep, Flow(settings.submit_workers))
    gate.pause(paused=before.paused)
    gate.wait_for_clock(unset=is_unset(utc_now()))  # the dispatcher has it looked at again
    gate.hold(before.held_for)
    return gate


def _stop_sending(submitter: Submitter, tell: Callable[[str], None]) -> None:
    tell("stopping: finishing what is in flight")
    if not submitter.close(STOP_SECONDS):
        log.warning("some answers did not come within %d s: looked into at the next start", STOP_SECONDS)
