"""When a picture was taken and how it is turned: what cameras write is read, and nothing else is done."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.reading.formats.exif import Part, orientation, orientation_in, taken, taken_in
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


# How it is turned


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("turned", range(1, 9))
def test_an_orientation_is_read(order: str, turned: int) -> None:
    part = exif.exif(SAID, order=order, turned=exif.orientation(turned, order=order))
    assert orientation_in(part) == turned
    assert orientation_in(b"Exif\0\0" + part) == turned
    assert orientation(Part(b"before" + part + b"behind", 6, 6 + len(part))) == turned
    assert taken_in(part) == (NOON, 0, False)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("turned", [0, 9, 255, 256, 0x0600, 65_535])
def test_what_is_no_orientation_is_not_said(order: str, turned: int) -> None:
    assert orientation_in(exif.exif(SAID, order=order, turned=exif.orientation(turned, order=order))) == 1


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("kind", "count"), [(1, 1), (4, 1), (3, 0), (3, 2), (3, 2**32 - 1)])
def test_an_orientation_of_another_type_or_count_is_not_said(order: str, kind: int, count: int) -> None:
    tag = exif.orientation(6, order=order, kind=kind, count=count)
    assert orientation_in(exif.exif(SAID, order=order, turned=tag)) == 1


def test_without_the_tag_it_is_not_turned() -> None:
    assert orientation_in(exif.exif(SAID)) == 1
    assert orientation_in(b"") == 1
    assert orientation_in(b"Exif\0\0") == 1


@pytest.mark.parametrize("order", "<>")
def test_every_cut_says_the_orientation_or_nothing(order: str) -> None:
    whole = exif.exif(SAID, order=order, turned=exif.orientation(8, order=order))
    told = [orientation_in(whole[:length]) for length in range(len(whole) + 1)]
    assert told == sorted(told), "once it is whole, what follows does not matter"
    assert set(told) == {1, 8}


@pytest.mark.parametrize("offset", [0, 4, 7, 2**31, 2**32 - 2, 2**32 - 1])
def test_a_directory_elsewhere_is_not_looked_for(offset: int) -> None:
    part = bytearray(exif.exif(SAID, turned=exif.orientation(6)))
    part[4:8] = struct.pack(">L", offset)
    assert orientation_in(bytes(part)) == 1


@pytest.mark.parametrize("mark", [b"II\0*", b"MM*\0", b"IM*\0", b"II+\0", b"MM\0+"])
def test_what_is_no_tiff_says_no_orientation(mark: bytes) -> None:
    part = exif.exif(SAID, order="<" if mark[:1] == b"I" else ">", turned=exif.orientation(6, order=">"))
    assert orientation_in(mark + part[4:]) == 1


def test_only_the_first_of_an_endless_directory_are_looked_at() -> None:
    others = struct.pack(">HHLL", 0x010F, 4, 1, 0) * 600
    turned = struct.pack(">HHLHH", 0x0112, 3, 1, 6, 0)
    head = b"MM\0*" + struct.pack(">LH", 8, 65_535)
    assert orientation_in(head + others + turned) == 1
    assert orientation_in(head + others[: 511 * 12] + turned) == 6


def test_the_tag_counts_only_where_an_entry_begins() -> None:
    """Its bytes, within the values of two entries, are none."""
    between = struct.pack(">HHLL", 0x010F, 4, 1, 0x0112_0003) + struct.pack(">HHLHH", 1, 6, 6, 6, 6)
    head = b"MM\0*" + struct.pack(">LH", 8, 2)
    assert orientation_in(head + between) == 1


@given(st.binary(max_size=300), st.sampled_from([b"II*\0", b"MM\0*", b"", b"Exif\0\0MM\0*\0\0\0\x08"]))
def test_whatever_bytes_say_is_an_orientation(rest: bytes, mark: bytes) -> None:
    assert orientation_in(mark + rest) in range(1, 9)


@given(st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=8)), max_size=6), st.sampled_from("<>"))
def test_whatever_damaged_bytes_say_is_an_orientation(changes: list[tuple[int, bytes]], order: str) -> None:
    damaged = bytearray(exif.exif(SAID, order=order, turned=exif.orientation(6, order=order)))
    for at, content in changes:
        damaged[at : at + len(content)] = content
    assert orientation(Part(damaged, 0, len(damaged))) in range(1, 9)
