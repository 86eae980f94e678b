from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from agent.core.fingerprints import fingerprint, fingerprint_of_frames, is_at_rest
from agent.core.plan import IdRules, KnownRow, best_twin, decide, describe_change
from agent.core.states import State
from agent.model import (
    Entry,
    Frame,
    Hold,
    Keep,
    Kind,
    LookUp,
    Move,
    Queue,
    Refuse,
    Stamp,
    Unit,
    Wait,
    quick_fingerprint,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

RULES = IdRules("{path}~{digest}", "host1")
OLD, NEW = "a" * 64, "b" * 64


def _unit(digest: str | None = NEW, *, kind: Kind = Kind.IMAGE, names: str = "p", problem: str | None = None) -> Unit:
    frames = tuple(Frame(place, name, f"d/{name}", Stamp(1, 2, 3, 4), digest or "") for place, name in enumerate(names))
    return Unit("d/p" if kind is Kind.IMAGE else "d", kind, frames, digest, problem)


def _known(state: State, digest: str | None = OLD, *, number: int = 1, unanswered: int = 0) -> KnownRow:
    return KnownRow(number, "d/p", Kind.IMAGE, state, digest, unanswered)


def test_what_is_new_is_queued_under_its_path_and_digest() -> None:
    assert decide(_unit(), [], RULES) == Queue(_unit(), (f"d/p~{NEW[:12]}",), None)


def test_a_template_without_a_digest_has_a_second_id() -> None:
    assert IdRules("{path}", "h").reference_ids("d/p", NEW) == ("d/p", f"d/p~{NEW[:12]}")


@pytest.mark.parametrize("state", [State.SETTLING, State.INVALID, State.HELD, State.GONE, State.PENDING])
def test_an_open_row_is_used_again(state: State) -> None:
    assert decide(_unit(), [_known(state)], RULES) == Queue(_unit(), (f"d/p~{NEW[:12]}",), 1)


def test_what_cannot_be_sent_is_refused_with_the_reason() -> None:
    assert decide(_unit(problem="cut short"), [], RULES) == Refuse(_unit(problem="cut short"), "cut short", None)
    unread = decide(_unit(None), [], RULES)
    assert isinstance(unread, Refuse)
    assert unread.reason


@pytest.mark.parametrize("state", [State.SUBMITTED, State.COMPLETED, State.DUPLICATE, State.FAILED, State.IGNORED])
def test_the_same_content_is_never_sent_again(state: State) -> None:
    assert decide(_unit(OLD), [_known(state)], RULES) == Keep(_unit(OLD), 1)


def test_content_that_is_back_makes_later_rows_obsolete() -> None:
    rows = [_known(State.SUBMITTED), _known(State.HELD, NEW, number=2)]
    assert decide(_unit(OLD), rows, RULES) == Keep(_unit(OLD), 1, (2,))


@pytest.mark.parametrize("state", [State.SUBMITTED, State.COMPLETED, State.DUPLICATE, State.IGNORED])
def test_other_content_at_a_settled_path_waits_for_a_person(state: State) -> None:
    action = decide(_unit(), [_known(state)], RULES)
    assert isinstance(action, Hold)
    assert (action.error_code, action.row) == ("changed", None)
    assert "content changed" in action.reason


def test_what_playment_refused_starts_afresh_with_other_content() -> None:
    assert isinstance(decide(_unit(), [_known(State.FAILED)], RULES), Queue)


def test_an_open_attempt_is_looked_up_first() -> None:
    assert decide(_unit(), [_known(State.PENDING, unanswered=1)], RULES) == LookUp(_unit(), 1)
    assert decide(_unit(), [_known(State.SUBMITTING, unanswered=1)], RULES) == Wait(_unit(), 1)


def test_a_moved_unit_takes_its_row_along() -> None:
    moved = _known(State.SUBMITTED, NEW, number=7)
    assert decide(_unit(), [_known(State.SETTLING, None)], RULES, moved_from=moved) == Move(
        _unit(), 7, (f"d/p~{NEW[:12]}",), 1
    )
    on_its_way = _known(State.SUBMITTING, NEW, number=7, unanswered=1)
    assert decide(_unit(), [], RULES, moved_from=on_its_way) == Wait(_unit(), 7)


@pytest.mark.parametrize("state", [State.SUBMITTED, State.COMPLETED, State.FAILED])
def test_what_was_sent_keeps_the_order_it_was_sent_in(state: State) -> None:
    now = _unit(kind=Kind.SEQUENCE, names="abc")
    sent = KnownRow(1, "d", Kind.SEQUENCE, state, NEW, 0, (("b", NEW), ("a", NEW), ("c", NEW)))
    kept, moved = decide(now, [sent], RULES), decide(now, [], RULES, moved_from=sent)
    for action in (kept, moved):
        assert isinstance(action, Keep | Move)
        assert [(frame.position, frame.frame_id) for frame in action.unit.frames] == [(0, "b"), (1, "a"), (2, "c")]
        assert sorted(frame.path for frame in action.unit.frames) == [frame.path for frame in now.frames]
    assert kept == Keep(replace(now, frames=kept.unit.frames), 1)


def test_a_row_whose_frames_are_not_known_says_nothing_of_their_order() -> None:
    now = _unit(kind=Kind.SEQUENCE, names="abc")
    for names in ((), (("a", NEW),), (("x", NEW), ("a", NEW), ("b", NEW))):
        assert decide(now, [KnownRow(1, "d", Kind.SEQUENCE, State.SUBMITTED, NEW, 0, names)], RULES) == Keep(now, 1)


def test_another_kind_of_unit_waits_for_a_person() -> None:
    other = KnownRow(9, "d/p", Kind.IMAGE, State.SUBMITTED, OLD)
    action = decide(_unit(kind=Kind.SEQUENCE), [], RULES, other_kind=other)
    assert isinstance(action, Hold)
    assert action.error_code == "kind-changed"


def test_a_change_is_told_in_words() -> None:
    before = KnownRow(1, "d", Kind.SEQUENCE, State.SUBMITTED, OLD, 0, (("a", NEW), ("b", NEW), ("c", OLD)))
    told = describe_change(before, _unit(kind=Kind.SEQUENCE, names="acd"), "after submission")
    assert told == (
        "1 frame added after submission: d; 1 frame removed after submission: b; 1 frame changed after submission: c"
    )
    many = describe_change(before, _unit(kind=Kind.SEQUENCE, names="abcdefghijk"), "after submission")
    assert "8 frames added after submission: d, e, f, g, h and 3 more" in many


def test_the_twin_of_the_same_name_is_chosen() -> None:
    twins = [
        KnownRow(number, path, Kind.IMAGE, State.SUBMITTED) for number, path in ((1, "x/q"), (2, "x/p"), (3, "y/p"))
    ]
    found = best_twin(twins, _unit())
    assert found is not None
    assert found.id == 2
    assert best_twin([], _unit()) is None


def test_a_fingerprint_tells_every_difference_but_the_order() -> None:
    stamp = Stamp(1, 2, 3, 4)
    entries = [Entry("a", stamp), Entry("b", stamp)]
    assert fingerprint(entries) == fingerprint(reversed(entries))
    others = [
        entries[:1],
        [Entry("a", stamp), Entry("c", stamp)],
        *([Entry("a", stamp), Entry("b", stamp._replace(**{field: 9}))] for field in Stamp._fields),
    ]
    assert len({fingerprint(entries), *map(fingerprint, others)}) == 7
    assert fingerprint([Entry("\udcff", stamp)]) != fingerprint([Entry("\udcfe", stamp)])

    def quick(entries: Iterable[Entry]) -> int:
        return quick_fingerprint((name, *stamp) for name, stamp in entries)

    assert quick(entries) == quick(reversed(entries))
    assert len({quick(entries), *map(quick, others)}) == 7
    frames = [Frame(number, name, f"s/{name}", stamp, NEW) for number, name in enumerate("ba")]
    assert fingerprint_of_frames(frames) == fingerprint(entries)
    assert quick(entries) == quick(entries[:1]) + quick(entries[1:])


@pytest.mark.parametrize("state", list(State))
def test_what_is_at_rest(state: State) -> None:
    stamp = Stamp(1, 2, 3, 4)
    assert is_at_rest(state, stamp, stamp) is (state not in (State.SETTLING, State.GONE))
    assert not is_at_rest(state, None, stamp)
    assert not is_at_rest(state, stamp._replace(ctime_ns=9), stamp)
