"""The fleet's database fails, is somebody's else, or is not the one it was; and many ask it at once."""

from __future__ import annotations

import collections
import contextlib
import logging
import multiprocessing
import subprocess
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING

import psycopg
import pytest

from agent.core.grants import Asked, Say
from agent.core.spend_guard import Limits
from agent.errors import AgentError, FleetRefused, FleetUnavailable
from agent.fleet import line
from agent.fleet.client import Fleet
from agent.fleet.records import Beat, Budget, Mirrored
from tests.postgres import HOSTS, MISSING, PASSWORD, Postgres, programs
from tests.support import command_lines, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.postgres import Shared

BEAT = Beat("1", {})
PER_SECOND = 40
SECOND = 1.0


def asked(*ids: str) -> list[Asked]:
    return [Asked(each, 1) for each in ids]


def gone(fleet: Fleet, *ids: str) -> list[str]:
    return [each.reference_id for each in fleet.ask(asked(*ids)) if each.say is Say.GO]


# --- many at once ---


def take_all(dsn: str, host: str, count: int) -> None:
    """Ask for ids of one's own until the day's limit says no."""
    fleet = Fleet(dsn, "p", host)
    fleet.budget = Budget(60 * PER_SECOND, Limits(jobs=150))
    fleet.trust(fleet.beat(BEAT).memory.database)
    fleet.beat(BEAT)
    left = [f"{host}-{number}" for number in range(count)]
    while left:
        answers = fleet.ask(asked(*left[:24]))
        went = {each.reference_id for each in answers if each.say is Say.GO}
        left = [each for each in left if each not in went]
        if any(each.say is Say.TOMORROW for each in answers):
            break
        time.sleep(min((each.seconds for each in answers if each.say is Say.WAIT), default=0))
    fleet.close()


def test_four_processes_start_exactly_what_a_day_and_a_second_allow(shared: Shared) -> None:
    spawn = multiprocessing.get_context("spawn")
    work = [spawn.Process(target=take_all, args=(shared.postgres.dsn(host, shared.name), host, 100)) for host in HOSTS]
    for process in work:
        process.start()
    for process in work:
        process.join(50)
        assert process.exitcode == 0
    starts = sorted(map(float, shared.sql("select extract(epoch from claimed_at) from fleet.fleet_claims")))
    assert len(starts) == 150
    assert shared.sql("select jobs from fleet.fleet_budget") == [150]
    most = max(sum(begin <= each < begin + SECOND for each in starts) for begin in starts)
    assert most <= 1.2 * PER_SECOND
    assert len(shared.sql("select distinct host from fleet.fleet_claims")) == 4


# --- it crashes ---


def test_a_crash_in_the_middle_of_grants_loses_and_doubles_none(shared: Shared, postgres: Postgres) -> None:
    hosts = {host: shared.joined(host) for host in HOSTS}
    granted: collections.Counter[str] = collections.Counter()
    failed, stop = threading.Event(), threading.Event()
    errors: list[FleetUnavailable] = []

    def work(host: str, fleet: Fleet) -> None:
        fleet._line.keeps = True
        numbers = iter(range(100_000))
        while not stop.is_set():
            try:
                granted.update(gone(fleet, *(f"{host}-{next(numbers)}" for _ in range(5))))
            except FleetUnavailable as error:
                errors.append(error)
                failed.set()

    threads = [threading.Thread(target=work, args=each) for each in hosts.items()]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            before = sum(granted.values())
            eventually(lambda before=before: sum(granted.values()) > before + 50)  # type: ignore[misc]
            failed.clear()
            postgres.crash()
            assert failed.wait(20)
            postgres.start()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert [error for error in errors if isinstance(error, FleetRefused)] == [], "a crash passes"
    claims = set(shared.sql("select reference_id from fleet.fleet_claims"))
    assert set(granted) <= claims, "what was granted is there after the crash"
    assert set(granted.values()) == {1}
    assert shared.sql("select jobs from fleet.fleet_budget") == [len(claims)], "counted with its claim, or not at all"


def test_sending_goes_on_at_once_when_it_is_back(shared: Shared, postgres: Postgres) -> None:
    host = shared.joined("cam_a")
    host._line.keeps = True
    assert gone(host, "a") == ["a"]
    postgres.crash()
    with pytest.raises(FleetUnavailable, match="does not answer"):
        host.ask(asked("b"))
    postgres.start()
    assert gone(host, "a", "b") == ["a", "b"]


