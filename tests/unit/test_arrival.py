"""When a folder has arrived: rule by rule, and never half by any tool that shows what it does."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.arrival import LEFT_BEHIND, LONGEST_PACE, NO_PICTURES_HOLD, PAUSES, Arrival, FolderLook, Waits
from agent.core.quiet_times import Quiet
from agent.core.settling import Settling
from agent.model import Entry, Kind, Listing, Stamp, Times, UnitKey, quick_fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping

EXTENSIONS = frozenset({"jpg"})
QUIET = Quiet(30.0, "waits until it has been unchanged for 30 s", 60.0)
MARKED = Quiet(2.0, "waits until it has been unchanged for 2 s", 60.0)
PROVED = Quiet(2.0, "waits until it has been unchanged for 2 s", is_proof=True)
JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 12
UNIT = UnitKey("s", Kind.SEQUENCE)


def listing(frames: Mapping[str, int], others: Mapping[str, int] | None = None) -> Listing:
    """Make a listing of files by their sizes: a file's times are its size, too."""
    files = tuple((name, size, size, size, 1) for name, size in frames.items())
    rest = tuple(Entry(name, Stamp(size, size, size, 1)) for name, size in (others or {}).items())
    return Listing("s", Times(0, 0), files, rest, (), (), False, quick_fingerprint(files))


def look(arrival: Arrival, seen: FolderLook, now: float, quiet: Quiet = QUIET) -> Waits:
    return arrival.look(seen, quiet, EXTENSIONS, now=now)


def numbered(*numbers: int, size: int = 9) -> dict[str, int]:
    return {f"f{number}.jpg": size for number in numbers}


def test_a_quiet_folder_waits_its_time_and_no_longer() -> None:
    waits = look(Arrival(), FolderLook(listing(numbered(1, 2))), 100.0)
    assert (waits.quiet, waits.until, waits.reason, waits.left) == (30.0, -math.inf, QUIET.reason, "")


def test_a_frame_that_is_being_written_holds_its_folder() -> None:
    arrival = Arrival()
    for now in (100.0, 200.0, 1000.0):
        waits = look(arrival, FolderLook(listing(numbered(1, 2)), {"f2.jpg": True}), now)
        assert waits.until > now
        assert waits.reason == "waits for f2.jpg, which is being written"
    assert look(arrival, FolderLook(listing(numbered(1, 2))), 1001.0).until == -math.inf


def test_a_hard_link_is_made_whole_and_never_closed() -> None:
    assert look(Arrival(), FolderLook(listing(numbered(1, 2)), {"f2.jpg": False}), 100.0).until == -math.inf
    empty = FolderLook(listing({**numbered(1), "f2.jpg": 0}), {"f2.jpg": False})
    assert look(Arrival(), empty, 100.0).until > 100.0


@pytest.mark.parametrize("quiet", [QUIET, MARKED])
def test_a_picture_on_its_way_keeps_its_folder_for_an_hour_and_is_told_then(quiet: Quiet) -> None:
    arrival = Arrival()
    half = FolderLook(listing(numbered(1, 2), {"f3.jpg.Ab12Cd34": 5}))
    for now in (100.0, 200.0, 100.0 + LEFT_BEHIND - 1):
        waits = look(arrival, half, now, quiet)
        assert now < waits.until <= 100.0 + LEFT_BEHIND
        assert waits.reason == "waits for f3.jpg.Ab12Cd34 (a copy under way?)"
    told = look(arrival, half, 100.0 + LEFT_BEHIND, quiet).left
    assert told.startswith("f3.jpg.Ab12Cd34 has not changed for an hour")
    # It goes on, however slowly.
    assert not look(arrival, FolderLook(listing(numbered(1, 2), {"f3.jpg.Ab12Cd34": 6})), 101.0 + LEFT_BEHIND).left
    assert look(arrival, FolderLook(listing(numbered(1, 2, 3))), 9000.0).until == -math.inf


def test_the_times_of_files_and_the_clock_prove_nothing() -> None:
    arrival = Arrival()
    old = Entry("f3.jpg.part", Stamp(5, 1, 1, 1))  # of 1970: a share's clock, or a tool that keeps times
    seen = FolderLook(Listing("s", Times(0, 0), listing(numbered(1)).files, (old,), (), (), False, 1))
    assert look(arrival, seen, 100.0).until > 100.0
    assert not look(arrival, seen, 100.0).left


