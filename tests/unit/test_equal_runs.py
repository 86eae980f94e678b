"""Where many equal bytes follow each other: found at every place and of every value."""

from __future__ import annotations

import os
import random
import re
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.reading.formats.equal_runs import LEAST, equal_runs
from agent.reading.formats.source import Source

if TYPE_CHECKING:
    from pathlib import Path

NOISE = random.Random(1).randbytes(4096)
pieces = st.one_of(
    st.tuples(st.integers(0, 3000), st.integers(0, 255)).map(lambda run: bytes([run[1]]) * run[0]),
    st.tuples(st.integers(0, 2000), st.integers(0, 1500)).map(lambda part: NOISE[part[0] : part[0] + part[1]]),
)


def slowly(content: bytes) -> set[tuple[int, int]]:
    return {match.span() for match in re.finditer(rb"(.)\1{%d,}" % (LEAST - 1), content, re.DOTALL)}


@settings(max_examples=300)
@given(st.lists(pieces, max_size=8), st.integers(0, 200))
def test_every_long_run_is_found_as_long_as_it_is(parts: list[bytes], start: int) -> None:
    content = b"".join(parts)
    found = set(equal_runs(content, start, len(content)))
    inside = {(first + start, last + start) for first, last in slowly(content[start:])}
    assert inside <= found
    for first, last in found:
        assert start <= first < last <= len(content)
        assert len(set(content[first:last])) == 1


@settings(max_examples=50)
@given(st.lists(pieces, max_size=8))
def test_no_run_is_found_twice(parts: list[bytes]) -> None:
    content = b"".join(parts)
    found = list(equal_runs(content, 0, len(content)))
    assert found == sorted(set(found))
    assert all(one[1] <= other[0] for one, other in pairwise(found))


def test_a_source_tells_runs_by_their_offsets_in_the_file(tmp_path: Path) -> None:
    chunk = 256 * 1024
    noise = random.Random(2).randbytes(4 * chunk)
    runs = [(10, 700), (chunk - 2000, chunk + 3000), (3 * chunk - 300, 3 * chunk + 212)]
    content = bytearray(noise)
    for first, last in runs:
        content[first:last] = b"\x05" * (last - first)
        content[first - 1] = content[last] = 1
    path = tmp_path / "a.bin"
    path.write_bytes(content)
    fd = os.open(path, os.O_RDONLY)
    try:
        source = Source(fd, len(content))
        source.peek(1, 0)
        source.note_equal_runs()
        source.drain()
    finally:
        os.close(fd)
    assert source.equal_runs is not None
    assert [run for run in source.equal_runs if run[1] - run[0] >= LEAST] == runs


def test_the_runs_of_a_source_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes((bytes(700) + b"\x01" * 700) * 5000)
    fd = os.open(path, os.O_RDONLY)
    try:
        source = Source(fd, path.stat().st_size)
        source.note_equal_runs()
        source.drain()
    finally:
        os.close(fd)
    assert source.equal_runs is not None
    assert len(source.equal_runs) <= 1000
    assert source.equal_runs[-1][1] == source.size
