from __future__ import annotations

from agent.agenda import Agenda


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
    agenda.spare("a", 3.0)
    assert agenda.take(1.0) == "a", "it was wanted before it was spared"
    agenda.want("a", 1.0)
    assert agenda.take(2.9) is None


def test_a_folder_that_went_and_came_back_is_listed_at_once() -> None:
    agenda = Agenda()
    agenda.spare("a", 10.0)
    agenda.want("a", 1.0)
    agenda.forget("a")
    agenda.forget("never known")
    agenda.want("a", 2.0)
    assert agenda.take(2.0) == "a"
    assert agenda.take(99.0) is None
