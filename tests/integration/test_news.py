"""A real agent tells: who waits for a person, what is in the way, what is over, the day; killed, and beside jobs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from agent.commands import cli
from agent.core.states import State
from agent.host.clock import utc_now
from agent.ledger.news import EVENTS, Kind, NewsReads
from agent.ledger.store import Ledger
from agent.ledger.units import notice
from agent.model import Kind as UnitKind
from agent.model.units import Sight
from tests.integration.soon import FIGURES
from tests.news import web
from tests.older_ledgers import make
from tests.sending import Clock
from tests.support import (
    Agent,
    Playment,
    command,
    command_lines,
    environ,
    eventually,
    image,
    process,
    query,
    settings,
    used_ledger,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.news import Receiver

SOON = Path(__file__).with_name("soon.py")
TELL = """
import json, os, signal, sys
place, kill = sys.argv[1:]
told = json.load(sys.stdin)
with open(f"{place}/told.jsonl", "a") as file:
    file.write(json.dumps(told) + "\\n")
if kill and not os.path.exists(f"{place}/killed"):
    open(f"{place}/killed", "w").close()
    with open(f"/proc/{os.getppid()}/stat") as file:
        os.kill(int(file.read().rpartition(")")[2].split()[1]), signal.SIGKILL)
"""


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, figure in FIGURES:
        monkeypatch.setattr(module, name, figure)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with web() as found:
        yield found


def _command(place: Path, kill: str = "") -> str:
    write(place / "tell.py", TELL.encode())
    return f"{sys.executable} '{place / 'tell.py'}' '{place}' '{kill}'"


def _told(place: Path) -> list[dict[str, Any]]:
    with contextlib.suppress(FileNotFoundError):
        return [json.loads(line) for line in (place / "told.jsonl").read_text().splitlines()]
    return []


def _url(receiver: Receiver, path: str = "hook") -> str:
    return f"json://127.0.0.1:{receiver.port}/{path}"


# What is told


@pytest.mark.usefixtures("soon")
def test_what_begins_to_wait_is_told_with_its_folder_and_the_command_that_tells_why(
    tmp_path: Path, receiver: Receiver
) -> None:
    given = {"NOTIFY_URL": _url(receiver), "FLEET_HOST": "cam17", "IMAGE_FOLDERS": "cam1,cam1/*"}
    with Playment() as playment, Agent(settings(tmp_path, playment.url, **given)) as agent:
        write(agent.inbox / "cam1" / "whole.jpg", image(1))
        for number in range(3):
            write(agent.inbox / "cam1" / "cut" / f"{number}.jpg", image(number)[:-9])
        write(agent.inbox / "top.jpg", b"")
        eventually(lambda: "empty file" in receiver.text and "cut short" in receiver.text)
    assert all(each["title"].startswith("playment-agent on cam17: ") for each in receiver.told)
    assert any(title.endswith(("needs a person", "need a person")) for title in receiver.titles)
    assert "1 in the watch folder itself. Why: playment-agent explain top.jpg" in receiver.text
    assert " in cam1. Why: playment-agent explain cam1/cut/" in receiver.text
    assert f"by cam17, which watches {agent.inbox}" in receiver.text


@pytest.mark.usefixtures("soon")
def test_a_server_that_goes_away_is_told_and_that_it_is_back(tmp_path: Path, receiver: Receiver) -> None:
    used_ledger(tmp_path)
    with contextlib.ExitStack() as server:
        playment = server.enter_context(Playment())
        port = int(playment.url.rpartition(":")[2])
        with Agent(settings(tmp_path, playment.url, NOTIFY_URL=_url(receiver))) as agent:
            write(agent.inbox / "first.jpg", image(1))
            agent.becomes("first.jpg", "submitted")
            server.close()
            for number in range(6):
                write(agent.inbox / f"{number}.jpg", image(number + 10))
            eventually(lambda: receiver.told)
            assert receiver.titles == ["Playment is away"]
            assert "'playment-agent status' tells more." in receiver.told[0]["message"]
            with Playment(port=port):
                eventually(lambda: len(receiver.told) == 2)
    assert receiver.titles[1] == "Playment is back"
    assert [each["type"] for each in receiver.told] == ["failure", "success"]
    assert "The trouble was told at 20" in receiver.told[1]["message"]


@pytest.mark.usefixtures("soon")
def test_a_key_that_is_refused_is_told(tmp_path: Path, receiver: Receiver) -> None:
    used_ledger(tmp_path)
    given = {"NOTIFY_URL": _url(receiver), "PLAYMENT_API_KEY": "another"}
    with Playment() as playment, Agent(settings(tmp_path, playment.url, **given)) as agent:
        write(agent.inbox / "a.jpg", image(1))
        eventually(lambda: receiver.told)
    assert receiver.titles == ["blocked"]
    assert receiver.told[0]["message"].startswith("Nothing is sent: ")
    assert "another" not in receiver.text


@pytest.mark.usefixtures("soon")
def test_the_day_is_summed_once_at_its_time(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    given = {"NOTIFY_URL": _url(receiver), "NOTIFY_SUMMARY_AT": "00:00"}
    try:
        with Playment() as playment:
            place = settings(tmp_path, playment.url, **given)
            with Agent(place) as agent:
                write(agent.inbox / "a.jpg", image(1))
                agent.becomes("a.jpg", "submitted")
            assert receiver.told == []
            _yesterday(agent)
            with Agent(place) as agent:  # a stop before it is written that it was told would have it told once more
                eventually(lambda: receiver.told and not json.loads(agent.value("news"))["telling"])
            assert receiver.titles == ["the day: 1 sent"]
            assert "JST: 1 sent (1 frame), 0 annotated." in receiver.told[0]["message"]
            with Agent(place):
                write(agent.inbox / "b.jpg", b"")
                eventually(lambda: len(receiver.told) == 2)
            assert receiver.titles[1] == "1 needs a person"
    finally:
        monkeypatch.undo()
        time.tzset()


def _yesterday(agent: Agent) -> None:
    """Have the last summary be of the day before."""
    with contextlib.closing(Ledger(agent.settings.ledger_path, utc_now)) as ledger, ledger.transaction():
        kept = json.loads(ledger.get("news"))
        day = datetime.fromisoformat(kept["summed_on"]) - timedelta(days=1)
        at = utc_now() - timedelta(days=1)
        ledger.put(news=json.dumps({**kept, "summed_on": day.date().isoformat(), "summed_at": at.isoformat()}))


# Killed, refused, slow


def test_a_kill_between_telling_and_writing_loses_nothing_and_tells_once_more_at_most(tmp_path: Path) -> None:
    with Playment() as playment:
        given = environ(tmp_path, playment.url, NOTIFY_COMMAND=_command(tmp_path, "kill"))
        with process("run", environ=given, cwd=tmp_path, driver=SOON) as running:
            eventually(lambda: (tmp_path / "ledger.db").exists() and "news" in _agent(tmp_path))
            write(tmp_path / "inbox" / "a.jpg", b"")
            assert running.wait(60) == -signal.SIGKILL
        assert len(_told(tmp_path)) == 1
        with process("run", environ=given, cwd=tmp_path, driver=SOON) as running:
            eventually(lambda: len(_told(tmp_path)) == 2)
            eventually(lambda: json.loads(_agent(tmp_path)["news"])["number"] == 1)
            write(tmp_path / "inbox" / "b.jpg", b"")
            eventually(lambda: len(_told(tmp_path)) == 3)
            eventually(lambda: json.loads(_agent(tmp_path)["news"])["number"] == 2)
            running.terminate()
            running.wait(30)
    first, again, new = _told(tmp_path)
    assert [each["number"] for each in (first, again, new)] == [1, 1, 2]
    assert [each["may_be_repeated"] for each in (first, again, new)] == [False, True, False]
    assert first["news"] == again["news"]
    assert [each["jobs"] for each in new["news"]] == [1]


def _agent(place: Path) -> dict[str, str]:
    with contextlib.suppress(sqlite3.OperationalError):  # it is being made
        return {row["key"]: row["value"] for row in query(place / "ledger.db", "select * from agent")}
    return {}


@pytest.mark.usefixtures("soon")
def test_what_cannot_be_told_is_tried_again_said_once_and_seen_in_the_status(
    tmp_path: Path, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = 503
    changed = {"NOTIFY_URL": _url(receiver, "t0ken-part"), "LOG_LEVEL": "DEBUG"}
    with Playment() as playment:
        given = environ(tmp_path, playment.url, **changed)
        with Agent(settings(tmp_path, playment.url, **changed)) as agent:
            write(agent.inbox / "a.jpg", b"")
            eventually(lambda: receiver.tries > 2)
            said = command("status", environ=given, cwd=tmp_path)
            assert "NEWS: news are not told: the address: " in said.stdout
            receiver.status = 200
            eventually(lambda: receiver.told)
            eventually(lambda: not agent.value("news_trouble"))
        assert receiver.titles == ["1 needs a person"]
        shown = [said.stdout, *command_lines(), agent.settings.ledger_path.read_bytes().decode("latin-1"), caplog.text]
        shown += [each for line in (["check"], ["check", "--json"], ["status", "--json"]) for each in _say(line, given)]
    warned = [each.getMessage() for each in caplog.records if each.name == "agent.news" and each.levelname == "WARNING"]
    assert len(warned) == 2
    assert warned[0].startswith("news are not told: the address: ")
    assert warned[1] == "news were told, number 1: news are told again"
    assert not any("t0ken" in each for each in shown)


def _say(line: list[str], given: dict[str, str]) -> tuple[str, str]:
    said = command(*line, environ=given, cwd=Path(given["WATCH_DIR"]).parent)
    return said.stdout, said.stderr


@pytest.mark.usefixtures("soon")
def test_who_hangs_holds_up_no_job_and_no_stop(tmp_path: Path) -> None:
    hangs = "sh -c 'touch \"$0\"; sleep 600' " + f"'{tmp_path / 'hangs'}'"
    with Playment() as playment, Agent(settings(tmp_path, playment.url, NOTIFY_COMMAND=hangs)) as agent:
        write(agent.inbox / "cut.jpg", b"")
        eventually((tmp_path / "hangs").exists)
        for number in range(20):
            write(agent.inbox / f"{number}.jpg", image(number))
        eventually(lambda: len(playment.jobs) == 20, 20.0)
        begun = time.monotonic()
        agent.stop()
        assert time.monotonic() - begun < 10
        assert json.loads(agent.value("news"))["telling"] is True
    eventually(lambda: not any(str(tmp_path / "hangs") in line for line in command_lines()))


@pytest.mark.usefixtures("soon")
def test_a_command_has_no_key_in_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import json, os, sys; open(sys.argv[1], 'w').write(json.dumps(dict(os.environ)))"
    changed = {"NOTIFY_COMMAND": f'{sys.executable} -c "{code}" {tmp_path / "environ"}'}
    with Playment() as playment:
        for name, value in environ(tmp_path, playment.url, **changed).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/creds")
        monkeypatch.setenv("TEAM", "x")
        with Agent(settings(tmp_path, playment.url, **changed)) as agent:
            write(agent.inbox / "cut.jpg", b"")
            eventually(lambda: (tmp_path / "environ").exists() and (tmp_path / "environ").read_text())
    found = json.loads((tmp_path / "environ").read_text())
    assert found["TEAM"] == "x"
    assert not {"PLAYMENT_API_KEY", "AWS_SECRET_ACCESS_KEY", "CREDENTIALS_DIRECTORY", "NOTIFY_COMMAND"} & found.keys()
    assert "sandbox-key" not in found.values()


# The first start, many, and the ledger


def _refused(
    ledger: Ledger, jobs: int, reason: str = "cut short: it ends at byte {}", kind: UnitKind = UnitKind.IMAGE
) -> None:
    """Have so many files, or folders, be seen, and refused."""
    with ledger.transaction():
        paths = [f"cam{number % 7}/day/{number}.jpg" for number in range(jobs)]
        notice(ledger, *(Sight(path, kind, "waits", 1, 10) for path in paths))
        rows = ledger.sql.execute("select id from jobs where state = 'settling' order by id").fetchall()
        moves = [{"id": row, "detail": "", "reason": reason.format(row)} for (row,) in rows]
        ledger.move_all(State.SETTLING, State.INVALID, moves)


@pytest.mark.usefixtures("soon")
def test_the_first_start_with_an_old_ledger_tells_one_sum(tmp_path: Path) -> None:
    with Playment() as playment:
        given = {"IMAGE_FOLDERS": "cam*"}
        for number in range(200):
            write(tmp_path / "inbox" / f"cam{number % 7}" / f"{number}.jpg", b"0123456789")
        with Agent(settings(tmp_path, playment.url, **given)) as agent:
            eventually(lambda: query(tmp_path / "ledger.db", "select jobs from status where state = 'invalid'"))
            agent.rests()
        with contextlib.closing(Ledger(tmp_path / "ledger.db", utc_now)) as ledger, ledger.transaction():
            for _ in range(50):
                ledger.sql.execute("insert into event_log (at, job, event) select 1, id, 'invalid' from jobs")
        given |= {"NOTIFY_COMMAND": _command(tmp_path)}
        with Agent(settings(tmp_path, playment.url, **given)) as agent:
            eventually(lambda: _told(tmp_path))
            assert [each["title"].partition(": ")[2] for each in _told(tmp_path)] == ["200 wait for a person"]
            write(agent.inbox / "new.jpg", b"")
            eventually(lambda: len(_told(tmp_path)) == 2)
    assert [each["jobs"] for each in _told(tmp_path)[1]["news"]] == [1]


def test_ten_thousand_that_were_refused_are_one_kind_found_at_once(tmp_path: Path) -> None:
    with contextlib.closing(Ledger(tmp_path / "ledger.db", Clock().now)) as ledger:
        _refused(ledger, 10_000)
        with NewsReads.open(tmp_path / "ledger.db") as reads:
            begun = time.thread_time()  # whatever else the machine does
            untold = reads.untold(0)
            assert time.thread_time() - begun < 1.0
            [(kind, waiting)] = untold.kinds.items()
            assert kind == Kind("invalid", "", "cut short")
            assert (waiting.jobs, len(waiting.folders), waiting.example) == (10_000, 7, "cam0/day/0.jpg")
            assert untold.upto == reads.last_event()
            assert reads.untold(untold.upto).kinds == {}
            assert reads.first_untold(untold.upto) is None
            assert reads.first_untold(0) == Clock().now()
            with ledger.transaction():
                ledger.sql.execute("update jobs set state = 'gone' where path like 'cam0/%'")
            assert len(reads.untold(0).kinds[kind].folders) == 6


def test_folders_with_a_bad_frame_are_of_the_kind_of_its_trouble_whatever_its_name(tmp_path: Path) -> None:
    with contextlib.closing(Ledger(tmp_path / "ledger.db", Clock().now)) as ledger:
        _refused(ledger, 100, "frame ({0}), left.jpg: cut short: it ends; f{0}.jpg: empty file: 0", UnitKind.SEQUENCE)
        with NewsReads.open(tmp_path / "ledger.db") as reads:
            kinds = reads.untold(0).kinds
    assert {kind: waiting.jobs for kind, waiting in kinds.items()} == {Kind("invalid", "", "cut short"): 100}


def test_a_ledger_of_an_older_version_is_asked_as_any_other(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    make(path, 1_000)
    jobs = query(path, "select count(*) as jobs from jobs where state = 'held'")[0]["jobs"]
    with contextlib.closing(sqlite3.connect(path)) as sql, sql:
        sql.execute("insert into events (at, job, event) select updated_at, id, 'held' from jobs where state = 'held'")
    with contextlib.closing(Ledger(path, Clock().now)), NewsReads.open(path) as reads:
        [(kind, waiting)] = reads.untold(0).kinds.items()
        assert (kind, waiting.jobs) == (Kind("held", "changed", ""), jobs)
        assert reads.untold(reads.last_event()).kinds == {}


def test_reasons_without_end_are_a_bounded_number_of_kinds(tmp_path: Path) -> None:
    with contextlib.closing(Ledger(tmp_path / "ledger.db", Clock().now)) as ledger:
        _refused(ledger, 500, "number {} is odd")
        with NewsReads.open(tmp_path / "ledger.db") as reads:
            kinds = reads.untold(0).kinds
    assert len(kinds) == 51
    assert sum(waiting.jobs for waiting in kinds.values()) == 500


def test_what_is_asked_each_few_seconds_reads_no_row_of_the_rest(tmp_path: Path) -> None:
    with contextlib.closing(Ledger(tmp_path / "ledger.db", Clock().now)) as ledger:
        asked = f"explain query plan select at from event_log where {EVENTS} and id > 5 order by id limit 1"
        [plan] = [row[3] for row in ledger.sql.execute(asked)]
    assert plan == "SEARCH event_log USING INDEX events_attention (id>?)"


# Settings


def _check(tmp_path: Path, *arguments: str, **changed: str) -> tuple[int, list[str]]:
    with Playment() as playment:
        said = CliRunner().invoke(cli, ["check", *arguments], env=environ(tmp_path, playment.url, **changed))
    lines = [line for line in said.output.splitlines() if line[6:].startswith("news ") or "NOTIFY" in line]
    return said.exit_code, [" ".join(line.split()) for line in lines]


def test_a_check_tells_nothing_but_on_trial(tmp_path: Path, receiver: Receiver) -> None:
    write(tmp_path / "inbox" / "a.jpg", image(1))
    assert _check(tmp_path)[1] == []
    by = {"NOTIFY_URL": _url(receiver), "NOTIFY_SUMMARY_AT": "7:30"}
    code, said = _check(tmp_path, **by)
    assert (code, receiver.told) == (0, [])
    assert said == [
        "ok news told by NOTIFY_URL, and a summary each day at 07:30; none was sent: 'check --news' sends one on trial"
    ]
    assert _check(tmp_path, "--news", **by) == (0, ["ok news one message on trial was told by NOTIFY_URL"])
    assert receiver.titles == ["a trial"]
    receiver.status = 500
    code, [told] = _check(tmp_path, "--news", **by)
    assert code == 1
    assert told.startswith("FAIL news NOTIFY_URL: the address: ")


def test_a_check_finds_what_could_not_tell(tmp_path: Path) -> None:
    write(tmp_path / "inbox" / "a.jpg", image(1))
    assert _check(tmp_path, NOTIFY_COMMAND="no-such-program --x") == (
        1,
        ["FAIL news NOTIFY_COMMAND: there is no program no-such-program that can be run"],
    )
    code, [told] = _check(tmp_path, NOTIFY_URL="nosuch://t0ken")
    assert (code, told) == (1, "FAIL news NOTIFY_URL: the address is no address that Apprise knows")
    assert _check(tmp_path, "--news")[1] == [
        "FAIL news no message was sent: neither NOTIFY_URL nor NOTIFY_COMMAND is set"
    ]


def test_what_is_missing_is_said_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.service.news.find_spec", lambda _name: None)
    code, [told] = _check(tmp_path, NOTIFY_URL="json://127.0.0.1/")
    assert code == 2
    assert told.endswith("NOTIFY_URL is set, and what tells by it is not installed: pip install '.[notify]'.")
    said = CliRunner().invoke(cli, ["run"], env=environ(tmp_path, "http://127.0.0.1:9", NOTIFY_URL="json://127.0.0.1/"))
    assert (said.exit_code, "pip install '.[notify]'" in said.output) == (2, True)


def test_the_agent_itself_loads_no_apprise(tmp_path: Path, receiver: Receiver) -> None:
    code = (
        "import sys; import agent.commands.run, agent.service.news, agent.news.telling, agent.news.notifier;"
        "from agent.settings import load; import os, pathlib;"
        "from agent.service.news import notifier_of;"
        "s = load.load(os.environ, pathlib.Path('.'), None);"
        "assert notifier_of(s).check().told;"
        "print([name for name in sys.modules if name.split('.')[0] in ('apprise', 'markdown', 'yaml')])"
    )
    given = {**os.environ, **environ(tmp_path, "http://127.0.0.1:9", NOTIFY_URL=_url(receiver))}
    said = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True, check=False)
    assert (said.stdout, said.returncode) == ("[]\n", 0), said.stderr


def test_once_tells_nothing_and_leaves_it_to_who_stays(tmp_path: Path) -> None:
    write(tmp_path / "inbox" / "a.jpg", b"")
    with Playment() as playment:
        given = environ(tmp_path, playment.url, NOTIFY_COMMAND=_command(tmp_path))
        command("run", "--once", environ=given, cwd=tmp_path)
    assert _told(tmp_path) == []
    kept = _agent(tmp_path)
    assert "started_at" in kept
    assert "news" not in kept