def test_a_connection_that_was_cut_meanwhile_costs_no_failure(shared: Shared, postgres: Postgres) -> None:
    host = shared.joined("cam_a")
    host._line.keeps = True
    host.ask(asked("a"))
    postgres.stop()
    postgres.start()
    assert gone(host, "b") == ["b"]


# --- it is not the one it was ---


@contextlib.contextmanager
def restored(shared: Shared) -> Iterator[None]:
    """Have the database be, after the block, what it was before it."""
    copy, name = f"{shared.name}_copy", shared.name
    postgres = shared.postgres
    inside = f"from pg_stat_activity where datname = '{name}'"
    postgres.sql(f"select pg_terminate_backend(pid) {inside}")
    eventually(lambda: postgres.sql(f"select 1 {inside}") == [])
    postgres.sql(f"create database {copy} template {name} owner fleet_owner")
    yield
    postgres.sql(f"drop database {name} with (force)")
    postgres.sql(f"alter database {copy} rename to {name}")


def test_an_older_copy_is_known_by_the_first_host_and_told_by_all_before_anybody_sends(shared: Shared) -> None:
    first, second = shared.joined("cam_a"), shared.joined("cam_b")
    with restored(shared):
        assert gone(first, "sent") == ["sent"]
        first.mirror([Mirrored("sent", 1, "job")])
        for host in (first, second):
            assert not host.beat(BEAT).must_mirror
    with pytest.raises(FleetUnavailable, match="older copy"):
        second.ask(asked("sent"))
    old = first.memory.database
    told = first.beat(BEAT)
    assert told.must_mirror
    assert told.memory.database != old
    first.mirror([Mirrored("sent", 1, "job", day=time.strftime("%Y-%m-%d", time.gmtime()))])
    first.trust(told.memory.database)
    assert first.beat(BEAT).jobs == 1, "what was spent today is counted again"
    with pytest.raises(FleetUnavailable, match="older copy"):
        second.ask(asked("sent"))
    assert second.beat(BEAT).must_mirror
    (waits,) = first.ask(asked("new"))
    assert (waits.say, waits.why) == (Say.WAIT, "the host cam_b has not told this database yet what it sent")
    second.trust(told.memory.database)
    assert not second.beat(BEAT).must_mirror
    assert gone(first, "new") == ["new"]
    assert [each.say for each in second.ask(asked("sent"))] == [Say.THEIRS]


def test_a_host_that_tells_nothing_holds_the_others_up_for_two_minutes_at_most(shared: Shared) -> None:
    first, second = shared.joined("cam_a"), shared.fleet("cam_b")
    second.beat(BEAT)
    assert [each.say for each in first.ask(asked("r"))] == [Say.WAIT]
    shared.sql("update fleet.fleet_meta set since = now() - interval '121 seconds'")
    assert gone(first, "r") == ["r"]


def test_an_empty_database_is_told_before_it_is_asked(shared: Shared, postgres: Postgres) -> None:
    host = shared.joined("cam_a")
    gone(host, "sent")
    with contextlib.closing(shared.fleet("cam_a")) as again:
        again.remember(host.memory)
        shared.sql("drop schema fleet cascade")
        with pytest.raises(FleetRefused, match="fleet init"):
            again.beat(BEAT)
        shared.create()
        with pytest.raises(FleetUnavailable):
            again.ask(asked("sent"))
        told = again.beat(BEAT)
        assert told.must_mirror
        again.mirror([Mirrored("sent", 1, "job")])
        again.trust(told.memory.database)
        again.beat(BEAT)
        assert [each.say for each in again.ask(asked("sent"))] == [Say.THEIRS]


# --- it is away, slow, full, or lets nobody in ---


def test_a_long_transaction_of_somebody_else_is_away_and_no_hang(shared: Shared, postgres: Postgres) -> None:
    host = shared.joined("cam_a")
    gone(host, "a")
    with psycopg.connect(postgres.dsn(database=shared.name)) as somebody:
        somebody.execute("select count(*) from fleet.fleet_claims")
        assert gone(host, "b") == ["b"], "one that only looks is in nobody's way"
        somebody.execute("select * from fleet.fleet_budget for update")
        with pytest.raises(FleetUnavailable, match="somebody else's transaction"):
            host.ask(asked("c"))
        somebody.rollback()
    assert gone(host, "c") == ["c"]


