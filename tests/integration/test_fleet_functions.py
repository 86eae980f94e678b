"""What hosts share in a real PostgreSQL: claims, one budget, units, rights, and the schema they lie in."""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.grants import Asked, Granted, Say
from agent.core.spend_guard import Limits
from agent.errors import FleetRefused, FleetUnavailable
from agent.fleet import client, schema
from agent.fleet.records import SCHEMA, Beat, Budget, Finished, Mirrored, UnitClaim, Whose
from tests.postgres import HOSTS
from tests.support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent.fleet.client import Fleet
    from tests.postgres import Postgres, Shared

BEAT = Beat("1", {})
ON_NAS = Beat("1", {}, "nas")


def asked(*ids: str, frames: int = 1) -> list[Asked]:
    return [Asked(each, frames) for each in ids]


def said(granted: Sequence[Granted]) -> list[Say]:
    return [each.say for each in granted]


def today() -> str:
    return datetime.now(UTC).date().isoformat()


# --- claims ---


def test_one_host_is_granted_an_id_and_another_is_told_whose_it_is_and_as_what_it_was_sent(shared: Shared) -> None:
    first, second = shared.joined("cam_a"), shared.joined("cam_b")
    assert said(first.ask(asked("r"))) == [Say.GO]
    (taken,) = second.ask(asked("r"))
    assert taken.say is Say.TAKEN
    assert 0 < taken.seconds <= 5
    assert first.mirror([Mirrored("r", 1, "job-1")]) == []
    assert second.ask(asked("r")) == [Granted("r", Say.THEIRS, "job-1")]
    assert first.ask(asked("r")) == [Granted("r", Say.THEIRS, "job-1")]


def test_a_host_may_try_its_own_again_and_that_costs_nothing_more(shared: Shared) -> None:
    host = shared.joined("cam_a")
    host.budget = Budget(limits=Limits(jobs=1))
    assert [said(host.ask(asked("r"))) for _ in range(3)] == [[Say.GO]] * 3
    assert host.beat(BEAT).jobs == 1
    assert shared.sql("select attempts from fleet.fleet_claims") == [3]
    assert said(host.ask(asked("other"))) == [Say.TOMORROW]


def test_a_claim_goes_to_another_host_when_its_lease_is_over_and_is_counted_once(shared: Shared) -> None:
    first, second = shared.joined("cam_a"), shared.joined("cam_b")
    first.lease = 0.3
    first.ask(asked("r"))
    assert said(second.ask(asked("r"))) == [Say.TAKEN]
    eventually(lambda: said(second.ask(asked("r"))) == [Say.GO])
    assert said(first.ask(asked("r"))) == [Say.TAKEN], "a host that wakes after its lease asks again, and is told"
    assert second.beat(BEAT).jobs == 1


def test_a_batch_is_judged_in_its_order_in_one_round_trip(shared: Shared) -> None:
    first, second = shared.joined("cam_a"), shared.joined("cam_b")
    first.mirror([Mirrored("sent", 1, "j")])
    first.ask(asked("open"))
    second.budget = Budget(limits=Limits(jobs=2, frames=10))
    batch = [Asked("sent", 1), Asked("open", 1), Asked("big", 11), Asked("fits", 3), Asked("more", 1)]
    answers = second.ask(batch)
    assert said(answers) == [Say.THEIRS, Say.TAKEN, Say.NEVER, Say.GO, Say.TOMORROW]
    assert [each.reference_id for each in answers] == [each.reference_id for each in batch]
    assert answers[2].why.startswith("it has 11 frames, more than SUBMIT_LIMIT_FRAMES_PER_DAY (10): ")
    assert 0 < answers[4].seconds <= 86_400
    assert answers[4].why == "the day's limit is reached: SUBMIT_LIMIT_JOBS_PER_DAY is 2"


def test_four_hundred_ids_seen_by_four_hosts_are_granted_once_each(shared: Shared) -> None:
    hosts = [shared.joined(host) for host in HOSTS]
    ids = [f"r{number}" for number in range(400)]
    granted = [
        each.reference_id
        for start in range(0, 400, 40)
        for turn in range(4)
        for each in hosts[turn].ask(asked(*ids[start + 10 * turn :][:20]))
        if each.say is Say.GO
    ]
    assert sorted(granted) == sorted(ids)


