"""What noticing is made of, put together: for a running agent, and for a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.listing_queue import ListingQueue
from agent.folder.inodes import InodeWatch
from agent.host.clock import Clocks
from agent.noticing.arriving import Arriving, NobodyKnown
from agent.noticing.claims import Unshared
from agent.noticing.compare import Comparison
from agent.noticing.detector import Detector
from agent.noticing.intake import Intake
from agent.noticing.lister import Lister
from agent.noticing.rest import Rest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agent.core.quiet_times import QuietTimes
    from agent.folder.tree import Tree
    from agent.ledger.reads_for_noticing import ReadsForNoticing
    from agent.model import File
    from agent.noticing.arriving import Writers
    from agent.noticing.book import Book, Decider
    from agent.noticing.claims import Claims
    from agent.reading.readers import Readers


@dataclass(frozen=True, slots=True)
class Noticing:
    """The parts of noticing that others talk to, in the loop's thread."""

    rest: Rest
    intake: Intake
    lister: Lister
    detector: Detector
    book: Book
    inodes: InodeWatch


def noticing(
    tree: Tree,
    reads: ReadsForNoticing,
    quiet: QuietTimes,
    readers: Readers,
    *,
    book: Book,
    decider: Decider,
    clocks: Clocks = Clocks(),  # noqa: B008 (a record of functions)
    writers: Writers = NobodyKnown(),  # noqa: B008 (it holds nothing)
    absence_is_proof: Callable[[], bool] = lambda: False,
    trusted: bool = True,
    cover: Callable[[str], None] = lambda _folder: None,
    fed: Callable[[], None] = lambda: None,
    quiet_since: Callable[[Iterable[File], float], float] | None = None,
    claims: Claims = Unshared(),  # noqa: B008 (it holds nothing)
) -> Noticing:
    """Return what notices the units of a tree and puts what it decides into `book` and `decider`.

    `reads` is a ledger connection of the loop's thread; `absence_is_proof` tells whether what is not listed was
    deleted. The others are as in Intake, Lister and Detector.
    """
    inodes = InodeWatch(tree.scanner)
    queue, rest = ListingQueue(), Rest(reads, inodes)
    intake = Intake(
        rest,
        Arriving(tree, quiet, writers, quiet_since),
        readers,
        book=book,
        decider=decider,
        elsewhere=() if trusted else reads.unsent(),
        claims=claims,
    )
    comparison = Comparison(tree, rest, intake, monotonic=clocks.monotonic, absence_is_proof=absence_is_proof)
    lister = Lister(tree, queue, rest, comparison, inodes, book=book, clocks=clocks, cover=cover)

    def flush() -> bool:
        book.flush(absence_is_proof)
        return book.is_behind

    detector = Detector(tree, queue, rest, intake, lister, monotonic=clocks.monotonic, flush=flush, fed=fed)
    return Noticing(rest, intake, lister, detector, book, inodes)
