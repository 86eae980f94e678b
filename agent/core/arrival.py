"""When a folder of frames has arrived: what it waits for, and what is told when that does not come. Pure.

Quiet is the weakest proof. Beside it: an entry that is being written holds its folder, a picture under a name that is
no frame's is on its way and keeps it, and the pace of what came so far says how long a pause may be. What is no
picture holds it for ten minutes after the last change of a frame. All is judged by what this process has seen, in
monotonic seconds: the clock of a share, or a file's own times, prove nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.core.entries import Role, is_side_file, role_of
from agent.core.frame_order import arrange
from agent.model import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.core.quiet_times import Quiet
    from agent.model import Entry, File, Listing, Stamp

LEFT_BEHIND = 3600.0
"""Seconds without any change after which an entry that should become a frame is told of."""
NO_PICTURES_HOLD = 600.0
"""Seconds after the last change of a frame for which what is no picture holds its folder."""
PAUSES = 4.0
"""A folder waits for so many times the longest pause between its arrivals: parallel tools finish in waves."""
LONGEST_PACE = 900.0
WRITER_LOOKS = 60.0
"""Seconds between looks at a folder whose writer nobody tells the end of."""


@dataclass(frozen=True, slots=True)
class FolderLook:
    """What one look at a folder shows.

    `writers` are the names that are being written, each with whether it is known to have been written to; `beside`: one
    writes in a hidden folder in it, or above it. `heads` are the first bytes of entries, as far as they are known.
    """

    listing: Listing
    writers: Mapping[str, bool] = field(default_factory=dict)
    beside: str = ""
    heads: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a folder waits from a look on, and for what.

    It has to stay as `look` says for `quiet` seconds, and settles not before `until`, when it is looked at again. What
    is `left` behind is a sentence about an entry that did not become a frame in an hour. `proved`: all frames that are
    expected are there.
    """

    look: int
    quiet: float
    until: float
    reason: str
    left: str = ""
    proved: bool = False