def test_what_is_no_picture_holds_it_for_ten_minutes_after_the_last_frame() -> None:
    arrival = Arrival()
    looks = set()
    for now in range(100, 1400, 100):
        seen = FolderLook(listing(numbered(1, 2), {"imu.csv": now}), {"imu.csv": True}, heads={"imu.csv": b"t,x,y"})
        waits = look(arrival, seen, float(now))
        is_held = now < 100 + NO_PICTURES_HOLD - QUIET.seconds
        assert (waits.until > now) is is_held
        looks.add((is_held, waits.look))
    assert len({seen for is_held, seen in looks if is_held}) > 1  # each change starts the quiet time anew
    assert len({seen for is_held, seen in looks if not is_held}) == 1


def test_side_files_are_not_seen_at_all() -> None:
    arrival = Arrival()
    first = look(arrival, FolderLook(listing(numbered(1), {".DS_Store": 1, "._f1.jpg": 1})), 100.0)
    second = look(
        arrival, FolderLook(listing(numbered(1), {".DS_Store": 2, "Thumbs.db": 7}), {".DS_Store": True}), 110.0
    )
    assert first.look == second.look
    assert second.until == -math.inf


def test_a_hidden_folder_beside_it_in_which_something_is_written_counts_as_what_is_no_picture() -> None:
    arrival = Arrival()
    seen = FolderLook(listing(numbered(1, 2)), beside=".spool/f3.jpg")
    assert look(arrival, seen, 100.0).reason == "waits for .spool/f3.jpg, which is being written"
    assert look(arrival, seen, 100.0 + NO_PICTURES_HOLD).until == -math.inf


def test_the_pace_of_what_came_says_how_long_a_pause_may_be() -> None:
    arrival = Arrival()
    for number, now in enumerate((100.0, 112.0, 124.0), start=1):
        look(arrival, FolderLook(listing(numbered(*range(1, number + 1)))), now)
    waits = look(arrival, FolderLook(listing(numbered(1, 2, 3))), 125.0)
    assert waits.quiet == PAUSES * 12.0
    assert waits.reason == "waits until it has been unchanged for 48 s: its files come at such a pace"
    look(arrival, FolderLook(listing(numbered(1, 2, 3, 4))), 9000.0)
    assert look(arrival, FolderLook(listing(numbered(1, 2, 3, 4))), 9001.0).quiet == LONGEST_PACE


def test_a_slow_frame_is_no_pause() -> None:
    arrival = Arrival()
    look(arrival, FolderLook(listing(numbered(1, 2))), 100.0)
    look(arrival, FolderLook(listing(numbered(1, 2), {"f3.jpg.part": 5})), 101.0)
    look(arrival, FolderLook(listing(numbered(1, 2), {"f3.jpg.part": 9})), 200.0)
    assert look(arrival, FolderLook(listing(numbered(1, 2, 3))), 300.0).quiet == QUIET.seconds
    look(arrival, FolderLook(listing(numbered(1, 2, 3)), {"f3.jpg": True}), 301.0)
    assert look(arrival, FolderLook(listing({**numbered(1, 2, 3), "f3.jpg": 20})), 400.0).quiet == QUIET.seconds


def test_a_marker_makes_no_time_shorter_while_the_numbering_has_holes() -> None:
    arrival = Arrival()
    early = FolderLook(listing(numbered(1, 2, 4)))  # awscli: the marker is there, the third frame not yet begun
    assert look(arrival, early, 100.0, MARKED).quiet == 2.0
    waits = look(arrival, early, 102.0, MARKED)
    assert waits.quiet == 60.0
    assert waits.reason == "waits until it has been unchanged for 60 s: its numbering has holes"
    whole = FolderLook(listing(numbered(1, 2, 3, 4)))
    assert look(arrival, whole, 106.0, MARKED).quiet == 24.0  # four times the pause before it
    once = Arrival()
    look(once, whole, 100.0, MARKED)
    assert look(once, whole, 102.0, MARKED).quiet == 2.0


def test_holes_in_the_numbering_make_it_wait_longer() -> None:
    arrival = Arrival()
    holes = FolderLook(listing(numbered(*range(1, 20), *range(21, 40))))
    assert look(arrival, holes, 100.0).quiet == 30.0
    assert look(arrival, holes, 130.0).quiet == 60.0
    whole = Arrival()
    look(whole, FolderLook(listing(numbered(*range(1, 40)))), 100.0)
    assert look(whole, FolderLook(listing(numbered(*range(1, 40)))), 130.0).quiet == 30.0


