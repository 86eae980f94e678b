"""Two hosts and what they share, over real ledgers, real files and a real server; the fleet is one in memory."""

from __future__ import annotations

import contextlib
import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from agent.core.reference_id import IdRules
from agent.core.spend_guard import Limits
from agent.errors import FleetRefused, FleetUnavailable
from agent.fleet.records import Budget
from agent.ledger import orders
from agent.ledger.reads import Reads
from agent.ledger.store import iso
from agent.publishing.base_url import BaseUrl
from agent.sandbox import Faults
from tests.fleets import Claim, Shared
from tests.sending import START, Clock, Sending, Server, refusal
from tests.support import eventually, query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

    from agent.model import Frame

AWAY = FleetUnavailable("the fleet's database does not answer")


@pytest.fixture
def shared() -> Shared:
    return Shared()


@contextlib.contextmanager
def host(place: Path, name: str, server: Server, clock: Clock, shared: Shared, **options: Any) -> Iterator[Sending]:
    (place / name).mkdir(exist_ok=True)
    with Sending(place / name, server.url, clock, fleet=shared.member(name), **options) as sending:
        yield sending


@pytest.fixture
def one(tmp_path: Path, server: Server, clock: Clock, shared: Shared) -> Iterator[Sending]:
    with host(tmp_path, "one", server, clock, shared) as sending:
        yield sending


def told(sending: Sending, key: str = "fleet") -> str:
    return "".join(row["value"] for row in query(sending.path, f"select value from agent where key = '{key}'"))


def test_two_hosts_with_one_folder_make_one_post_each_and_both_know_all(
    tmp_path: Path, server: Server, clock: Clock, shared: Shared
) -> None:
    with host(tmp_path, "one", server, clock, shared) as one, host(tmp_path, "two", server, clock, shared) as two:
        one.drop_many(60)
        two.drop_many(60)
        goes_on_until([one, two], lambda: one.states() == two.states() == {"submitted": 60}, 1.0)
        eventually(lambda: len(shared.sent()) == 60)
    ids = [dict(query_ids(tmp_path / name / "ledger.db")) for name in ("one", "two")]
    assert len(server.posts()) == len(server.jobs) == 60
    assert ids[0] == ids[1] == {job.body["reference_id"]: job.job_id for job in server.jobs} == shared.sent()


def goes_on_until(hosts: list[Sending], condition: Callable[[], bool], step: float) -> None:
    """Let time pass, with jobs under way, until `condition` holds."""

    def looked() -> bool:
        hosts[0].advance(step)
        for other in hosts[1:]:
            other.advance(0.0)
        return condition()

    eventually(looked, 30.0, every=0.05)


def query_ids(ledger: Path) -> list[tuple[str, str]]:
    return [(row["reference_id"], row["job_id"]) for row in query(ledger, "select reference_id, job_id from jobs")]


def test_what_another_host_has_sent_is_taken_over_by_one_move_and_one_event(
    one: Sending, server: Server, shared: Shared
) -> None:
    reference_id = f"a.jpg~{hashlib.sha256(b'a').hexdigest()[:12]}"
    shared.claims[reference_id] = Claim("two", "their-job")
    one.drop("a.jpg", b"a")
    assert one.row("a.jpg")["reference_id"] == reference_id
    one.becomes(submitted=1)
    row = one.row("a.jpg")
    assert (row["job_id"], row["attempts"], row["spent_for"], row["tag"]) == ("their-job", 0, None, "boxes")
    events = query(one.path, "select event, detail from events where job is not null and event <> 'pending'")
    assert [event for event in events if event["event"] != "settling"] == [
        {"event": "submitted", "detail": "another host of the fleet has sent it"}
    ]
    assert server.posts() == []


def test_an_id_that_does_not_tell_the_content_is_looked_up_and_never_taken_for_ours(
    tmp_path: Path, server: Server, clock: Clock, shared: Shared
) -> None:
    shared.claims["a.jpg"] = Claim("two", "their-job")
    with host(tmp_path, "one", server, clock, shared, rules=IdRules("{path}", "host1")) as one:
        one.drop("a.jpg", b"a")
        eventually(lambda: one.row("a.jpg")["lookup"] == "duplicate")
    assert server.posts() == []