# --- the budget ---


def test_the_rate_is_the_fleet_s_and_a_burst_a_fifth_of_a_second_s_worth(shared: Shared) -> None:
    hosts = [shared.joined("cam_a"), shared.joined("cam_b")]
    for host in hosts:
        host.budget = Budget(per_minute=60 * 20)
    ids = [[f"{turn}-{number}" for number in range(30)] for turn in range(2)]
    first = hosts[0].ask(asked(*ids[0]))
    assert said(first)[:5] == [*[Say.GO] * 4, Say.WAIT]
    assert 0.05 <= first[4].seconds < 1
    went = said(hosts[1].ask(asked(*ids[1]))).count(Say.GO)
    (spent,) = shared.sql("select extract(epoch from clock_timestamp() - min(claimed_at)) from fleet.fleet_claims")
    assert went <= 20 * float(spent) + 1


@pytest.mark.parametrize("per_minute", [0.5, 60.0])
def test_a_slow_rate_lets_one_start_and_says_when_the_next_may(shared: Shared, per_minute: float) -> None:
    host = shared.joined("cam_a")
    host.budget = Budget(per_minute=per_minute)
    answers = host.ask(asked("a", "b"))
    assert said(answers) == [Say.GO, Say.WAIT]
    assert 60 / per_minute - 1 < answers[1].seconds <= 60 / per_minute


def test_a_retry_after_holds_all_and_a_shorter_one_does_not_end_it(shared: Shared) -> None:
    first, second = shared.joined("cam_a"), shared.joined("cam_b")
    first.hold(60)
    first.hold(1)
    (held,) = second.ask(asked("r"))
    assert held.say is Say.WAIT
    assert 50 < held.seconds <= 60
    assert 50 < second.beat(BEAT).held <= 60


def test_blocked_and_paused_shut_all_but_what_was_sent(shared: Shared) -> None:
    first, second = shared.joined("cam_a"), shared.joined("cam_b")
    first.mirror([Mirrored("sent", 1, "j")])
    first.block("the key is refused")
    answers = second.ask(asked("r", "sent"))
    assert said(answers) == [Say.SHUT, Say.THEIRS]
    assert answers[0].why == "the key is refused"
    assert second.beat(BEAT).blocked == "the key is refused"
    first.block("")
    assert second.pause(paused=True) is False
    assert second.pause(paused=True) is True
    assert first.ask(asked("r"))[0] == Granted("r", Say.SHUT, why="paused by cam_b")
    assert first.beat(BEAT).paused
    assert second.pause(paused=False) is True
    assert said(first.ask(asked("r"))) == [Say.GO]


def test_a_new_day_begins_with_nothing_counted(shared: Shared) -> None:
    host = shared.joined("cam_a")
    host.budget = Budget(limits=Limits(jobs=1))
    assert said(host.ask(asked("a", "b"))) == [Say.GO, Say.TOMORROW]
    shared.sql("update fleet.fleet_budget set day = day - 1")
    assert host.beat(BEAT).jobs == 0
    assert said(host.ask(asked("b"))) == [Say.GO]
    assert host.beat(BEAT).jobs == 1


def test_projects_do_not_share(shared: Shared) -> None:
    first, second = shared.joined("cam_a", project="p"), shared.joined("cam_a", project="q")
    first.ask(asked("r"))
    first.pause(paused=True)
    assert said(second.ask(asked("r"))) == [Say.GO]


def test_what_was_sent_before_the_fleet_is_counted_where_it_was_today(shared: Shared) -> None:
    host = shared.joined("cam_a")
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    rows = [Mirrored("a", 3, "j1", day=today()), Mirrored("b", 5, "j2", day=yesterday), Mirrored("c", 7, "j3")]
    for _ in range(2):
        assert host.mirror(rows) == []
    told = host.beat(BEAT)
    assert (told.jobs, told.frames) == (1, 3)
    assert host.jobs(["a", "b", "c", "d"]) == {"a": "j1", "b": "j2", "c": "j3"}


