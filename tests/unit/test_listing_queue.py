from __future__ import annotations

import pytest

from agent.core.listing_queue import CREDIT, KEPT, LULL, PATIENCE, SHARE, ListingQueue


def test_a_folder_is_taken_once_however_often_it_is_wanted() -> None:
    queue = ListingQueue()
    queue.want("a", 1.0)
    queue.want("a", 2.0)
    queue.want("b", 1.0)
    assert queue.next_at() == 1.0
    assert {queue.take(5.0), queue.take(5.0)} == {"a", "b"}
    assert queue.take(5.0) is None
    assert queue.next_at() is None


def test_a_folder_that_was_just_listed_is_spared() -> None:
    queue = ListingQueue()
    queue.hold_back("a", 10.0)
    queue.want("a", 1.0)
    queue.want("b", 2.0)
    assert queue.take(9.9) == "b"
    assert queue.take(9.9) is None
    assert queue.next_at() == 10.0
    queue.want("a", 9.9)
    assert queue.take(10.0) == "a"
    assert queue.take(99.0) is None


def test_wanted_while_it_is_listed_is_wanted_again() -> None:
    queue = ListingQueue()
    queue.want("a", 1.0)
    assert queue.take(1.0) == "a"
    queue.want("a", 1.0)
    assert queue.take(1.0) == "a"
    queue.want("a", 1.0)
    queue.listed("a", 1.0, 1.2)
    assert queue.take(2.9) is None, "listing takes a tenth of the time, whenever it was wanted"
    assert queue.take(3.0) == "a"


def test_a_folder_that_went_and_came_back_is_listed_at_once() -> None:
    queue = ListingQueue()
    queue.hold_back("a", 10.0)
    queue.want("a", 1.0)
    queue.forget("a")
    queue.forget("never known")
    queue.want("a", 2.0)
    assert queue.take(2.0) == "a"
    assert queue.take(99.0) is None


def test_a_folder_in_which_things_happen_is_listed_when_that_is_over() -> None:
    queue = ListingQueue()
    queue.happens_in("a", 1.0)
    assert queue.take(1.0) is None
    queue.happens_in("a", 1.03)
    queue.want("a", 1.03, hurry=False)
    assert queue.next_at() == pytest.approx(1.05)
    assert queue.take(1.05) is None, "something happened since"
    assert queue.next_at() == pytest.approx(1.08)
    assert queue.take(1.08) == "a"
    assert queue.take(99.0) is None


def test_patience_with_a_folder_ends() -> None:
    queue = ListingQueue()
    for tick in range(1000):
        queue.happens_in("a", 1.0 + tick / 100)
        if queue.take(1.0 + tick / 100) == "a":
            break
    assert tick / 100 == pytest.approx(PATIENCE)


def test_who_wants_a_folder_does_not_wait_for_quiet() -> None:
    queue = ListingQueue()
    queue.happens_in("a", 1.0)
    queue.want("a", 1.0)
    assert queue.take(1.0) == "a"
    queue.want("b", 1.0, hurry=False)
    queue.happens_in("b", 1.0)
    assert queue.take(1.0) == "b", "it was wanted before anything happened"


def test_listing_takes_its_share_of_the_time_and_no_more() -> None:
    queue = ListingQueue()
    now, spent = 100.0, 0.0
    for _ in range(200):
        queue.want("a", now)
        at = queue.next_at()
        assert at is not None
        now = max(at, now)
        assert queue.take(now) == "a"
        now, spent = now + 0.3, spent + 0.3
        queue.listed("a", now, 0.3)
    assert spent == pytest.approx((now - 100.0 + CREDIT) / SHARE, rel=0.05)


def test_the_first_listings_of_a_folder_are_on_credit() -> None:
    queue = ListingQueue()
    queue.listed("a", 100.0, 0.9)
    queue.happens_in("a", 100.0)
    assert queue.take(100.0 + LULL) == "a"
    queue.listed("a", 100.0, 0.2)
    queue.want("a", 100.0)
    assert queue.next_at() == pytest.approx(101.0)


def test_folders_that_are_spared_no_more_are_forgotten_and_the_others_are_not() -> None:
    queue, spared, kept = ListingQueue(), ListingQueue(), range(3 * KEPT)
    for number in kept:
        queue.listed(f"f{number}", float(number), 0.1)
    assert len(queue._not_before) <= 2 * KEPT
    for number in range(2):
        for each in (queue, spared):
            each.listed("slow", 3 * KEPT, 100.0)
            each.want("slow", 3 * KEPT + number)
    assert queue.next_at() == spared.next_at() == 3 * KEPT - CREDIT + SHARE * 100.0
