from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from agent.core.fingerprints import fingerprint, fingerprint_of_frames, is_at_rest
from agent.core.plan import (
    Before,
    KnownRow,
    LeftBehind,
    best_twin,
    decide,
    describe_before,
    describe_change,
    is_before,
    may_have_moved,
)
from agent.core.reference_id import IdRules
from agent.core.states import State
from agent.model import (
    Adopt,
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
from agent.model.jobs import Found

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


def test_what_the_target_had_before_the_ledger_is_taken_over() -> None:
    listed = Found("J1", f"old/p~{NEW[:12]}", 1, "boxes", "b")
    settling = _known(State.SETTLING, None, number=7)
    taken = Adopt(_unit(), (listed.reference_id,), 7, "J1")
    assert decide(_unit(), [settling], RULES, listed=listed) == taken
    doubtful = replace(_unit(), hold=("order", "two cameras"))
    assert decide(doubtful, [settling], RULES, listed=listed) == replace(taken, unit=doubtful)
    assert isinstance(decide(_unit(problem="cut short"), [settling], RULES, listed=listed), Refuse)
    assert isinstance(decide(_unit(), [settling], RULES, listed=listed, moved_from=_known(State.IGNORED, NEW)), Move)
    assert isinstance(decide(_unit(), [_known(State.IGNORED, NEW)], RULES, listed=listed), Keep)


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


EARLY, LATE = "2026-01-01T00:00:00.000Z", "2026-01-01T00:01:00.000Z"


@pytest.mark.parametrize(
    ("deleted_at", "noticed_at", "expected"),
    [
        (None, EARLY, False),
        (None, None, False),
        (EARLY, None, True),
        (EARLY, LATE, True),
        (LATE, EARLY, False),
        (EARLY, "2026-01-01T00:00:01.000Z", False),
        (EARLY, "2026-01-01T00:00:01.001Z", True),
    ],
)
def test_what_went_and_what_came_within_a_moment_is_one_change(
    deleted_at: str | None, noticed_at: str | None, expected: bool
) -> None:
    assert is_before(deleted_at, noticed_at) is expected


def _deleted(state: State, *, number: int = 1, unanswered: int = 0) -> KnownRow:
    return replace(_known(state, number=number, unanswered=unanswered), deleted_at=EARLY)


def _arrival(at: str = LATE) -> KnownRow:
    return replace(_known(State.SETTLING, None, number=8), since=at)


@pytest.mark.parametrize("state", [State.SUBMITTED, State.COMPLETED, State.DUPLICATE, State.IGNORED])
def test_a_name_whose_file_was_seen_deleted_is_a_new_drop(state: State) -> None:
    queued = decide(_unit(), [_deleted(state), _arrival()], RULES)
    assert queued == Queue(_unit(), (f"d/p~{NEW[:12]}",), 8)
    assert decide(_unit(), [_deleted(state)], RULES) == Queue(_unit(), (f"d/p~{NEW[:12]}",), None)
    assert isinstance(decide(_unit(problem="cut short"), [_deleted(state), _arrival()], RULES), Refuse)
    # Put in its place at once, it is a change; and so is other content of the later drop.
    assert isinstance(decide(_unit(), [_deleted(state), _arrival(EARLY)], RULES), Hold)
    held = decide(_unit(), [_deleted(state), _known(State.SUBMITTED, "c" * 64, number=5)], RULES)
    assert isinstance(held, Hold)
    assert (held.error_code, held.row) == ("changed", None)


@pytest.mark.parametrize("state", [State.SUBMITTED, State.COMPLETED, State.DUPLICATE, State.IGNORED])
def test_a_change_beside_a_later_drop_that_was_deleted_has_a_row_of_its_own(state: State) -> None:
    """What was sent never changes, and cannot become `held`: the unit would be read again for ever."""
    rows = [_known(State.SUBMITTED), replace(_deleted(state, number=2), digest="c" * 64)]
    action = decide(_unit(), rows, RULES)
    assert isinstance(action, Hold)
    assert (action.error_code, action.row) == ("changed", None)


@pytest.mark.parametrize("state", [State.SUBMITTED, State.COMPLETED, State.DUPLICATE, State.IGNORED])
def test_a_deleted_file_that_is_put_back_is_known(state: State) -> None:
    assert decide(_unit(OLD), [_deleted(state), _arrival()], RULES) == Keep(_unit(OLD), 1, (8,))


def test_what_was_dismissed_unread_is_over_when_it_is_deleted() -> None:
    unread = replace(_known(State.IGNORED, None), deleted_at=EARLY)
    assert isinstance(decide(_unit(), [unread, _arrival()], RULES), Queue)
    assert isinstance(decide(_unit(), [replace(unread, deleted_at=None), _arrival()], RULES), Keep)


def test_what_was_deleted_and_has_failed_at_the_target_is_over() -> None:
    failed = _deleted(State.FAILED, unanswered=1)
    assert decide(_unit(), [failed, _arrival()], RULES) == Queue(_unit(), (f"d/p~{NEW[:12]}",), 8)
    assert isinstance(decide(_unit(), [failed, _arrival(EARLY)], RULES), Hold)
    assert isinstance(decide(_unit(), [replace(failed, deleted_at=None), _arrival()], RULES), Hold)
    assert decide(_unit(OLD), [failed, _arrival()], RULES) == Keep(_unit(OLD), 1, (8,))


def test_what_may_be_on_its_way_is_never_over() -> None:
    assert isinstance(decide(_unit(), [_deleted(State.SUBMITTING, unanswered=1), _arrival()], RULES), Wait)
    assert isinstance(decide(_unit(), [_deleted(State.PENDING, unanswered=1), _arrival()], RULES), LookUp)


def test_what_was_taken_before_waits_for_a_person_who_is_told_with_which_jobs() -> None:
    rows = [
        KnownRow(number, name, Kind.SEQUENCE, state, job_id=job)
        for number, name, state, job in (
            (1, "a", State.SUBMITTED, "J1"),
            (2, "b", State.COMPLETED, "J2"),
            (3, "c", State.DUPLICATE, None),
            (4, "d", State.IGNORED, None),
            (5, "e", State.SUBMITTED, "J5"),
        )
    ]
    unit = _unit(kind=Kind.SEQUENCE, names="pqrst")
    choice = "'retry' sends it as well, 'dismiss' leaves it"
    for before, told in (
        (
            Before(((rows[0], 3),), 3),
            "3 of 5 frames were sent before in a (submitted, job J1), and are gone from there",
        ),
        (
            Before(((rows[1], 2), (rows[2], 1)), 3),
            (
                "3 of 5 frames were sent before in b (2 of them, completed, job J2) and c (1 of them, duplicate), "
                "and are gone from there"
            ),
        ),
        (Before(((rows[3], 5),), 5), "5 of 5 frames were dismissed before in d (ignored), and are gone from there"),
    ):
        action = decide(unit, [], RULES, before=before)
        assert isinstance(action, Hold)
        assert (action.error_code, action.reason) == ("sent-before", f"{told}: {choice}")
    many = describe_before(unit, Before(tuple((row, 1) for row in rows), 5))
    assert " and 2 more, and are gone" in many
    image = describe_before(_unit(), Before(((rows[0], 1),), 1))
    assert image == f"the same image was sent before as a (submitted, job J1), and is gone from there: {choice}"
    # What was moved as a whole is no such thing, and what cannot be sent is told as that.
    moved = _known(State.SUBMITTED, NEW, number=7)
    sent = Before(((rows[0], 1),), 1)
    assert isinstance(decide(_unit(), [], RULES, moved_from=moved, before=sent), Move)
    assert isinstance(decide(_unit(problem="cut short"), [], RULES, before=sent), Refuse)


def test_a_unit_is_what_was_moved_where_it_is_the_very_file_or_came_when_that_went() -> None:
    row = _deleted(State.SUBMITTED)
    left = LeftBehind(frozenset({1}))
    assert may_have_moved(row, left, EARLY)
    assert not may_have_moved(row, left, LATE)
    assert may_have_moved(row, replace(left, same=frozenset({1})), LATE)
    assert may_have_moved(replace(row, deleted_at=None), left, LATE)
    assert not may_have_moved(replace(row, deleted_at=None), LeftBehind(replaced=frozenset({1})), LATE)
