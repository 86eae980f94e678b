"""The files of a large folder, packed: the same ones, run by run in the order of their names."""

from __future__ import annotations

from heapq import merge
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from agent.model import files as packing
from agent.model.files import PIECE, Collected, PackedFiles, as_files

if TYPE_CHECKING:
    import pytest

NUMBERS = st.integers(-(2**63), 2**63 - 1)
NAMES = st.text(st.characters(exclude_characters="\0/", codec="utf-8"), min_size=1).map(
    lambda name: name.replace("!", "\udce9")
)
FILES = st.lists(st.tuples(NAMES, NUMBERS, NUMBERS, NUMBERS, NUMBERS), unique_by=lambda file: file[0])


@given(FILES, FILES)
def test_they_are_the_same_in_order(
    first: list[tuple[str, int, int, int, int]], second: list[tuple[str, int, int, int, int]]
) -> None:
    packed = PackedFiles()
    for run in (first, second):
        if run:
            packed.add(run)
    assert list(packed) == [*sorted(first), *sorted(second)]
    assert [*merge(*packed.runs())] == sorted(first + second)
    assert len(packed) == len(first) + len(second)
    assert packed.is_utf8 == ("\udce9" not in "".join(file[0] for file in first + second))
    assert [packed[place] for place in range(len(packed))] == list(packed)
    assert packed[1:3] == (*list(packed)[1:3],)


def test_many_are_packed_as_they_come_and_few_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "RUN", 3 * PIECE)
    monkeypatch.setattr(packing, "FEW", 6 * PIECE)
    many = [(f"{number:05d}.jpg", number, 2, 3, 4) for number in range(10 * PIECE + 7)]
    packed = as_files(reversed(many))
    assert isinstance(packed, PackedFiles)
    assert sorted(packed) == many
    assert as_files(many[: 6 * PIECE - 1]) == tuple(many[: 6 * PIECE - 1])
    assert Collected().all() == ()
