"""What reading is made of: the reader, and the threads and processes that it works with."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING

from agent.core.frame_order import NATURAL
from agent.core.image_rules import USUAL_RULES
from agent.core.retry import PROCESSES
from agent.host.workers import Workers
from agent.model import Kind
from agent.reading import formats, full
from agent.reading.ahead import MOST, examine_ahead
from agent.reading.decode import problem_of
from agent.reading.examiner import FileExaminer
from agent.reading.processes.pool import ProcessPool, fitting
from agent.reading.reader import Reader
from agent.reading.readers import Readers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.core.image_rules import ImageRules
    from agent.folder.scanner import Scanner

STOP_SECONDS = 1.0
SEQUENCES = 2
"""Sequences that are read at a time: the processes have the next one to read while the last answers are taken in."""


@contextlib.contextmanager
def reading(
    scanner: Scanner,
    gaps: str,
    go_on: Callable[[], None],
    *,
    order: str = NATURAL,
    doubt: str = "hold",
    rules: ImageRules = USUAL_RULES,
) -> Iterator[Readers]:
    """Give what reads until the block ends; `go_on` is called again and again and raises to stop reading.

    `gaps`, `order`, `doubt` and `rules` are as `Reader` takes them.

    Raises SettingsError where they ask for a decoder that is not installed.

    At the end files that are being read are waited for; what else is to be read is read after the next start.
    """
    full.require(rules)
    pool = ProcessPool(scanner, go_on, fitting(), rules=rules)
    images = Workers(
        "read-image",
        1,
        idle=pool.rest,
        idle_seconds=PROCESSES.seconds(),
        ahead=partial(examine_ahead, pool),
        most=MOST,
    )
    sequences = Workers("read-sequence", SEQUENCES, idle=pool.rest, idle_seconds=PROCESSES.seconds())
    try:
        # Imported at the start, the decoder too, which is given here: later they might be another version's.
        formats.import_all()
        files = FileExaminer(scanner, go_on, problem_of, rules)
        reader = Reader(files, gaps, pool.images, order=order, doubt=doubt, rules=rules)
        pools = {Kind.IMAGE: images, Kind.SEQUENCE: sequences}
        prepare = partial(sequences.submit, pool.prepare)
        yield Readers(reader, pools, prepare, pool.fingerprints.fingerprint)
    finally:
        for workers in (images, sequences):
            workers.discard()
        pool.kill()  # what they read now is read after the next start
        images.close(STOP_SECONDS)
        if sequences.close(STOP_SECONDS):
            pool.rest()