@pytest.mark.parametrize("keeps", [True, False])
def test_a_server_that_hangs_is_given_up(
    shared: Shared, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, *, keeps: bool
) -> None:
    monkeypatch.setattr(line, "STATEMENT_SECONDS", 0.5)
    monkeypatch.setattr(line, "CONNECT_SECONDS", 2)
    host = shared.joined("cam_a")
    host._line.keeps = keeps
    host.ask(asked("a"))
    with postgres.hanging(), pytest.raises(FleetUnavailable, match="does not answer") as caught:
        host.ask(asked("b"))
    assert not isinstance(caught.value, FleetRefused)
    eventually(lambda: gone(host, "b") == ["b"])


def test_a_host_with_no_connection_left_is_told_so(shared: Shared, postgres: Postgres) -> None:
    host = shared.fleet("cam_a")
    postgres.sql("alter role cam_a connection limit 1")
    try:
        with (
            psycopg.connect(postgres.dsn("cam_a", shared.name)),
            pytest.raises(FleetUnavailable, match="no connection left for this role") as caught,
        ):
            host.beat(BEAT)
        assert not isinstance(caught.value, FleetRefused), "it passes"
        eventually(lambda: _answers(lambda: host.beat(BEAT)))
    finally:
        postgres.sql("alter role cam_a connection limit -1")


def test_a_server_with_no_connection_left_is_away(shared: Shared, postgres: Postgres) -> None:
    host = shared.fleet("cam_a")
    postgres.stop()
    postgres.start("-c", "max_connections=5", "-c", "superuser_reserved_connections=2", "-c", "max_wal_senders=0")
    try:
        with contextlib.ExitStack() as others:
            for _ in range(3):
                others.enter_context(psycopg.connect(postgres.dsn("cam_b", shared.name)))
            error = fault(lambda: host.beat(BEAT))
            assert "no connection left" in str(error)
            assert not isinstance(error, FleetRefused), "it passes"
        eventually(lambda: _answers(lambda: host.beat(BEAT)))
    finally:
        postgres.stop()
        postgres.start()


def _answers(ask: Callable[[], object]) -> bool:
    with contextlib.suppress(FleetUnavailable):
        ask()
        return True
    return False


def test_a_host_never_has_more_than_one_connection(shared: Shared, postgres: Postgres) -> None:
    host = shared.joined("cam_a")
    host.close()
    with psycopg.connect(postgres.dsn(database=shared.name)) as somebody:
        somebody.execute("select * from fleet.fleet_budget for update")
        threads = [threading.Thread(target=_answers, args=(lambda: host.ask(asked("r")),)) for _ in range(5)]
        for thread in threads:
            thread.start()
        query = "select count(*) from pg_stat_activity where usename = 'cam_a'"
        eventually(lambda: postgres.sql(f"{query} and wait_event_type = 'Lock'") == [1])
        most = max(postgres.sql(query)[0] for _ in range(20))
        somebody.rollback()
    for thread in threads:
        thread.join()
    assert most == 1


PIDS = "select pid from pg_stat_activity where usename = 'cam_a'"


