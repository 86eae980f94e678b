"""What a JPEG's headers say is read from any bytes without a fault, and counted as ITU-T T.81 has it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.reading.formats.jpeg_frame import (
    DHT,
    DQT,
    DRI,
    SOF,
    Frame,
    Scan,
    blocks,
    frame_of,
    held_bytes,
    is_table,
    scan_of,
)

YCC_420 = ((1, 2, 2), (2, 1, 1), (3, 1, 1))


@given(st.sampled_from(sorted(SOF)), st.binary(max_size=40), st.binary(max_size=20))
def test_any_bytes_are_judged(marker: int, head: bytes, more: bytes) -> None:
    frame, scan = frame_of(marker, head), scan_of(more)
    assert frame is None or len(head) == 6 + 3 * len(frame.components)
    assert scan is None or len(more) == 4 + 2 * len(scan.components)
    units, all_blocks = blocks(frame or Frame(), scan or Scan(b"\1", 0, 0))
    assert units >= 0
    assert all_blocks >= 0


@given(st.sampled_from((DHT, DQT, DRI)), st.binary(max_size=600))
def test_tables_of_any_bytes_are_judged(marker: int, body: bytes) -> None:
    assert is_table(marker, body) in (True, False)


@given(st.lists(st.lists(st.integers(0, 9), min_size=16, max_size=16), min_size=1, max_size=4), st.integers(1, 8))
def test_huffman_tables_end_where_their_segment_does(tables: list[list[int]], more: int) -> None:
    body = b"".join(b"\0" + bytes(counts) + bytes(sum(counts)) for counts in tables)
    assert is_table(DHT, body)
    assert not is_table(DHT, body + bytes(more))
    assert not is_table(DHT, body[:-1])


def test_quantization_tables_have_bytes_or_words() -> None:
    assert is_table(DQT, b"\0" + bytes(64) + b"\x11" + bytes(128))
    assert not is_table(DQT, b"\x10" + bytes(64))


@pytest.mark.parametrize(
    ("width", "height", "components", "scan", "expected"),
    [
        (640, 480, YCC_420, b"\1\2\3", (40 * 30, 40 * 30 * 6)),
        (641, 481, YCC_420, b"\1\2\3", (41 * 31, 41 * 31 * 6)),
        (641, 481, YCC_420, b"\1", (81 * 61, 81 * 61)),
        (641, 481, YCC_420, b"\2", (41 * 31, 41 * 31)),
        (640, 480, ((1, 2, 2),), b"\1", (80 * 60, 80 * 60)),
    ],
    ids=["420", "420-odd", "Y-alone", "Cb-alone", "grey-with-factors"],
)
def test_blocks_are_counted_by_scan(
    width: int, height: int, components: tuple[tuple[int, int, int], ...], scan: bytes, expected: tuple[int, int]
) -> None:
    assert blocks(Frame(0xC0, 8, width, height, components), Scan(scan, 0, 0)) == expected


@pytest.mark.parametrize(
    ("marker", "components", "scan", "expected"),
    [
        (0xC0, YCC_420, b"\1\2\3", 0),
        (0xC0, YCC_420, b"\1", 40 * 30 * 6 * 128),
        (0xC2, YCC_420, b"\1\2\3", 40 * 30 * 6 * 128),
        (0xC2, ((1, 1, 1),), b"\1", 80 * 60 * 128),
        (0xC2, (), b"", 0),
    ],
    ids=["one-scan", "scan-by-scan", "progressive", "progressive-grey", "no-components"],
)
def test_a_decoder_holds_all_coefficients_that_come_in_several_scans(
    marker: int, components: tuple[tuple[int, int, int], ...], scan: bytes, expected: int
) -> None:
    assert held_bytes(Frame(marker, 8, 640, 480, components), Scan(scan, 0, 0)) == expected
