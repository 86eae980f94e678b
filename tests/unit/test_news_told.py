"""Whatever happens, and in whichever order: nothing is lost, all is told once, and never two within a minute."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import LedgerUnavailable
from agent.ledger.news import Kind, Span, Untold, Waiting
from agent.ledger.reports import Counts
from agent.ledger.store import iso
from agent.news.kept import Kept
from agent.news.notifier import Outcome
from agent.news.pace import APART_SECONDS, GATHER_SECONDS
from agent.news.telling import TICK, News
from agent.news.words import Sender

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.ledger.news import NewsReads
    from agent.ledger.store import Ledger
    from agent.ledger.writer import LedgerWriter
    from agent.news.notifier import Notifier

KIND = Kind("invalid", "", "cut short")
TROUBLES = ("outage", "blocked", "unpublished")
SENDER = Sender("cam17", "/srv/inbox", "Playment")


class Killed(BaseException):
    """The agent was killed."""


@dataclass
class Told:
    """A message as it was delivered: when, which events it told of, and the message itself."""

    at: float
    events: set[int]
    message: Mapping[str, Any]


@dataclass
class World:
    """A ledger, a clock and somebody who takes messages; the agent in it may be killed at any time."""

    seconds: float = 0.0
    clock: timedelta = timedelta()
    events: dict[int, datetime] = field(default_factory=dict)
    waiting: set[int] = field(default_factory=set)
    agent_keys: dict[str, str] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    outcome: Outcome = field(default_factory=lambda: Outcome(told=True))
    kills: str = ""
    is_written: bool = True
    sent: bool = False
    trouble = ""
    _asked: set[int] = field(default_factory=set)
    _number: int = 0

    def start(self) -> None:
        """Start an agent, which forgets what it cannot know."""
        self.agent_keys |= dict.fromkeys(TROUBLES, "")
        self.agent_keys["started_at"] = iso(self.now())
        self.sent = False
        self.news = News(
            cast("LedgerWriter", self),
            cast("NewsReads", self),
            cast("Notifier", self),
            sender=SENDER,
            summary_at=None,
            now=self.now,
            monotonic=lambda: self.seconds,
        )
        self.news.begin()

    def now(self) -> datetime:
        return datetime(2026, 11, 28, tzinfo=UTC) + timedelta(seconds=self.seconds) + self.clock

    def passes(self, seconds: float, step: float = TICK) -> None:
        until = self.seconds + seconds
        while self.seconds < until:
            self.seconds += step
            try:
                self.news.turn()
            except Killed:
                self.start()

    def refused(self, jobs: int = 1) -> None:
        for _ in range(jobs):
            self._number += 1
            self.events[self._number] = self.now()
            self.waiting.add(self._number)

    # What the ledger is asked, and does

    def agent(self) -> dict[str, str]:
        return self.agent_keys

    def last_event(self) -> int:
        return self._number

    def standing(self) -> Counts:
        return Counts({"invalid": len(self.waiting)})

    def first_untold(self, event: int) -> datetime | None:
        return min((at for number, at in self.events.items() if number > event), default=None)

    def untold(self, event: int) -> Untold:
        self._asked = {number for number in self.waiting if number > event}
        kinds = {KIND: Waiting({"": len(self._asked)}, "x.jpg")} if self._asked else {}
        return Untold(self._number, kinds)

    def has_sent_since_start(self) -> bool:
        return self.sent

    def span(self, _since: datetime) -> Span:
        return Span(0, 0, 0)

    def call(self, work: Callable[[Ledger], object]) -> None:
        if not self.is_written:
            raise LedgerUnavailable("disk full")
        work(cast("Ledger", self))

    def put(self, **values: str) -> None:
        self.agent_keys |= values

    # Who takes messages

    def tell(self, message: Mapping[str, Any]) -> Outcome:
        kills, self.kills = self.kills, ""
        if kills == "before":
            raise Killed
        if self.outcome.told or self.outcome.unknown:
            self.told.append(Told(self.seconds, set(self._asked), message))
        if kills == "after":
            raise Killed
        return self.outcome

    def stop(self) -> None:
        """Nothing is under way for long."""


STEPS = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([5, 20, 55, 130, 299, 301, 700])),
    st.tuples(st.just("refused"), st.integers(1, 3)),
    st.tuples(st.just("mended"), st.integers(1, 3)),
    st.tuples(st.just("away"), st.sampled_from(TROUBLES)),
    st.tuples(st.just("back"), st.sampled_from(TROUBLES)),
    st.tuples(st.just("outcome"), st.sampled_from(["yes", "no", "unknown"])),
    st.tuples(st.just("kill"), st.just("now")),
    st.tuples(st.just("kills"), st.sampled_from(["before", "after"])),
    st.tuples(st.just("is_written"), st.sampled_from([True, False])),
    st.tuples(st.just("clock"), st.sampled_from([-86_400, -100, 100, 86_400])),
)
OUTCOMES = {"yes": Outcome(told=True), "no": Outcome(told=False, why="x"), "unknown": Outcome(False, "late", True)}


def _does(world: World, what: str, how: Any) -> None:
    match what, how:
        case "wait", _:
            world.passes(how)
        case "refused", _:
            world.refused(how)
        case "mended", _:
            world.waiting -= set(sorted(world.waiting)[:how])
        case "away", _:
            world.agent_keys[how] = f"{how} is away"
        case "back", _:
            world.agent_keys[how] = ""
            world.sent = True
        case "kill", "now":
            world.start()
        case "clock", _:
            world.clock += timedelta(seconds=how)
        case _:
            setattr(world, what, OUTCOMES.get(how, how))


@settings(max_examples=200, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_nothing_is_lost_all_is_told_once_and_never_two_within_a_minute(steps: list[tuple[str, Any]]) -> None:
    world = World()
    world.start()
    world.passes(TICK)
    is_killed_unwritten = {"is_written", "kills"} <= {what for what, _ in steps}
    for what, how in steps:
        is_killed_unwritten |= what == "kill" and not world.is_written
        _does(world, what, how)
    world.outcome, world.is_written, world.sent = OUTCOMES["yes"], True, True
    world.passes(2 * 3600.0, step=30.0)
    world.sent = True  # an agent that was killed meanwhile knows nothing before
    world.passes(3600.0, step=30.0)
    assert world.agent_keys["news_trouble"] == ""
    told = [number for each in world.told for number in each.events]
    assert world.waiting <= set(told)
    kept = Kept.of(world.agent_keys["news"])
    assert kept.standing.keys() == {key for key in TROUBLES if world.agent_keys[key]}
    gaps = [after.at - before.at for before, after in zip(world.told, world.told[1:], strict=False)]
    if not any(what in {"clock", "is_written"} for what, _ in steps):
        assert all(gap >= APART_SECONDS for gap in gaps)
    before: set[int] = set()
    for each in world.told:
        if not is_killed_unwritten and each.events & before:
            assert each.message["may_be_repeated"]
        before |= each.events


def _world() -> World:
    world = World()
    world.start()
    world.passes(TICK)
    return world


def test_ten_thousand_within_a_minute_are_one_message_after_five() -> None:
    world = _world()
    for _ in range(100):
        world.passes(0.5, step=0.5)
        world.refused(100)
    begun = world.seconds - 50
    world.passes(GATHER_SECONDS + 20)
    [told] = world.told
    assert GATHER_SECONDS <= told.at - begun <= GATHER_SECONDS + 2 * TICK
    assert "10,000 are invalid" in told.message["text"]


def test_an_old_ledger_is_no_flood_but_one_sum() -> None:
    world = World()
    world.refused(10_000)
    world.start()
    world.passes(3600)
    [told] = world.told
    assert told.message["title"] == "playment-agent on cam17: 10,000 wait for a person"
    assert told.events == set()


def test_what_gets_well_within_five_minutes_is_not_told() -> None:
    world = _world()
    world.refused()
    world.agent_keys["outage"] = "Playment is away"
    world.passes(200)
    world.waiting.clear()
    world.agent_keys["outage"] = ""
    world.passes(3600)
    assert world.told == []


def test_a_server_that_comes_and_goes_is_away_once_and_back_once_it_stays() -> None:
    world = World()
    world.start()
    for _ in range(30):
        world.agent_keys["outage"] = "Playment is away"
        world.passes(40)
        world.agent_keys["outage"] = ""
        world.passes(40)
    [away] = world.told
    assert away.at <= GATHER_SECONDS + 80
    assert away.message["title"].endswith(": Playment is away")
    world.passes(GATHER_SECONDS + TICK)
    assert [told.message["title"].partition(": ")[2] for told in world.told[1:]] == ["Playment is back"]


def test_a_restart_in_an_outage_is_no_good_news_until_something_is_sent() -> None:
    world = _world()
    world.agent_keys["outage"] = "Playment is away"
    world.passes(400)
    world.start()
    world.passes(3600)
    assert [each.message["kind"] for each in world.told] == ["failure"]
    world.sent = True
    world.passes(400)
    assert [each.message["kind"] for each in world.told] == ["failure", "success"]
    assert world.told[1].message["title"].endswith("Playment is back")


def test_what_was_told_by_a_killed_agent_is_told_once_more_and_says_so() -> None:
    world = _world()
    world.refused()
    world.kills = "after"
    world.passes(3600)
    first, second = world.told
    assert (first.message["number"], second.message["number"]) == (1, 1)
    assert (first.message["may_be_repeated"], second.message["may_be_repeated"]) == (False, True)
    world.refused()
    world.passes(3600)
    assert (world.told[2].message["number"], world.told[2].message["may_be_repeated"]) == (2, False)


def test_news_that_cannot_be_told_are_told_once_they_can_with_what_came_meanwhile() -> None:
    world = _world()
    world.outcome = Outcome(told=False, why="503")
    world.refused()
    world.passes(400)
    assert world.agent_keys["news_trouble"] == "news are not told: 503"
    world.refused()
    world.passes(3600, step=30)
    assert world.told == []
    world.outcome = Outcome(told=True)
    world.passes(3700, step=30)
    [told] = world.told
    assert told.events == {1, 2}
    assert world.agent_keys["news_trouble"] == ""


def test_a_try_that_failed_is_forgotten_once_what_it_was_to_tell_is_over() -> None:
    world = _world()
    world.outcome = Outcome(told=False, why="late", unknown=True)
    world.agent_keys["outage"] = "Playment is away"
    world.passes(400)
    assert world.agent_keys["news_trouble"] == "news are not told: late"
    world.agent_keys["outage"] = ""
    world.passes(60)
    assert world.agent_keys["news_trouble"] == ""
    world.told.clear()
    world.outcome = Outcome(told=True)
    world.refused()
    world.passes(400)
    assert [each.message["may_be_repeated"] for each in world.told] == [False]


def test_an_older_copy_of_the_ledger_hides_nothing_that_comes() -> None:
    world = _world()
    world.agent_keys["news"] = Kept(1_000_000).text()
    world.start()
    world.passes(10)
    world.refused()
    world.passes(400)
    assert len(world.told) == 1