def test_what_may_be_on_its_way_is_nobody_else_s_and_what_is_paid_for_goes_beyond_the_limit(shared: Shared) -> None:
    first, second = shared.joined("cam_a"), shared.joined("cam_b")
    first.budget = second.budget = Budget(limits=Limits(jobs=1))
    first.mirror([Mirrored("open", 1, is_open=True), Mirrored("paid", 1, day=today())])
    assert said(second.ask(asked("open", "paid", "new"))) == [Say.TAKEN, Say.GO, Say.TOMORROW]


def test_many_rows_are_mirrored_in_batches(shared: Shared) -> None:
    host = shared.joined("cam_a")
    rows = [Mirrored(f"r{number}", 1, f"j{number}") for number in range(1201)]
    assert host.mirror(rows) == []
    assert host.mirror([]) == []
    assert len(host.jobs([row.reference_id for row in rows])) == 1201


HOST, REF = st.sampled_from([0, 1]), st.sampled_from("abcdef")
OPS = st.one_of(
    st.tuples(
        st.just("grant"), HOST, st.lists(st.tuples(REF, st.integers(1, 6)), max_size=6, unique_by=lambda each: each[0])
    ),
    st.tuples(st.just("sent"), HOST, REF),
    st.tuples(st.just("lease over"), HOST, REF),
    st.tuples(st.just("midnight"), HOST, REF),
    st.tuples(st.just("paused"), HOST, st.booleans()),
)


class Model:
    """The same rules, without a database."""

    def __init__(self, limits: Limits) -> None:
        self.claims: dict[str, tuple[int, bool, str]] = {}
        self.limits = limits
        self.jobs = self.frames = 0
        self.paused = False

    def say(self, host: int, ref: str, frames: int) -> Say:
        holder, is_leased, job = self.claims.get(ref, (host, False, ""))
        assert self.limits.jobs is not None
        assert self.limits.frames is not None
        if job:
            return Say.THEIRS
        if holder != host and is_leased:
            return Say.TAKEN
        if self.paused:
            return Say.SHUT
        if ref not in self.claims:
            if frames > self.limits.frames:
                return Say.NEVER
            if self.jobs >= self.limits.jobs or self.frames + frames > self.limits.frames:
                return Say.TOMORROW
            self.jobs, self.frames = self.jobs + 1, self.frames + frames
        self.claims[ref] = (host, True, "")
        return Say.GO

    def sent(self, host: int, ref: str) -> None:
        holder, is_leased, job = self.claims.get(ref, (host, False, ""))
        if not job and (holder == host or not is_leased):
            self.claims[ref] = (host, False, f"job-{ref}")

    def lease_over(self, ref: str) -> None:
        if ref in self.claims:
            self.claims[ref] = (self.claims[ref][0], False, self.claims[ref][2])


@pytest.fixture(scope="module")
def kept(postgres: Postgres) -> Iterator[Shared]:
    with postgres.shared() as database:
        yield database


@given(st.lists(OPS, max_size=12), st.builds(Limits, st.integers(1, 4), st.integers(2, 12)))
@settings(max_examples=40)
def test_verdicts_are_those_of_the_rules(kept: Shared, ops: list[tuple[str, int, Any]], limits: Limits) -> None:
    model, project = Model(limits), f"p{time.monotonic_ns()}"
    hosts = [kept.joined(host, project=project) for host in HOSTS[:2]]
    sql = psycopg.connect(kept.postgres.dsn(database=kept.name), autocommit=True)
    mine = b"project = (select id from fleet.fleet_budget where project = %s)"
    with sql:
        for host in hosts:
            host._line.keeps = True
            host.budget = Budget(limits=limits)
        for name, turn, value in ops:
            if name == "grant":
                answers = said(hosts[turn].ask([Asked(*each) for each in value]))
                assert answers == [model.say(turn, *each) for each in value]
            elif name == "sent":
                hosts[turn].mirror([Mirrored(value, 1, f"job-{value}")])
                model.sent(turn, value)
            elif name == "lease over":
                over = b"update fleet.fleet_claims set lease_until = now() where reference_id = %s and "
                sql.execute(over + mine, (value, project))
                model.lease_over(value)
            elif name == "midnight":
                sql.execute("update fleet.fleet_budget set day = day - 1 where project = %s", (project,))
                model.jobs = model.frames = 0
            else:
                hosts[turn].pause(paused=value)
                model.paused = value
        told = hosts[0].beat(BEAT)
        assert (told.jobs, told.frames) == (model.jobs, model.frames)
    for host in hosts:
        host.close()


