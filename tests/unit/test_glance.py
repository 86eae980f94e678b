"""What a short look at a large folder shows: whether all that came or went was told of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.core.glance import MOST_UNSURE, Glance, look_at

BEFORE = [("a.jpg", 1), ("b.jpg", 2), ("cam", 2**64 - 1)]
NEW = [(f"new_{number}.jpg", 100 + number) for number in range(MOST_UNSURE + 1)]


def _looked(*told: tuple[str, int], since: tuple[tuple[str, int], ...] = ()) -> Glance:
    glance = Glance(look_at(BEFORE))
    for name, inode in told:
        glance.came(name, inode)
    glance.begins()
    for name, inode in since:
        glance.came(name, inode)
    return glance


def test_the_parts_of_a_folder_add_up_in_any_order() -> None:
    parts = look_at(BEFORE[:1]) + look_at(BEFORE[1:])
    assert Glance(parts).is_explained(look_at(reversed(BEFORE)))


@given(told=st.sets(st.sampled_from(NEW), max_size=5), shown=st.sets(st.sampled_from(NEW), max_size=5))
def test_what_was_told_before_must_be_there_and_nothing_else(
    told: set[tuple[str, int]], shown: set[tuple[str, int]]
) -> None:
    assert _looked(*told).is_explained(look_at([*BEFORE, *shown])) == (told == shown)


@given(since=st.sets(st.sampled_from(NEW), max_size=MOST_UNSURE), shown=st.sets(st.sampled_from(NEW)))
def test_what_was_told_since_it_began_may_be_there_and_must_be_the_next_time(
    since: set[tuple[str, int]], shown: set[tuple[str, int]]
) -> None:
    glance = _looked(since=(*since,))
    assert glance.is_explained(look_at([*BEFORE, *shown])) == (shown <= since)
    if shown <= since:
        glance.begins()
        assert glance.is_explained(look_at([*BEFORE, *since]))
        assert glance.is_explained(look_at([*BEFORE, *since]))


def test_what_went_or_was_replaced_or_renamed_is_seen() -> None:
    for now in (BEFORE[1:], [("a.jpg", 9), *BEFORE[1:]], [("c.jpg", 1), *BEFORE[1:]], [*BEFORE[1:], NEW[0]]):
        assert not _looked(NEW[0], since=(NEW[1],)).is_explained(look_at(now))


def test_of_what_came_twice_the_first_counts_and_of_too_many_nothing_is_tried() -> None:
    glance = _looked(NEW[0])
    glance.came(*NEW[0])
    assert glance.is_explained(look_at([*BEFORE, NEW[0]]))
    assert not _looked(since=(*NEW,)).is_explained(look_at([*BEFORE, *NEW]))