def test_a_connection_is_kept_and_not_for_ever(
    shared: Shared, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = shared.joined("cam_a")
    kept = eventually(lambda: len(pids := postgres.sql(PIDS)) == 1 and pids)  # those of before end in their own time
    host.ask(asked("a"))
    assert postgres.sql(PIDS) == kept
    monkeypatch.setattr(line, "KEPT_SECONDS", 0)
    host.beat(BEAT)
    eventually(lambda: len(postgres.sql(PIDS)) == 1 and postgres.sql(PIDS) != kept)
    host.close()
    eventually(lambda: postgres.sql(PIDS) == [])


@pytest.mark.parametrize(("before", "is_kept"), [(93, True), (94, False)])
def test_of_a_hundred_hosts_those_keep_none_for_which_there_is_no_room(
    shared: Shared, postgres: Postgres, before: int, *, is_kept: bool
) -> None:
    """Of PostgreSQL's default of 100, three are a superuser's, and three are left to others."""
    first = shared.joined("cam_b")
    shared.sql(
        "insert into fleet.fleet_hosts (project, host, role, number, heartbeat_at) "
        f"select 1, 'h' || n, 'somebody', 1, now() from generate_series(2, {before}) n"
    )
    last = shared.joined("cam_a")
    last.ask(asked("a"))
    first.ask(asked("b"))
    eventually(lambda: len(postgres.sql(PIDS)) == is_kept)
    last.beat(BEAT)
    eventually(lambda: len(postgres.sql(PIDS)) == is_kept)
    assert len(postgres.sql(PIDS.replace("cam_a", "cam_b"))) == 1


def fault(ask: Callable[[], object]) -> AgentError:
    """Return how a question fails."""
    with pytest.raises(FleetUnavailable) as caught:
        ask()
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_wrong_password_is_said_and_never_shown(shared: Shared, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = "s3cret/word%"
    for host in (shared.fleet("cam_a", password=wrong), shared.fleet("nobody_here", password=wrong)):
        error = fault(lambda host=host: host.beat(BEAT))  # type: ignore[misc]
        assert isinstance(error, FleetRefused)
        assert str(error).startswith("the fleet's database refuses the password")
        shown = [*traceback.TracebackException.from_exception(error, capture_locals=True).format(), caplog.text]
        shown += [repr(host), repr(host._line), repr(host._line._address), repr(vars(host))]
        assert wrong not in "".join(shown)


def test_the_password_is_in_no_line_of_ps(shared: Shared, postgres: Postgres) -> None:
    host = shared.joined("cam_a")
    host._line.keeps = True
    host.ask(asked("a"))
    lines = command_lines()
    assert any("cam_a" in each for each in lines), "the server's process tells who is there"
    assert not any(PASSWORD in each for each in lines)
    assert PASSWORD not in postgres.log()


@pytest.mark.parametrize("dsn", ["postgresql://u:s3cret@[h", "s3cret", "host=h password='s3cret", "nothing=s3cret"])
def test_what_is_no_address_is_said_without_repeating_it(dsn: str) -> None:
    error = fault(lambda: Fleet(dsn, "p", "h"))
    assert "FLEET_DSN is no address" in str(error)
    assert "s3cret" not in str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_nobody_listens(shared: Shared) -> None:
    host = shared.fleet("cam_a", port="1")
    error = fault(lambda: host.beat(BEAT))
    assert not isinstance(error, FleetRefused)
    assert "does not answer" in str(error)


def test_psycopg_is_not_installed() -> None:
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from agent.fleet.joining import join, create\nfrom agent.errors import SettingsError\n"
        "for way in (lambda: join('host=h', 'p', 'h'), lambda: create('host=h')):\n"
        "    try: way()\n    except SettingsError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "FLEET_DSN is set, and what speaks with PostgreSQL is not installed: pip install '.[fleet]'."
    ] * 2  # fmt: skip


# --- TLS ---


def certified(folder: Path) -> tuple[Path, Path]:
    """Make an authority, and a certificate of its for 127.0.0.1; return the certificate with its key, and its root."""
    key = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    root, made = folder / "root.crt", folder / "server"
    ends_here = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]
    for arguments in (
        [*key, "-keyout", folder / "root.key", "-out", root, "-subj", "/CN=authority"],
        [*key, "-keyout", f"{made}.key", "-out", f"{made}.crt", "-subj", "/CN=server", *ends_here,
         "-CA", root, "-CAkey", folder / "root.key"],
    ):  # fmt: skip
        done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return made, root


@pytest.mark.skipif(programs() is None, reason=MISSING)
def test_tls_is_checked_as_the_address_says(tmp_path: Path, postgres: Postgres) -> None:
    with Postgres("-c", "fsync=off") as server:
        made, root = certified(tmp_path)
        for end in (".crt", ".key"):
            server.file(f"server{end}", made.with_suffix(end).read_text())
        server.stop()
        server.start("-c", "ssl=on", "-c", f"ssl_cert_file={server.folder}/server.crt",
                     "-c", f"ssl_key_file={server.folder}/server.key")  # fmt: skip
        with server.shared() as database:
            full = {"sslmode": "verify-full", "sslrootcert": str(root)}
            database.fleet("cam_a", **full).beat(BEAT)
            (tmp_path / "other").mkdir()
            _, other = certified(tmp_path / "other")
            for wrong in (
                {**full, "sslrootcert": str(other)},
                {**full, "host": "localhost", "hostaddr": "127.0.0.1"},
                {**full, "sslrootcert": "/nowhere"},
            ):
                error = fault(Fleet(server.dsn("cam_a", database.name, **wrong), "p", "cam_a").status)
                assert isinstance(error, FleetRefused), str(error)
                assert "certificate" in str(error)
    plain = Fleet(postgres.dsn("cam_a", sslmode="require"), "p", "cam_a")
    error = fault(lambda: plain.beat(BEAT))
    assert isinstance(error, FleetRefused)
    assert "offers no TLS" in str(error)