def test_what_another_host_is_sending_waits_and_costs_no_try(
    tmp_path: Path, server: Server, clock: Clock, shared: Shared
) -> None:
    with host(tmp_path, "one", server, clock, shared, paused=True) as one:
        one.drop("a.jpg", b"a")
        reference_id = one.row("a.jpg")["reference_id"]
        shared.claims[reference_id] = Claim("two")
        one.unpause()
        eventually(lambda: one.row("a.jpg")["error_code"] == "fleet")
        row = one.row("a.jpg")
        assert (row["state"], row["attempts"], row["reason"]) == (
            "pending",
            0,
            "another host of the fleet is sending it",
        )
        shared.claims[reference_id].has_lease = False  # that host has died
        one.passes_until(lambda: one.states() == {"submitted": 1}, step=1.0)
        row = one.row("a.jpg")
        assert (row["reason"], row["error_code"]) == ("", "")
    assert len(server.posts()) == 1


def test_while_the_database_is_away_nothing_new_is_sent_and_people_are_told_since_when(
    one: Sending, server: Server, shared: Shared
) -> None:
    one.drop("a.jpg")
    one.becomes(submitted=1)
    shared.away = AWAY
    one.drop("b.jpg")
    text = f"fleet database not reachable since {START.year}"
    eventually(lambda: told(one).startswith(text))
    assert one.submitter.trouble == told(one)
    assert query(one.path, "select path, state, reason, error_code from attention") == [
        {"path": "", "state": "trouble", "reason": told(one), "error_code": "fleet"}
    ]
    with Reads.open(one.path) as reads:
        assert reads.report(one.clock.now()).attention_jobs == 1
    one.drop("c.jpg")
    assert one.states() == {"submitted": 1, "pending": 2}
    shared.away = None
    one.becomes(submitted=3)
    eventually(lambda: not told(one))
    assert (one.submitter.trouble, query(one.path, "select 1 from attention")) == ("", [])
    outages = query(one.path, "select detail from events where event = 'outage' order by id")
    assert len(outages) == 2
    assert outages[1]["detail"].startswith("the fleet's database is back, after")
    assert len(server.posts()) == 3


class Uploads(BaseUrl):
    """A place to which files are uploaded: nowhere."""

    uploads = True

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9/")
        self.paths: list[str] = []

    def publish(self, frame: Frame, *, expected: bool) -> int:
        self.paths.append(frame.path)
        return frame.stamp.size


def test_while_the_database_is_away_files_are_uploaded_ahead_and_each_once(
    tmp_path: Path, server: Server, clock: Clock, shared: Shared
) -> None:
    shared.away = AWAY
    publisher = Uploads()
    with host(tmp_path, "one", server, clock, shared, publisher=publisher) as one:
        one.drop_many(100)  # many more than are claimed for the workers
        eventually(lambda: len(publisher.paths) == 100)
        assert one.states() == {"pending": 100}
        shared.away = None
        one.becomes(submitted=100)
    assert len(set(publisher.paths)) == len(publisher.paths) == len(server.posts()) == 100


def test_a_day_ends_by_the_clock_that_all_go_by(tmp_path: Path, server: Server, clock: Clock, shared: Shared) -> None:
    """A host whose clock is ahead would wait for its own next day: a day too long."""
    shared.budget = Budget(limits=Limits(frames=3))
    shared.to_midnight = 3.0
    with host(tmp_path, "one", server, clock, shared) as one:
        one.drop_frames("first", ["1.jpg", "2.jpg"])
        one.becomes(submitted=1)
        one.drop_frames("second", ["1.jpg", "2.jpg"])
        eventually(lambda: one.row("second")["error_code"] == "spend")
        assert one.row("second")["next_attempt_at"] == iso(clock.now() + timedelta(seconds=3))


def test_a_database_that_refuses_us_is_said_to(tmp_path: Path, server: Server, clock: Clock, shared: Shared) -> None:
    shared.away = AWAY
    with host(tmp_path, "one", server, clock, shared) as one:
        eventually(lambda: "not reachable since" in told(one))
        shared.away = FleetRefused("the fleet's database refuses the password")
        eventually(lambda: "refuses this host since" in told(one))
        shared.away = None
        one.drop("a.jpg")
        one.becomes(submitted=1)


