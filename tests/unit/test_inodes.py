from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.core.fingerprints import fingerprint_of, is_at_rest, is_displaced, odd_looks, unlike
from agent.core.inodes import ODD_LOOKS, SAMPLED_LOOKS, Sample
from agent.core.states import State
from agent.model import Stamp

STAMP = Stamp(10, 1, 2, 77)
stamps = st.builds(Stamp, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
files = st.dictionaries(st.sampled_from("abc"), stamps, max_size=3).map(
    lambda found: [(name, *stamp) for name, stamp in found.items()]
)


def numbered(inode: int) -> Stamp:
    return STAMP._replace(inode=inode)


def test_another_inode_at_every_look_is_proved_by_a_few() -> None:
    sample = Sample("a.jpg", STAMP)
    assert [sample.look(numbered(100 + look)) for look in range(ODD_LOOKS)] == [False] * (ODD_LOOKS - 1) + [True]


def test_a_file_that_is_replaced_over_and_over_proves_nothing() -> None:
    """Each time it has another time of change, but for once within a tick."""
    sample = Sample("a.jpg", STAMP)
    looks = [STAMP._replace(ctime_ns=look // 2, inode=100 + look) for look in range(2, 40)]
    assert not any(sample.look(look) for look in looks)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=SAMPLED_LOOKS))
def test_only_looks_in_a_row_prove(inodes: list[int]) -> None:
    sample = Sample("a.jpg", STAMP)
    proved = [sample.look(numbered(inode)) for inode in inodes]
    changes = [one != other for one, other in zip([STAMP.inode, *inodes], inodes, strict=False)]
    assert proved == [all(changes[max(0, at - 3) : at + 1]) and at >= 3 for at in range(len(inodes))]
    assert sample.is_over == (len(inodes) >= SAMPLED_LOOKS)


@given(stamps, stamps)
def test_two_stamps_are_alike_odd_or_of_files_that_differ(one: Stamp, other: Stamp) -> None:
    assert one.is_like(other) == other.is_like(one)
    assert one.is_odd(other) == other.is_odd(one)
    assert [one.is_like(other), one.is_odd(other), one[:3] != other[:3]].count(True) == 1
    if one.inode and other.inode:
        assert one.is_like(other) == (one == other)
    assert one.without_inode().is_like(one)


@given(stamps)
def test_a_row_from_before_inodes_were_left_out_is_at_rest(stamp: Stamp) -> None:
    assert is_at_rest(State.SUBMITTED, stamp, stamp.without_inode())
    assert is_at_rest(State.SUBMITTED, stamp.without_inode(), stamp)
    assert not is_at_rest(State.SUBMITTED, stamp, stamp._replace(size=9, inode=0))
    assert not is_at_rest(State.SETTLING, stamp, stamp)
    assert not is_at_rest(State.SUBMITTED, None, stamp)


def test_where_inodes_last_a_row_of_another_one_is_not_at_rest() -> None:
    assert not is_at_rest(State.SUBMITTED, STAMP, numbered(78))
    assert not is_at_rest(State.SUBMITTED, fingerprint_of([("a", *STAMP)]), fingerprint_of([("a", *numbered(78))]))


@given(files, files)
def test_what_is_unlike_is_what_a_plain_comparison_says(
    known: list[tuple[str, int, int, int, int]], seen: list[tuple[str, int, int, int, int]]
) -> None:
    before = {name: Stamp(*stamp) for name, *stamp in known}
    after = {name: Stamp(*stamp) for name, *stamp in seen}
    names = {name for name in before.keys() & after.keys() if before[name].is_like(after[name])}
    assert {*unlike(known, seen)} == (before.keys() | after.keys()) - names
    odd = [before[name].is_odd(after[name]) for name in before.keys() & after.keys()]
    only_odd = before.keys() == after.keys() and all(before[name][:3] == after[name][:3] for name in before)
    assert odd_looks(known, seen) == (sum(odd) if only_odd else None)


def test_what_was_moved_while_another_file_took_its_place() -> None:
    moved, other = STAMP._replace(ctime_ns=9), Stamp(11, 5, 5, 78)
    assert is_displaced(STAMP, other, moved)
    assert not is_displaced(STAMP, STAMP, moved._replace(inode=79)), "a copy: the first one is where it was"
    assert not is_displaced(STAMP, other, moved._replace(inode=79)), "a copy of what was replaced then"


def test_where_inodes_do_not_last_size_and_time_tell_what_was_moved() -> None:
    moved, other = STAMP._replace(ctime_ns=9, inode=0), Stamp(11, 5, 5, 0)
    for before in (STAMP, STAMP.without_inode()):
        assert is_displaced(before, other, moved)
        assert not is_displaced(before, STAMP.without_inode(), moved)
        assert not is_displaced(before, other, moved._replace(mtime_ns=3))