def test_a_number_of_frames_is_proof_against_all_but_a_writer() -> None:
    arrival = Arrival()
    seen = FolderLook(listing(numbered(1, 2), {"f3.jpg.part": 5, "imu.csv": 3}), {"imu.csv": True}, ".spool/x")
    assert look(arrival, seen, 100.0, PROVED).until == -math.inf
    assert look(arrival, FolderLook(listing(numbered(1, 2)), {"f1.jpg": True}), 101.0, PROVED).until > 101.0


# Never half: tools that create, write, close, rename, pause and die, under any name, seen as an agent sees them.


@dataclass
class File:
    """One frame's way into the folder: when it begins, how long each piece takes, and its name until then."""

    number: int
    begins: float
    pieces: list[float]
    form: str
    dies: bool = False

    @property
    def ends(self) -> float:
        return self.begins + sum(self.pieces)

    @property
    def half(self) -> int:
        """How many pieces it has when its tool dies."""
        return len(self.pieces) // 2

    @property
    def final(self) -> str:
        return f"f{self.number}.jpg"

    def at(self, now: float) -> tuple[str, int, bool] | None:
        """Return (name, size, is open) at a moment; None before it begins."""
        if now < self.begins:
            return None
        done = sum(1 for index in range(len(self.pieces)) if self.begins + sum(self.pieces[: index + 1]) <= now)
        if self.dies and done >= self.half:
            return self.form.format(n=self.final), self.half, False
        if done == len(self.pieces):
            return self.final, done, False
        return self.form.format(n=self.final), done, True


FORMS = (
    "{n}",
    "{n}.aB3dE5f7",
    "{n}.b40cc0cd.partial",
    "{n}1379197560",
    ".in.{n}",
    ".{n}.Ab12Cd",
    ".upload-6b0a",
    "{n}.part",
)


@dataclass
class Seen:
    """What an agent takes for a folder at a moment, by the files' own ways."""

    files: list[File]
    writers_are_known: bool
    sizes: dict[str, int] = field(default_factory=dict)

    def look(self, now: float) -> FolderLook:
        frames: dict[str, int] = {}
        others: dict[str, int] = {}
        writers = {}
        for file in self.files:
            there = file.at(now)
            if there is None:
                continue
            name, size, is_open = there
            unlike = f"{name}{file.number}" if name == ".upload-6b0a" else name
            (frames if unlike == file.final else others)[unlike] = size
            if is_open and self.writers_are_known:
                writers[unlike] = size > 0
        return FolderLook(listing(frames, others), writers, heads={name: JPEG for name, size in others.items() if size})


arriving_files = st.lists(
    st.tuples(
        st.floats(0.0, 25.0),
        st.lists(st.floats(0.0, 400.0), min_size=1, max_size=4),
        st.sampled_from(FORMS),
        st.booleans(),
    ),
    min_size=1,
    max_size=40,
).map(lambda ways: [File(number, *way) for number, way in enumerate(ways)])


def settle(seen: Seen, quiet: Quiet) -> float | None:
    """Return when the folder settles, looked at by every event and when it is due; None: held, or not within a day."""
    arrival, settling = Arrival(), Settling()
    events = sorted({moment for file in seen.files for moment in _moments(file)})
    now = events[0]
    while now < 86_400.0:
        waits = look(arrival, seen.look(now), now, quiet)
        if waits.left:
            return None
        settling.observe(UNIT, waits.look, quiet=waits.quiet, now=now, blocked_until=waits.until)
        if settling.settled():
            return now
        settling.due(now)
        due = settling.next_deadline()
        coming = next((moment for moment in events if moment > now), math.inf)
        now = min(coming, now + 60.0 if due is None else max(due, now + 0.01))
    return None


def _moments(file: File) -> list[float]:
    return [file.begins + sum(file.pieces[:count]) for count in range(len(file.pieces) + 1)]


@given(arriving_files)
def test_never_half_where_writers_are_known(arriving: list[File]) -> None:
    """What is cut off under its own name is all there will be of it: its bytes tell. Blank under no name: nothing."""
    at = settle(Seen(arriving, writers_are_known=True), QUIET)
    if any(file.dies and (file.half or "{n}" in file.form) for file in arriving if file.form != "{n}"):
        assert at is None
    else:
        assert at is not None
        assert all(file.ends <= at for file in arriving if not file.dies)


@given(arriving_files)
def test_never_half_for_any_name_that_is_seen_where_they_are_not(arriving: list[File]) -> None:
    at = settle(Seen(arriving, writers_are_known=False), QUIET)
    if at is not None:
        named = [file for file in arriving if file.form not in ("{n}", ".upload-6b0a")]  # for those quiet alone tells
        assert all(file.ends <= at for file in named if file.begins <= at)