def test_a_grant_whose_answer_is_lost_is_asked_for_again_and_counted_once(
    tmp_path: Path, server: Server, clock: Clock, shared: Shared
) -> None:
    shared.budget = Budget(limits=Limits(jobs=2))
    member = shared.member("one")
    member.answers_lost = 1
    with Sending(tmp_path, server.url, clock, fleet=member) as one:
        one.drop_many(3)
        one.becomes(submitted=2, pending=1)
        eventually(lambda: len(query(one.path, "select 1 from jobs where error_code = 'spend'")) == 1)
    assert (len(server.posts()), shared.spent.jobs) == (2, 2)


def test_a_job_in_flight_as_the_database_goes_is_written_here_and_told_later(
    one: Sending, server: Server, shared: Shared
) -> None:
    def goes(_body: dict[str, Any]) -> None:
        shared.away = AWAY

    server.made = goes
    one.drop("a.jpg")
    one.becomes(submitted=1)
    assert not shared.sent()
    shared.away = None
    eventually(lambda: len(shared.sent()) == 1)


def test_another_database_is_told_of_all_before_anything_is_sent(
    tmp_path: Path, server: Server, clock: Clock, shared: Shared
) -> None:
    with host(tmp_path, "one", server, clock, shared) as one:
        one.drop_many(3)
        one.becomes(submitted=3)
        server.faults = Faults(error_after=1.0)
        one.drop("open.jpg")
        eventually(lambda: one.row("open.jpg")["unanswered"])
        shared.forgets("second")
        calls = len(shared.calls)
        server.faults = Faults()
        one.drop("new.jpg")
        one.passes_until(lambda: one.states() == {"submitted": 5}, step=1.0)
        later = shared.calls[calls:]
        assert later.index("one mirror") < max(at for at, call in enumerate(later) if call == "one ask")
        eventually(lambda: len(shared.sent()) == 5)
    assert len(server.jobs) == 5
    # A restart knows whom it has told.
    calls = len(shared.calls)
    with host(tmp_path, "one", server, clock, shared) as one:
        one.drop("last.jpg")
        one.becomes(submitted=6)
        eventually(lambda: len(shared.sent()) == 6)
    assert shared.calls[calls:].count("one mirror") == 1


def test_the_days_limit_is_the_fleets_and_what_goes_beyond_is_published_no_more(
    tmp_path: Path, server: Server, clock: Clock, shared: Shared
) -> None:
    shared.budget = Budget(limits=Limits(jobs=3, frames=100))
    with host(tmp_path, "one", server, clock, shared) as one, host(tmp_path, "two", server, clock, shared) as two:
        one.drop("1.jpg")
        one.becomes(submitted=1)
        for name in ("2.jpg", "3.jpg", "4.jpg", "5.jpg"):
            two.drop(name)
        eventually(lambda: two.states() == {"submitted": 2, "pending": 2})
        eventually(lambda: len(query(two.path, "select 1 from jobs where error_code = 'spend'")) == 2)
        row = query(two.path, "select * from jobs where error_code = 'spend' limit 1")[0]
        assert row["reason"].startswith("the day's limit is reached: SUBMIT_LIMIT_JOBS_PER_DAY is 3")
        assert row["next_attempt_at"] == "2026-03-02T00:00:00.000Z"
    assert len(server.posts()) == 3


def test_what_others_have_sent_does_not_wait_for_another_day(
    tmp_path: Path, server: Server, clock: Clock, shared: Shared
) -> None:
    shared.budget = Budget(limits=Limits(jobs=3, frames=100))
    with host(tmp_path, "one", server, clock, shared) as one:
        one.drop_many(3)
        one.becomes(submitted=3)
        eventually(lambda: len(shared.sent()) == 3)
    with host(tmp_path, "two", server, clock, shared) as two:
        eventually(lambda: "two beat" in shared.calls)
        two.drop_many(4)
        goes_on_until([two], lambda: two.states() == {"submitted": 3, "pending": 1}, 1.0)
        taken = {row["reason"] for row in query(two.path, "select reason from jobs where state = 'submitted'")}
    assert taken == {"another host of the fleet has sent it"}
    assert len(server.posts()) == 3