class Arrival:
    """A folder of frames from the first look at it until it has settled. `now` is in monotonic seconds."""

    def __init__(self) -> None:
        self._frames: int | None = None
        self._frames_since = 0.0
        self._longest_pause = 0.0
        self._is_expected = False
        self._entries: dict[str, tuple[Stamp, float]] = {}
        self._holes: tuple[int | None, bool] | None = None

    def look(
        self,
        seen: FolderLook,
        quiet: Quiet,
        extensions: frozenset[str],
        *,
        now: float,
        since: Callable[[Entry], float] | None = None,
        frames_since: float | None = None,
    ) -> Waits:
        """Take a look, which ended at `now`, and say what the folder waits for.

        `frames_since` and `since` are for who cannot wait: when the frames, and an entry, were changed last.
        """
        listing = seen.listing
        self._note_frames(listing, now if frames_since is None else frames_since)
        others = self._note_others(listing, now, since)
        if quiet.is_blocked:
            return Waits(listing.fingerprint, quiet.seconds, math.inf, quiet.reason)
        frames = {file[0]: file for file in listing.files}
        writing = _still_written(seen, frames)
        if quiet.is_proof:
            busy = next((name for name in writing if name in frames), None)
            until, reason = (-math.inf, quiet.reason) if busy is None else (now + WRITER_LOOKS, _written(busy))
            return Waits(listing.fingerprint, quiet.seconds, until, reason, proved=True)
        roles = {
            entry: role_of(entry, frames, extensions, seen.heads.get(entry.name), is_open=entry.name in writing)
            for entry in others
        }
        return self._judge(seen, quiet, frames, writing, roles, now=now)

    def _judge(
        self,
        seen: FolderLook,
        quiet: Quiet,
        frames: Mapping[str, File],
        writing: list[str],
        roles: Mapping[Entry, Role],
        *,
        now: float,
    ) -> Waits:
        """Weigh what was seen: pictures to come first, then what is none, then the pace."""
        data_counts = now - self._frames_since < NO_PICTURES_HOLD - quiet.seconds
        counted = {Role.ON_ITS_WAY, Role.DATA} if data_counts else {Role.ON_ITS_WAY}
        look = _look(seen.listing, [entry for entry, role in roles.items() if role in counted])
        pace = max(quiet.seconds, min(PAUSES * self._longest_pause, LONGEST_PACE))
        ways = [entry.name for entry, role in roles.items() if role is Role.ON_ITS_WAY]
        expected = self._expected(frames, writing, ways)
        self._is_expected = expected is not None or bool(writing or seen.beside)
        if expected is not None:
            name, sentence, unchanged_since = expected
            if now - unchanged_since >= LEFT_BEHIND:
                return Waits(look, pace, math.inf, sentence, _left(name))
            left = unchanged_since + LEFT_BEHIND - now
            until = now + min(WRITER_LOOKS, max(left, 1.0))  # later than now, whatever the last bits of a sum say
            return Waits(look, pace, until, sentence)
        if data_counts and (writing or seen.beside):
            return Waits(look, pace, now + WRITER_LOOKS, _written(writing[0] if writing else seen.beside))
        reason = quiet.reason if pace == quiet.seconds else _longer(pace, "its files come at such a pace")
        if now - self._frames_since >= pace and self._has_holes(frames):
            pace = max(pace, quiet.with_holes, min(2 * PAUSES * self._longest_pause, LONGEST_PACE))
            reason = _longer(pace, "its numbering has holes")
        return Waits(look, pace, -math.inf, reason)

    def _expected(
        self, frames: Mapping[str, File], writing: list[str], ways: list[str]
    ) -> tuple[str, str, float] | None:
        """Return a picture that is still to come, in words, and since when nothing of it has changed."""
        for name in writing:
            if name in frames:
                return name, _written(name), self._frames_since
        for name in writing:
            if name in ways:
                return name, _written(name), self._entries[name][1]
        if ways:
            name = max(ways, key=lambda name: self._entries[name][1])
            return name, f"waits for {shown(name)} (a copy under way?)", self._entries[name][1]
        return None

    def _note_frames(self, listing: Listing, now: float) -> None:
        if listing.fingerprint == self._frames:
            return
        if self._frames is not None and not self._is_expected:  # else it was no pause: something was on its way
            self._longest_pause = max(self._longest_pause, now - self._frames_since)
        self._frames, self._frames_since = listing.fingerprint, now

    def _has_holes(self, frames: Mapping[str, File]) -> bool:
        """Tell whether the frames' numbering has holes: asked once for the same frames."""
        if self._holes is None or self._holes[0] != self._frames:
            self._holes = (self._frames, arrange(frames).gaps is not None)
        return self._holes[1]

    def _note_others(self, listing: Listing, now: float, since: Callable[[Entry], float] | None) -> list[Entry]:
        """Note since when each entry is as it is, and return those that bear on the folder."""
        others = [entry for entry in listing.others if not is_side_file(entry.name)]
        known = self._entries
        self._entries = {
            entry.name: known[entry.name]
            if entry.name in known and known[entry.name][0] == entry.stamp
            else (entry.stamp, now if since is None else since(entry))
            for entry in others
        }
        return others


def _still_written(seen: FolderLook, frames: Mapping[str, File]) -> list[str]:
    """Return the names that are there and are being written."""
    sizes = {entry.name: entry.stamp.size for entry in seen.listing.others if not is_side_file(entry.name)}
    sizes |= {name: frames[name][1] for name in seen.writers if name in frames}
    return [name for name, size in sizes.items() if _is_writing(seen, name, size)]


def _is_writing(seen: FolderLook, name: str, size: int) -> bool:
    """Tell whether an entry is being written: a hard link is made whole, and nobody closes it."""
    was_written = seen.writers.get(name)
    return was_written is not None and (was_written or not size)


def _look(listing: Listing, counted: list[Entry]) -> int:
    """Return a number that is equal where the frames, and the entries that count, are."""
    return hash((listing.fingerprint, frozenset(counted))) if counted else listing.fingerprint


def _left(name: str) -> str:
    return (
        f"{shown(name)} has not changed for an hour, and no frame has come of it: end the copy, or remove the file, "
        "and it goes on"
    )


def _written(name: str) -> str:
    return f"waits for {shown(name)}, which is being written"


def _longer(seconds: float, why: str) -> str:
    return f"waits until it has been unchanged for {seconds:.0f} s: {why}"