# --- units, before they are read ---


def unit(path: str, sizes: str = "s", stamps: str = "t") -> UnitClaim:
    return UnitClaim(path, sizes, stamps)


def whose(fleet: Fleet, *units: UnitClaim) -> list[Whose]:
    return [each.whose for each in fleet.claim(units)]


def test_a_unit_is_read_by_one_host_and_done_for_the_other_once_it_was_sent(shared: Shared) -> None:
    first, second = shared.joined("cam_a", folder="nas"), shared.joined("cam_b", folder="nas")
    assert whose(first, unit("a"), unit("b")) == [Whose.OURS] * 2
    assert whose(second, unit("c"), unit("b")) == [Whose.OURS, Whose.TAKEN]
    assert first.finish([Finished("a", "ref-a", "digest-a")]) == ["a"]
    assert whose(second, unit("a")) == [Whose.TAKEN], "it waits to be sent, and its host lives"
    first.mirror([Mirrored("ref-a", 1, "job-a")])
    (done,) = second.claim([unit("a")])
    assert done == ("a", Whose.DONE, 0.0, "ref-a", "digest-a", "job-a")


@pytest.mark.parametrize("other", [unit("a", "other"), unit("a", stamps="other")])
def test_other_sizes_or_stamps_are_read_again(shared: Shared, other: UnitClaim) -> None:
    first, second = shared.joined("cam_a", folder="nas"), shared.joined("cam_b", folder="nas")
    first.claim([unit("a")])
    assert whose(second, other) == [Whose.TAKEN], "while it is being read, whatever it looks like from here"
    first.finish([Finished("a", "r", "d")])
    first.mirror([Mirrored("r", 1, "j")])
    assert whose(second, other) == [Whose.OURS]


def test_hosts_of_different_folders_share_no_unit(shared: Shared) -> None:
    first, second = shared.joined("cam_a", folder="nas"), shared.joined("cam_b", folder="another")
    assert whose(first, unit("a")) == whose(second, unit("a")) == [Whose.OURS]
    assert first.beat(ON_NAS).sharing == ()
    third = shared.joined("cam_c", folder="nas")
    assert third.beat(ON_NAS).sharing == ("cam_a",)


def test_who_told_no_folder_cannot_claim_in_it(shared: Shared) -> None:
    with pytest.raises(FleetRefused):
        shared.joined("cam_a").claim([unit("a")])


def test_a_dead_host_s_units_are_read_by_another(shared: Shared) -> None:
    first, second = shared.joined("cam_a", folder="nas"), shared.joined("cam_b", folder="nas")
    first.lease = 0.3
    first.claim([unit("reading"), unit("read")])
    first.finish([Finished("read", "r", "d")])
    eventually(lambda: whose(second, unit("reading")) == [Whose.OURS])
    assert first.finish([Finished("reading", "r2", "d")]) == [], "it is no longer its own"
    assert whose(second, unit("read")) == [Whose.TAKEN]
    shared.sql("update fleet.fleet_hosts set heartbeat_at = now() - interval '1 hour' where host = 'cam_a'")
    assert whose(second, unit("read")) == [Whose.OURS]


