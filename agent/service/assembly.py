"""Puts sending together from the settings, and starts it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from agent.host.workers import Pools
from agent.ledger.store import connect
from agent.publishing.probe import Probe
from agent.sending.context import Rig
from agent.sending.submitter import Submitter
from agent.settings.parts import (
    LedgerBatches,
    batch_chooser,
    batch_namer,
    is_probed,
    limits_of,
    playment_of,
    terms_of,
    utc_now,
)
from agent.targets.playment.batches import Batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.core.folder_rules import Folders
    from agent.folder.scanner import Scanner
    from agent.ledger.writer import LedgerThread
    from agent.model import Kind
    from agent.publishing import Publisher
    from agent.settings.settings import Settings
    from agent.targets.gate import Gate


@contextlib.contextmanager
def sending(
    settings: Settings,
    ledger: LedgerThread,
    gate: Gate,
    *,
    scanner: Scanner,
    publisher: Publisher,
    folders: Folders,
    monotonic: Callable[[], float],
    on_changed: Callable[[str, Kind], None],
    fingerprint: Callable[[str, str | None], bytes | None],
) -> Iterator[Submitter]:
    """Give a submitter that runs, and close what it uses in the end; the submitter itself is the caller's to close.

    `on_changed` is told of a unit whose files changed under way; `fingerprint` is as in Rig.
    """
    with contextlib.ExitStack() as stack:
        playment = stack.enter_context(contextlib.closing(playment_of(settings)))
        probe = stack.enter_context(contextlib.closing(Probe())) if is_probed(settings) else None
        reads = stack.enter_context(contextlib.closing(connect(settings.ledger_path, read_only=True)))
        rig = Rig(
            playment=playment,
            batches=Batches(playment, LedgerBatches(ledger)),
            publisher=publisher,
            probe=probe,
            probe_all=settings.publish_probe == "all",
            scanner=scanner,
            terms=terms_of(settings),
            limits=limits_of(settings),
            batch_name=batch_namer(settings),
            batch_of=batch_chooser(settings),
            folders=folders,
            now=utc_now,
            monotonic=monotonic,
            on_changed=on_changed,
            fingerprint=fingerprint,
        )
        pools = Pools.of_threads(publish=settings.publish_workers, post=settings.submit_workers)
        submitter = Submitter(rig, ledger, reads, gate, pools)
        submitter.start()
        yield submitter