def test_what_is_larger_than_any_day_allows_is_held(
    tmp_path: Path, server: Server, clock: Clock, shared: Shared
) -> None:
    shared.budget = Budget(limits=Limits(frames=2))
    with host(tmp_path, "one", server, clock, shared) as one:
        one.drop_frames("drive", ["1.jpg", "2.jpg", "3.jpg"])
        one.becomes(held=1)
        assert one.row("drive")["error_code"] == "spend"
    assert server.posts() == []


def test_the_rate_is_the_fleets(one: Sending, server: Server, shared: Shared) -> None:
    shared.starts = 4
    one.drop_many(10)
    one.becomes(submitted=4, pending=6)
    shared.starts = 6
    goes_on_until([one], lambda: one.states() == {"submitted": 10}, 0.5)
    assert len(server.posts()) == 10


def test_a_pause_of_the_fleet_is_everybodys(one: Sending, server: Server, shared: Shared) -> None:
    shared.paused = True
    one.drop("a.jpg")
    eventually(lambda: told(one, "fleet_paused") == "1")
    eventually(lambda: one.gate.is_shut)
    assert one.states() == {"pending": 1}
    shared.paused = False
    one.passes_until(lambda: one.states() == {"submitted": 1}, step=10.0)
    assert len(server.posts()) == 1


def test_a_refused_key_blocks_all_until_one_host_is_let_in(
    tmp_path: Path, server: Server, clock: Clock, shared: Shared
) -> None:
    with host(tmp_path, "one", server, clock, shared) as one, host(tmp_path, "two", server, clock, shared) as two:
        eventually(lambda: {"one", "two"} <= shared.beats.keys())
        server.refuse_key(refused=True)
        one.drop("a.jpg")
        eventually(lambda: shared.blocked.startswith("one: "))
        two.advance(10.0)
        two.submitter._grantor.is_shut()
        eventually(lambda: told(two, "blocked").startswith("the fleet is blocked: one: "))
        posts = len(server.posts())
        two.drop("b.jpg")
        assert len(server.posts()) == posts
        server.refuse_key(refused=False)
        goes_on_until([one, two], lambda: one.states() == two.states() == {"submitted": 1}, 10.0)
        eventually(lambda: not shared.blocked)


def test_a_retry_after_holds_all(tmp_path: Path, server: Server, clock: Clock, shared: Shared) -> None:
    with host(tmp_path, "one", server, clock, shared) as one, host(tmp_path, "two", server, clock, shared) as two:
        refusals = iter([refusal(429, "rate_limit", {"Retry-After": "60"})])
        server.answer = lambda _body: next(refusals, None)
        one.drop("a.jpg")
        eventually(lambda: shared.held > 50)
        two.advance(10.0)
        two.submitter._grantor.is_shut()
        eventually(lambda: two.gate.held_for() > 40)
        shared.held = 0.0
        goes_on_until([one, two], lambda: one.states() == {"submitted": 1}, 10.0)


def test_a_lost_ledger_has_its_ids_from_the_fleet_once_a_person_has_looked(
    tmp_path: Path, server: Server, clock: Clock, shared: Shared
) -> None:
    with host(tmp_path, "one", server, clock, shared) as one:
        one.drop_many(5)
        one.becomes(submitted=5)
        eventually(lambda: len(shared.sent()) == 5)
        ids = query_ids(one.path)
    shared.numbers["one"] += 1000
    for file in (tmp_path / "one").glob("ledger.db*"):
        file.unlink()
    (tmp_path / "one" / "inbox").rename(tmp_path / "one" / "before")
    posts, asked = len(server.posts()), len(server.calls)
    with host(tmp_path, "one", server, clock, shared, is_new=True) as one:
        one.drop_many(5)
        eventually(lambda: "the fleet knows jobs of this host already" in told(one, "paused_why"))
        assert one.states() == {"pending": 5}
        one.ledger.call(lambda ledger: orders.pause(ledger, paused=False))
        one.unpause()
        one.becomes(submitted=5)
        assert query_ids(one.path) == ids
    assert (len(server.posts()), len(server.calls)) == (posts, asked)
