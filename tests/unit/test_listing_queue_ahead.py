from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.listing_queue import ListingQueue

if TYPE_CHECKING:
    from collections.abc import Callable


def wanted(*folders: str) -> ListingQueue:
    queue = ListingQueue()
    for folder in folders:
        queue.want(folder, 1.0)
    return queue


def test_what_is_told_is_what_is_taken_in_its_order_and_each_once() -> None:
    queue = wanted("d", "b", "a", "c")
    assert queue.tell_next(1.0, 3) == ["a", "b", "c"]
    assert queue.tell_next(1.0, 3) == ["d"]
    assert queue.tell_next(1.0, 3) == []
    assert [queue.take(1.0) for _ in range(5)] == ["a", "b", "c", "d", None], "telling takes nothing"


def test_what_is_not_due_or_spared_or_under_way_to_be_changed_is_not_told() -> None:
    queue = wanted("a", "b")
    queue.want("later", 2.0)
    queue.hold_back("b", 5.0)
    queue.happens_in("copied into", 0.5)
    assert queue.tell_next(1.0, 9) == ["a"]


def test_it_counts_once() -> None:
    queue = wanted("a")
    assert not queue.still_told("a"), "it was not told"
    queue.tell_next(1.0, 1)
    assert queue.still_told("a")
    assert not queue.still_told("a")
    assert queue.tell_next(1.0, 1) == ["a"], "it waits still"


def test_whatever_happens_in_a_folder_makes_what_was_listed_of_it_old() -> None:
    happenings: tuple[Callable[[ListingQueue], None], ...] = (
        lambda queue: queue.happens_in("a", 1.5),
        lambda queue: queue.want("a", 1.5),
        lambda queue: queue.want("a", 1.5, hurry=False),
        lambda queue: queue.forget("a"),
        lambda queue: queue.spoil("a"),
    )
    for happens in happenings:
        queue = wanted("a", "b")
        queue.tell_next(1.0, 2)
        happens(queue)
        assert not queue.still_told("a")
        assert queue.still_told("b")