def test_two_hosts_at_once_get_in_nobody_s_way(shared: Shared) -> None:
    hosts = [shared.joined(host, folder="nas") for host in HOSTS[:2]]
    paths = [f"drive/{number:03d}" for number in range(60)]
    won: list[list[str]] = [[], []]
    failed: list[FleetUnavailable] = []

    def work(turn: int) -> None:
        chance = random.Random(turn)
        host = hosts[turn]
        try:
            for _ in range(40):
                some = chance.sample(paths, 20)
                ours = [each.path for each in host.claim([unit(path) for path in some]) if each.whose is Whose.OURS]
                won[turn] += ours
                host.renew(chance.sample(won[turn], len(won[turn])))
                host.finish([Finished(path, path, "d") for path in reversed(ours)])
        except FleetUnavailable as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(turn,)) for turn in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert set(won[0]) | set(won[1]) == set(paths)
    assert not set(won[0]) & set(won[1])


def test_a_lease_is_renewed_and_a_unit_let_go(shared: Shared) -> None:
    first, second = shared.joined("cam_a", folder="nas"), shared.joined("cam_b", folder="nas")
    first.lease = 0.5
    first.claim([unit("a"), unit("b")])
    first.lease = 600
    assert sorted(first.renew(["a", "b", "c"])) == ["a", "b"]
    first.release(["b"])
    assert whose(second, unit("b")) == [Whose.OURS]
    time.sleep(0.6)  # longer than the first lease: without the second it would be over
    assert whose(second, unit("a")) == [Whose.TAKEN]


# --- rights ---


