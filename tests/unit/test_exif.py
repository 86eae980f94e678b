"""When a picture was taken: what cameras write is read, and no file can make it do more than look."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.reading.formats.exif import Part, taken, taken_in
from tests import exif

NOON = int(datetime(2024, 1, 31, 12, 0, 5, tzinfo=UTC).timestamp()) * 10**9
SAID = "2024:01:31 12:00:05"


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("fraction", "offset", "nanoseconds", "digits", "zoned"),
    [
        ("", "", 0, 0, False),
        ("5", "", 500_000_000, 1, False),
        ("05", "", 50_000_000, 2, False),
        ("057", "+00:00", 57_000_000, 3, True),
        ("123456", "+02:00", 123_456_000 - 7200 * 10**9, 6, True),
        ("57 ", "-02:30", 570_000_000 + 9000 * 10**9, 2, True),
        ("   ", "   :  ", 0, 0, False),
        ("1234567891", "Z", 123_456_789, 9, False),
        ("-1", "+0200", -7200 * 10**9, 0, True),
    ],
)
def test_a_time_is_read(order: str, fraction: str, offset: str, nanoseconds: int, digits: int, zoned: bool) -> None:
    part = exif.exif(SAID, fraction, offset, order=order)
    assert taken_in(part) == (NOON + nanoseconds, digits, zoned)
    assert taken_in(b"Exif\0\0" + part) == (NOON + nanoseconds, digits, zoned)


@pytest.mark.parametrize("said", ["2024-01-31 12:00:05", "2024/01/31 12:00:05", "2024:01:31T12:00:05"])
def test_other_marks_between_are_read(said: str) -> None:
    assert taken_in(exif.exif(said)) == (NOON, 0, False)


@pytest.mark.parametrize(
    "said",
    [
        "    :  :     :  :  ",
        "0000:00:00 00:00:00",
        "2024:02:30 12:00:00",
        "2024:01:31 99:99:99",
        "2024:01:31",
        "yesterday",
    ],
)
def test_what_is_no_time_is_not_said(said: str) -> None:
    assert taken_in(exif.exif(said)) is None


def test_without_the_tag_nothing_is_said() -> None:
    assert taken_in(exif.exif("")) is None
    assert taken_in(b"") is None


@pytest.mark.parametrize("order", "<>")
def test_every_cut_is_survived_and_says_nothing_else(order: str) -> None:
    whole = exif.exif(SAID, "057", "+02:00", order=order)
    told = {taken_in(whole[:length]) for length in range(len(whole))}
    full = taken_in(whole)
    assert full is not None
    seconds = {when and when[0] // 10**9 for when in told}
    assert seconds <= {None, NOON // 10**9, full[0] // 10**9}


@given(st.binary(max_size=300), st.sampled_from([b"II*\0", b"MM\0*"]))
def test_random_bytes_are_survived(rest: bytes, mark: bytes) -> None:
    assert taken_in(mark + rest) is None
    assert taken_in(rest) is None


@given(st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=8)), max_size=6))
def test_damage_is_survived(changes: list[tuple[int, bytes]]) -> None:
    damaged = bytearray(exif.exif(SAID, "057", "+02:00"))
    for at, content in changes:
        damaged[at : at + len(content)] = content
    taken(Part(damaged, 0, len(damaged)))


def test_what_lies_outside_the_part_is_not_looked_at() -> None:
    part = exif.exif(SAID)
    beyond = b"\0" * 40 + part + part
    assert taken(Part(beyond, 40, 40 + len(part))) == (NOON, 0, False)
    assert taken(Part(beyond, 40, 48)) is None
    far = b"MM\0*" + struct.pack(">L", 2**32 - 1)
    assert taken(Part(far + part, 0, len(far))) is None
