"""What sending is made of, handed to all that send."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.host.meters import Meters

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from agent.core.folder_rules import FolderRulesSource
    from agent.core.reference_id import IdRules
    from agent.core.spend_guard import Limits
    from agent.folder.scanner import Scanner
    from agent.model import Kind
    from agent.model.jobs import Terms
    from agent.publishing import Publisher
    from agent.publishing.probe import Probe
    from agent.sending.batches import Batches
    from agent.targets import Target


@dataclass(frozen=True, slots=True)
class SendingContext:
    """What sending is made of.

    `batch_name` gives the batch's name for a path now, or None for `terms.batch_id`. `batch_of` gives (id, name) of the
    batch for a path and what its folder's settings say; `folders` knows these.

    `now` gives the time in UTC, `monotonic` seconds for waiting. `on_changed` is told of a unit whose files changed.
    `fingerprint` gives the `plan.fingerprint_of` the files that are in a folder with a ready marker now, or None where
    it has to be listed to know. `meters` counts what is sent.
    """

    target: Target
    batches: Batches
    publisher: Publisher
    probe: Probe | None
    probe_all: bool
    scanner: Scanner
    terms: Terms
    limits: Limits
    rules: IdRules
    batch_name: Callable[[str], str | None]
    batch_of: Callable[[str, str], tuple[str | None, str | None]]
    folders: FolderRulesSource
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    on_changed: Callable[[str, Kind], None]
    fingerprint: Callable[[str, str | None], bytes | None] = lambda _folder, _marker: None
    meters: Meters = field(default_factory=Meters)