def test_a_host_s_role_may_call_functions_and_touch_nothing(shared: Shared) -> None:
    shared.joined("cam_a").ask(asked("r"))
    ours = "select relname from pg_class where relnamespace = 'fleet'::regnamespace and relkind = any (%s)"
    tables, views = shared.sql(ours, ["r"]), shared.sql(ours, ["v"])
    assert (len(tables), len(views)) == (6, 3)
    queries = [f"{begin} fleet.{table}" for table in tables for begin in ("delete from", "truncate", "select * from")]
    for query in (*queries, *(f"select * from fleet.{view}" for view in views)):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            shared.sql(query, user="cam_a")
    for query in ("create table fleet.mine (a int)", "create schema mine", "select fleet.fleet_lock(1::smallint)"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            shared.sql(query, user="cam_a")


def test_every_function_that_runs_as_the_owner_has_a_search_path_of_its_own(shared: Shared) -> None:
    loose = shared.sql(
        "select proname from pg_proc where pronamespace = 'fleet'::regnamespace and proname <> 'fleet_count' "
        "and not coalesce('search_path=pg_catalog, fleet, pg_temp' = any (proconfig), false)"
    )
    assert loose == []
    assert len(shared.sql("select 1 from pg_proc where pronamespace = 'fleet'::regnamespace and prosecdef")) == 13


def test_no_role_speaks_for_another_s_host(shared: Shared) -> None:
    first = shared.joined("cam_a", folder="nas")
    first.ask(asked("r"))
    first.claim([unit("a")])
    posing = shared.fleet("cam_a", role="cam_b")
    posing.remember(first.memory)
    for attempt in (
        lambda: posing.beat(BEAT),
        lambda: posing.ask(asked("r")),
        lambda: posing.mirror([Mirrored("r", 1, "forged")]),
        lambda: posing.block("forged"),
        lambda: posing.finish([Finished("a", "forged", "d")]),
        lambda: posing.release(["a"]),
        lambda: posing.forget("cam_a"),
    ):
        with pytest.raises(FleetRefused):
            attempt()
    assert shared.sql("select h.host, job_id from fleet.fleet_claims c join fleet.fleet_hosts h on h.id = c.host") == [
        ("cam_a", None)
    ]


def test_a_host_cannot_change_another_s_claims_under_its_own_name(shared: Shared) -> None:
    first, second = shared.joined("cam_a", folder="nas"), shared.joined("cam_b", folder="nas")
    first.ask(asked("r"))
    first.claim([unit("a")])
    before = shared.sql("select c::text from fleet.fleet_claims c union all select u::text from fleet.fleet_units u")
    assert second.mirror([Mirrored("r", 1, "forged")]) == ["r"], "it is told that it has to say so again later"
    assert second.mirror([Mirrored("r", 1)]) == []
    assert second.finish([Finished("a", "forged", "d")]) == []
    assert second.renew(["a"]) == []
    second.release(["a"])
    after = shared.sql("select c::text from fleet.fleet_claims c union all select u::text from fleet.fleet_units u")
    assert before == after
    first.mirror([Mirrored("r", 1, "job")])
    second.mirror([Mirrored("r", 1, "forged")])
    assert second.jobs(["r"]) == {"r": "job"}


def test_who_is_no_member_is_told_what_to_do(shared: Shared, postgres: Postgres) -> None:
    postgres.sql("revoke playment_agent from cam_d")
    try:
        with pytest.raises(FleetRefused, match="grant playment_agent to ROLE"):
            shared.fleet("cam_d").beat(BEAT)
    finally:
        postgres.sql("grant playment_agent to cam_d")


def test_a_dead_host_is_forgotten_by_the_owner_and_its_claims_are_free(shared: Shared) -> None:
    first, second = shared.joined("cam_a", folder="nas"), shared.joined("cam_b", folder="nas")
    first.ask(asked("r"))
    first.claim([unit("a")])
    owner = shared.fleet("nobody", role="fleet_owner")
    with pytest.raises(FleetRefused, match="alive: stop its agent first"):
        owner.forget("cam_a")
    with pytest.raises(FleetRefused, match="no such host"):
        owner.forget("cam_z")
    shared.sql("update fleet.fleet_hosts set heartbeat_at = now() - interval '61 seconds' where host = 'cam_a'")
    owner.forget("cam_a")
    assert [host["host"] for host in second.status().hosts] == ["cam_b"]
    assert said(second.ask(asked("r"))) == [Say.GO]
    assert whose(second, unit("a")) == [Whose.OURS]
    number = first.memory.number
    told = first.beat(BEAT)
    assert told.memory.number == number + 1, "it is known again, and the database is no older copy for it"
    assert not told.must_mirror


# --- how it stands ---


def test_it_is_told_by_views_and_to_hosts(shared: Shared) -> None:
    first, second = shared.joined("cam_a"), shared.joined("cam_b")
    first.budget = Budget(600, Limits(150, 9000))
    first.ask(asked("a", "b", frames=3))
    first.mirror([Mirrored("a", 3, "j")])
    first.beat(Beat("1.2", {"settling": 1, "pending": 2, "submitting": 1, "submitted": 3, "completed": 4, "held": 1}))
    shared.sql("update fleet.fleet_hosts set heartbeat_at = now() - interval '2 minutes' where host = 'cam_b'")
    standing = second.status()
    assert [dict(host, silent_s=host["silent_s"] // 60) for host in standing.hosts] == [
        {"host": "cam_a", "silent_s": 0, "version": "1.2", "settling": 1, "waiting": 3, "sent": 7, "attention": 1,
         "folder": None},
        {"host": "cam_b", "silent_s": 2, "version": "1", "settling": 0, "waiting": 0, "sent": 0, "attention": 0,
         "folder": None},
    ]  # fmt: skip
    assert standing.today == {
        "project": "p", "day": today(), "jobs": 2, "jobs_limit": 150, "frames": 6, "frames_limit": 9000,
        "per_minute": 600, "hosts": 2, "claims_open": 1, "paused": False, "blocked": "", "held_s": 0,
    }  # fmt: skip
    assert [(row["host"], row["what"]) for row in standing.attention] == [
        ("", "limits"), ("cam_a", "jobs"), ("cam_b", "silent"),
    ]  # fmt: skip


def test_whoever_may_read_the_views_can(shared: Shared, postgres: Postgres) -> None:
    shared.joined("cam_a")
    postgres.sql("create role lead login password 'fleet-not-to-be-shown'")
    views = "fleet.fleet_status, fleet.fleet_today, fleet.fleet_attention"
    shared.sql(f"grant usage on schema fleet to lead; grant select on {views} to lead", user="fleet_owner")
    for view in views.split(", "):
        shared.sql(f"select * from {view}", user="lead")


# --- the schema ---


def test_its_version_is_the_number_of_its_steps() -> None:
    assert len(schema.STEPS) == SCHEMA >= schema.SERVES


def test_it_is_made_once_and_then_left_as_it_is(shared: Shared) -> None:
    assert shared.create() == schema.Made(SCHEMA, SCHEMA, "fleet_owner", is_superuser=False)


def test_it_is_made_whole_or_not_at_all(postgres: Postgres) -> None:
    with postgres.shared(empty=True) as database:
        with pytest.raises(FileNotFoundError):
            schema.create(postgres.dsn("fleet_owner", database.name), (*schema.STEPS, "003_not_there"))
        assert database.sql("select to_regnamespace('fleet') is null") == [True]
        assert database.create().before == 0


def test_an_older_one_goes_on_from_where_it_is(postgres: Postgres) -> None:
    with postgres.shared(empty=True) as database:
        dsn = postgres.dsn("fleet_owner", database.name)
        assert schema.create(dsn, schema.STEPS[:1]).after == 1
        assert (schema.create(dsn).before, database.sql("select version from fleet.fleet_meta")) == (
            1,
            [SCHEMA],
        )


def test_only_an_owner_makes_it(postgres: Postgres) -> None:
    with postgres.shared(empty=True) as database:
        with pytest.raises(FleetRefused, match="cam_a may not create a schema"):
            schema.create(postgres.dsn("cam_a", database.name))
        database.create()
        with pytest.raises(FleetRefused, match="belongs to fleet_owner"):
            schema.create(postgres.dsn("cam_a", database.name))


def test_a_host_is_told_that_nobody_has_made_it(postgres: Postgres) -> None:
    with postgres.shared(empty=True) as database, pytest.raises(FleetRefused, match="fleet init"):
        database.fleet("cam_a").beat(BEAT)


def test_somebody_else_s_schema_is_left_alone(postgres: Postgres) -> None:
    with postgres.shared(empty=True) as database:
        database.sql("create schema fleet; create table fleet.theirs (a int)", user="fleet_owner")
        with pytest.raises(FleetRefused, match="not ours"):
            database.create()


def test_the_group_s_role_is_made_or_asked_for(postgres: Postgres) -> None:
    with postgres.shared(empty=True) as database:
        postgres.sql("alter role playment_agent rename to kept_aside")
        try:
            with pytest.raises(FleetRefused, match="create role playment_agent nologin"):
                database.create()
            assert schema.create(postgres.dsn("postgres", database.name)).is_superuser
        finally:
            database.sql("drop owned by playment_agent")
            postgres.sql("drop role playment_agent")
            postgres.sql("alter role kept_aside rename to playment_agent")


def test_two_versions_of_the_agent_at_once(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    older = shared.joined("cam_a")
    shared.sql("update fleet.fleet_meta set version = 99")
    assert older.beat(BEAT).schema == 99, "a newer schema serves it still"
    assert said(older.ask(asked("r"))) == [Say.GO]
    shared.sql("alter function fleet.fleet_check(text, text, text) rename to before")
    shared.sql(
        "create function fleet.fleet_check(p text, h text, f text) returns jsonb language sql security definer "
        """as $$ select fleet.before(p, h, f) || '{"more": 1}' $$"""
    )
    assert older.look("").schema == 99, "what it says more is no matter"
    with pytest.raises(FleetRefused, match="made by a newer one"):
        shared.create()
    shared.sql("update fleet.fleet_meta set serves = 98")
    with pytest.raises(FleetRefused, match="does not know"):
        older.beat(BEAT)
    monkeypatch.setattr(client, "SCHEMA", 98)
    assert shared.fleet("cam_b").beat(BEAT).schema == 99
    monkeypatch.setattr(client, "SCHEMA", 100)
    with pytest.raises(FleetRefused, match="fleet init"):
        shared.fleet("cam_c").beat(BEAT)


def test_a_host_that_has_not_said_a_word_is_granted_nothing(shared: Shared) -> None:
    with pytest.raises(FleetUnavailable):
        shared.fleet("cam_a").ask(asked("r"))
