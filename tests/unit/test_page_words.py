"""What the page makes of numbers, days and jobs: words, bars, keys, and commands to copy."""

from __future__ import annotations

import shlex
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.states import ATTENTION, State
from agent.ledger.orders import Target
from agent.page import advice, chart, words
from agent.page.page import Page
from agent.page.views.folders import bar
from agent.page.views.lists import address, key_of, text_of
from agent.page.views.standing import cost


def target(state: State, code: str = "", **changed: Any) -> Target:
    given: dict[str, Any] = {"unanswered": 0, "reference_id": "a~1", "reason": "", "frame_count": 1, **changed}
    return Target(1, "a.jpg", state, code, **given)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.04, "0.0 s"), (9.44, "9.4 s"), (59, "59 s"), (61, "1 min 1 s"), (3600, "1 h"), (90061, "1 d 1 h")],
)
def test_a_span_has_two_units_at_most(seconds: float | None, text: str) -> None:
    assert words.span(seconds) == text


def test_a_time_is_an_element_whatever_the_ledger_holds() -> None:
    assert words.moment("") == ""
    assert "<script" not in words.moment('"><script>')
    assert "<script" not in words.lasting('"><script>')


def test_the_bars_are_thirty_days_and_those_without_are_empty() -> None:
    rows = [
        {"day": "2026-11-28", "images": 30, "sequences": 10, "frames": 120},
        {"day": "2026-11-01", "images": 1, "sequences": 0, "frames": 0},
        {"day": "2026-10-01", "images": 99, "sequences": 0, "frames": 0},
    ]
    bars = chart.bars(rows, date(2026, 11, 28))
    assert len(bars) == 30
    assert [bar.day for bar in (bars[0], bars[-1])] == ["2026-10-30", "2026-11-28"]
    assert (bars[-1].jobs, bars[-1].frames, bars[-1].top) == (40, 150, 0.0)
    assert (bars[-1].images_height, bars[-1].sequences_height) == (90.0, 30.0)
    assert bars[2].images_height >= 2  # one of forty is still to be seen
    assert sum(bar.jobs for bar in bars) == 41


def test_nothing_sent_is_no_bar_and_no_error() -> None:
    assert {bar.images_height for bar in chart.bars([], date(2026, 11, 28))} == {0.0}


def test_the_cost_is_exact_and_none_without_a_price() -> None:
    sent = {"images": 3, "sequences": 1, "frames": 10}
    assert cost(Page(Path("l")), sent) is None
    assert cost(Page(Path("l"), price_per_image=0.1), sent) == Decimal("0.3")
    assert cost(Page(Path("l"), price_per_image=0.1, price_per_frame=0.035), sent) == Decimal("0.650")


@given(st.lists(st.integers(0, 10**9), min_size=4, max_size=4))
def test_a_folders_bar_is_whole(numbers: list[int]) -> None:
    parts = bar(dict(zip(("completed", "submitted", "waiting", "attention"), numbers, strict=True)))
    assert sum(length for _, _, length in parts) == pytest.approx(100 if sum(numbers) else 0, abs=0.1)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.integers(-(2**63), 2**63 - 1))
def test_a_key_goes_into_an_address_and_back(text: str, number: int) -> None:
    assert key_of(text_of((text, number)) or "", str, int) == (text, number)


@pytest.mark.parametrize(
    "text",
    ["", "x", "[", "{}", "[1]", '["a"]', '["a","b"]', '["a",1.5]', '["a",true]', '["\\ud800",1]', f'["a",{2**63}]'],
)
def test_what_is_no_key_begins_the_list(text: str) -> None:
    assert key_of(text, str, int) is None


def test_an_address_leaves_out_what_is_not_asked() -> None:
    assert address("/jobs", state="", folder="a b&c", after=None) == "/jobs?folder=a+b%26c"
    assert address("/jobs") == "/jobs"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_a_command_names_the_path_and_nothing_else(path: str) -> None:
    found = shlex.split(advice.command("playment-agent", "retry", path))
    assert found == ["playment-agent", "retry", *(["--"] if path.startswith("-") else []), path]


@pytest.mark.parametrize(
    ("row", "orders"),
    [
        (target(State.HELD, "gaps"), ["retry", "dismiss"]),
        (target(State.HELD, "changed"), ["resubmit", "dismiss"]),
        (target(State.HELD, "changed", reference_id=""), ["dismiss"]),
        (target(State.HELD, "arrival"), ["dismiss"]),
        (target(State.INVALID), ["retry", "dismiss"]),
        (target(State.FAILED, "FS_0007"), ["retry", "dismiss"]),
        (target(State.DUPLICATE, "reference-id"), ["dismiss"]),
        (target(State.SETTLING, "unreadable"), ["retry", "dismiss"]),
        (target(State.SUBMITTED, "twins"), []),
        (target(State.HELD, "changed", unanswered=1), ["resubmit"]),
    ],
)
def test_only_orders_that_would_do_something_are_offered(row: Target, orders: list[str]) -> None:
    assert advice.possible(row) == orders


def test_whatever_waits_for_a_person_can_be_dismissed() -> None:
    assert all(advice.possible(target(state))[-1] == "dismiss" for state in ATTENTION)
