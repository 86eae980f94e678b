from __future__ import annotations

import pytest

from agent.core.listing_queue import CREDIT, LULL, PATIENCE, SHARE, Agenda


def test_a_folder_is_taken_once_however_often_it_is_wanted() -> None:
    agenda = Agenda()
    agenda.want("a", 1.0)
    agenda.want("a", 2.0)
    agenda.want("b", 1.0)
    assert agenda.next_at() == 1.0
    assert {agenda.take(5.0), agenda.take(5.0)} == {"a", "b"}
    assert agenda.take(5.0) is None
    assert agenda.next_at() is None


def test_a_folder_that_was_just_listed_is_spared() -> None:
    agenda = Agenda()
    agenda.spare("a", 10.0)
    agenda.want("a", 1.0)
    agenda.want("b", 2.0)
    assert agenda.take(9.9) == "b"
    assert agenda.take(9.9) is None
    assert agenda.next_at() == 10.0
    agenda.want("a", 9.9)
    assert agenda.take(10.0) == "a"
    assert agenda.take(99.0) is None


def test_wanted_while_it_is_listed_is_wanted_again() -> None:
    agenda = Agenda()
    agenda.want("a", 1.0)
    assert agenda.take(1.0) == "a"
    agenda.want("a", 1.0)
    assert agenda.take(1.0) == "a"
    agenda.want("a", 1.0)
    agenda.listed("a", 1.0, 1.2)
    assert agenda.take(2.9) is None, "listing takes a tenth of the time, whenever it was wanted"
    assert agenda.take(3.0) == "a"


def test_a_folder_that_went_and_came_back_is_listed_at_once() -> None:
    agenda = Agenda()
    agenda.spare("a", 10.0)
    agenda.want("a", 1.0)
    agenda.forget("a")
    agenda.forget("never known")
    agenda.want("a", 2.0)
    assert agenda.take(2.0) == "a"
    assert agenda.take(99.0) is None


def test_a_folder_in_which_things_happen_is_listed_when_that_is_over() -> None:
    agenda = Agenda()
    agenda.stir("a", 1.0)
    assert agenda.take(1.0) is None
    agenda.stir("a", 1.03)
    agenda.want("a", 1.03, hurry=False)
    assert agenda.next_at() == pytest.approx(1.05)
    assert agenda.take(1.05) is None, "something happened since"
    assert agenda.next_at() == pytest.approx(1.08)
    assert agenda.take(1.08) == "a"
    assert agenda.take(99.0) is None


def test_patience_with_a_folder_ends() -> None:
    agenda = Agenda()
    for tick in range(1000):
        agenda.stir("a", 1.0 + tick / 100)
        if agenda.take(1.0 + tick / 100) == "a":
            break
    assert tick / 100 == pytest.approx(PATIENCE)


def test_who_wants_a_folder_does_not_wait_for_quiet() -> None:
    agenda = Agenda()
    agenda.stir("a", 1.0)
    agenda.want("a", 1.0)
    assert agenda.take(1.0) == "a"
    agenda.want("b", 1.0, hurry=False)
    agenda.stir("b", 1.0)
    assert agenda.take(1.0) == "b", "it was wanted before anything happened"


def test_listing_takes_its_share_of_the_time_and_no_more() -> None:
    agenda = Agenda()
    now, spent = 100.0, 0.0
    for _ in range(200):
        agenda.want("a", now)
        at = agenda.next_at()
        assert at is not None
        now = max(at, now)
        assert agenda.take(now) == "a"
        now, spent = now + 0.3, spent + 0.3
        agenda.listed("a", now, 0.3)
    assert spent == pytest.approx((now - 100.0 + CREDIT) / SHARE, rel=0.05)


def test_the_first_listings_of_a_folder_are_on_credit() -> None:
    agenda = Agenda()
    agenda.listed("a", 100.0, 0.9)
    agenda.stir("a", 100.0)
    assert agenda.take(100.0 + LULL) == "a"
    agenda.listed("a", 100.0, 0.2)
    agenda.want("a", 100.0)
    assert agenda.next_at() == pytest.approx(101.0)
