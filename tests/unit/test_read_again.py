from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.read_again import CALM_SECONDS, Readings, Restless
from agent.core.retry import READ_AGAIN, Policy
from agent.model import Image, Kind, Stamp
from agent.model.units import UnitKey

UNIT, OTHER = UnitKey("a.jpg", Kind.IMAGE), UnitKey("b.jpg", Kind.IMAGE)


def at(time: int) -> Stamp:
    return Stamp(10, time, time, 77)


def read(digest: str = "d", *, moved: int | None = None) -> Image:
    return Image(digest, "JPEG", (4, 3), moved=None if moved is None else at(moved))


def test_waits_double_from_the_settle_time_to_ten_minutes() -> None:
    restless = Restless()
    waits, now = [], 0.0
    for _ in range(11):
        restless.changed(UNIT, 2.0, now)
        waits.append(restless.until(UNIT) - now)
        now = restless.until(UNIT) + 1
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]
    assert "waits for 600 s" in restless.reason(UNIT)
    assert (restless.until(OTHER), OTHER in restless, UNIT in restless) == (-math.inf, False, True)


def test_a_settle_time_of_nothing_is_no_loop() -> None:
    restless = Restless()
    restless.changed(UNIT, 0.0, 5.0)
    assert restless.until(UNIT) == 5.0 + READ_AGAIN.seconds()


@pytest.mark.parametrize("quiet", [2.0, 30.0, 200.0])
def test_what_was_left_alone_begins_anew(quiet: float) -> None:
    restless = Restless()
    restless.changed(UNIT, quiet, 0.0)
    calm = quiet + max(quiet, CALM_SECONDS)
    restless.changed(UNIT, quiet, calm - 1)
    assert restless.until(UNIT) == calm - 1 + 2 * quiet
    restless.changed(UNIT, quiet, restless.until(UNIT) + max(2 * quiet, CALM_SECONDS))
    assert restless.until(UNIT) == calm - 1 + 2 * quiet + max(2 * quiet, CALM_SECONDS) + quiet


def test_restless_units_are_no_more_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.core.read_again.MOST_UNITS", 3)
    restless = Restless()
    for number in (1, 2, 1, 3, 4):
        restless.changed(UnitKey(f"{number}.jpg", Kind.IMAGE), 2.0, 0.0)
    assert [UnitKey(f"{number}.jpg", Kind.IMAGE) in restless for number in (1, 2, 3, 4)] == [True, False, True, True]


@given(st.integers(1, 10_000), st.floats(0.01, 100), st.floats(1.1, 10), st.floats(1, 1000))
def test_no_wait_is_longer_than_the_longest(times: int, first: float, factor: float, longest: float) -> None:
    growth = Policy("a wait", first, factor, longest)
    assert 0 < growth.seconds(times) <= longest
    assert growth.seconds(times) <= growth.seconds(times + 1)


def test_a_reading_of_a_file_that_looks_as_it_did_needs_no_other() -> None:
    readings = Readings()
    assert "" not in readings
    readings.keep("a.jpg", at(1), read())
    assert ("" in readings, "s" in readings) == (True, False)
    assert readings.known("a.jpg", at(1)) == read()
    assert readings.known("a.jpg", at(2)) is None
    assert readings.known("b.jpg", at(1)) is None


@pytest.mark.parametrize(
    "times", [(1, 9, 1, 8, 1), (1, 2, 2, 3, 3), (1, 9, 9, 8, 1)], ids=["go back", "stay", "go back late"]
)
def test_times_that_move_with_our_own_reading_are_no_change(times: tuple[int, ...]) -> None:
    """They go back when it is closed (rclone), or stay as the last reading has left them."""
    first, moved, second, again, quiet = times
    readings = Readings()
    readings.keep("a.jpg", at(first), read(moved=moved))
    assert readings.known("a.jpg", at(second)) is None, "the same digest twice"
    readings.keep("a.jpg", at(second), read(moved=again))
    assert readings.known("a.jpg", at(quiet)) == read()
    assert readings.known("a.jpg", at(100)) is None, "it has moved without us"


def test_a_file_that_really_changes_is_not_believed() -> None:
    readings = Readings()
    for time in range(1, 20):
        readings.keep("a.jpg", at(time), read(f"digest {time}", moved=time + 1))
        assert readings.known("a.jpg", at(time)) is None
        assert readings.known("a.jpg", at(time + 1)) is None


def test_what_could_not_be_read_is_not_kept() -> None:
    readings = Readings()
    readings.keep("a.jpg", at(1), read())
    readings.keep("a.jpg", at(1), Image("", problem="it may not be read"))
    assert "" not in readings
    assert readings.known("a.jpg", at(1)) is None


def test_readings_are_no_more_than_so_many() -> None:
    readings = Readings(most=2)
    for name in ("s/a", "t/b", "s/a", "s/c"):
        readings.keep(name, at(1), read())
    assert [readings.known(name, at(1)) is not None for name in ("s/a", "t/b", "s/c")] == [True, False, True]
    assert ("s" in readings, "t" in readings) == (True, False)


class Disk:
    """A file that a writer changes now and then, on a mount that moves times with every reading, as it likes."""

    def __init__(self) -> None:
        self.content = 0
        self.written_at = self.shown = 1
        self.clock = 1

    def tick(self) -> int:
        self.clock += 1
        return self.clock

    def write(self) -> None:
        self.content += 1
        self.written_at = self.shown = self.tick()


@given(
    st.lists(
        st.tuples(st.sampled_from(["read", "write", "torn"]), st.sampled_from(["calm", "back", "stay"])), max_size=30
    )
)
def test_what_is_believed_is_what_the_file_holds(events: list[tuple[str, str]]) -> None:
    """Whatever a writer does between and during readings: no reading is believed that is not of the file as it is."""
    disk, readings = Disk(), Readings()
    for event, kind in events:
        before = disk.shown
        if event == "write":
            disk.write()
            continue
        digest = f"{disk.content}"
        if event == "torn":
            disk.write()
            digest = f"{disk.content - 1} and {disk.content}"
        if kind != "calm":
            moved = disk.tick()
            disk.shown = disk.written_at if kind == "back" else moved
        else:
            moved = disk.shown
        if readings.known("a.jpg", at(before)) is None:
            readings.keep("a.jpg", at(before), read(digest, moved=None if moved == before else moved))
        image = readings.known("a.jpg", at(disk.shown))
        assert image is None or image.digest == f"{disk.content}"
