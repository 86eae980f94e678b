"""Real messages to real services: Apprise by HTTP and by SMTP, and commands that hang, fork, flood and fail."""

from __future__ import annotations

import email
import email.policy
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.host.clock import utc_now
from agent.ledger.news import Kind, Untold, Waiting
from agent.news import words
from agent.news.notifier import Notifier
from agent.news.tell import without
from agent.news.words import Sender
from tests.news import mail, web
from tests.support import command_lines, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.news import Receiver

SENDER = Sender("cam17", "/srv/inbox", "Playment")
MESSAGE = words.as_json(words.before(37), SENDER, 4, utc_now().astimezone())
ENVIRON: Mapping[str, str] = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with web() as found:
        yield found


def _urls(text: str, limit: float = 20.0) -> Notifier:
    return Notifier(text, (), ENVIRON, limit)


def _python(code: str, *arguments: str, limit: float = 20.0, environ: Mapping[str, str] = ENVIRON) -> Notifier:
    return Notifier("", (sys.executable, "-c", code, *arguments), environ, limit)


# Apprise


def test_apprise_tells_a_web_service(receiver: Receiver) -> None:
    assert _urls(f"json://127.0.0.1:{receiver.port}/hook").tell(MESSAGE) == (True, "", False)
    [told] = receiver.told
    assert told["title"] == "playment-agent on cam17: 37 wait for a person"
    assert told["message"] == MESSAGE["text"]
    assert told["type"] == "warning"


def test_apprise_tells_a_mail_server() -> None:
    with mail() as receiver:
        url = f"mailto://127.0.0.1:{receiver.port}/?from=agent@example.org&to=lead@example.org&mode=insecure"
        assert _urls(url).tell(MESSAGE) == (True, "", False)
    read = email.message_from_string(receiver.told[0]["message"], policy=email.policy.default)
    assert read["subject"] == MESSAGE["title"]
    assert read["to"].endswith("lead@example.org")
    body = read.get_body(("plain", "html"))
    assert body is not None
    assert "37 wait for a person from before news were told" in body.get_content()


def test_names_with_markup_arrive_as_they_are(receiver: Receiver) -> None:
    path = "<b>{{ app_id }}</b> *x* :smile: \\n $HOME %s/a.jpg"
    sentence = words.waiting(Untold(1, {Kind("invalid", "", "cut"): Waiting({path[:-6]: 1}, path)}))
    message = words.as_json(sentence, SENDER, 1, utc_now().astimezone())
    assert _urls(f"json://127.0.0.1:{receiver.port}/").tell(message).told
    assert receiver.told[0]["message"] == message["text"]


@pytest.mark.parametrize(("asked", "parts"), [("", 3), ("?overflow=truncate", 1), ("?overflow=upstream", 1)])
def test_what_is_too_long_for_a_service_comes_in_parts_unless_its_address_says_else(
    asked: str, parts: int, receiver: Receiver
) -> None:
    lines = [f"{number:,} are invalid (cut short): {number:,} in cam{number}" for number in range(1000, 1200)]
    long = {**MESSAGE, "text": "\n".join(lines)}
    assert _urls(f"mmost://127.0.0.1:{receiver.port}/{'t' * 24}{asked}").tell(long).told
    assert len(receiver.told) == parts
    if parts > 1:
        assert all(len(each["text"]) <= 4000 for each in receiver.told)
        assert all(any(line in each["text"] for each in receiver.told) for line in lines)


def test_several_addresses_are_told_at_once_and_one_that_fails_keeps_nothing_from_the_others(
    receiver: Receiver,
) -> None:
    good = f"json://127.0.0.1:{receiver.port}"
    for gap in (" ", ",", ", "):
        told = _urls(gap.join([f"{good}/a", "json://user:s3cret-pass@127.0.0.1:9/t0ken-part", f"{good}/b"])).tell(
            MESSAGE
        )
        assert told.told
        assert told.why.startswith("address 2 of 3: ")
        assert not any(part in told.why for part in ("s3cret", "t0ken", "127.0.0.1"))
    assert sorted(each["path"] for each in receiver.told) == ["/a"] * 3 + ["/b"] * 3


def test_a_service_that_refuses_is_no_success(receiver: Receiver) -> None:
    receiver.status = 503
    told = _urls(f"json://127.0.0.1:{receiver.port}/t0ken").tell(MESSAGE)
    assert not told.told
    assert not told.unknown
    assert told.why.startswith("the address: ")
    assert "503" in told.why


def test_a_service_that_hangs_is_left_after_the_limit_and_may_have_been_told(receiver: Receiver) -> None:
    receiver.hangs.set()
    begun = time.monotonic()
    told = _urls(f"json://127.0.0.1:{receiver.port}/t0ken?rto=50", limit=2.0).tell(MESSAGE)
    assert time.monotonic() - begun < 20
    assert (told.told, told.why, told.unknown) == (False, "the address: it did not answer in time", True)


@pytest.mark.parametrize("urls", ["nosuch://s3cret/t0ken", "json://127.0.0.1:9/a nosuch://s3cret/t0ken"])
def test_an_address_that_apprise_does_not_know_is_found_without_sending(urls: str) -> None:
    told = _urls(urls).check()
    assert not told.told
    assert told.why.endswith("is no address that Apprise knows")
    assert "s3cret" not in told.why
    assert _urls(urls).tell(MESSAGE).why == told.why


def test_a_check_sends_nothing(receiver: Receiver) -> None:
    assert _urls(f"json://127.0.0.1:{receiver.port}/").check() == (True, "", False)
    assert receiver.told == []


def test_the_address_is_in_no_process_list_and_in_no_environment(receiver: Receiver) -> None:
    receiver.hangs.set()
    notifier = _urls(f"json://user:s3cret-pass@127.0.0.1:{receiver.port}/t0ken-part")
    thread = threading.Thread(target=notifier.tell, args=(MESSAGE,))
    thread.start()
    eventually(lambda: receiver.tries)
    seen = [line for line in command_lines() if "agent.news.tell" in line]
    [pid] = [int(path.name) for path in Path("/proc").glob("[0-9]*") if _is_child(path)]
    environ = Path(f"/proc/{pid}/environ").read_text()
    receiver.over.set()
    thread.join()
    assert seen
    assert not any(word in text for word in ("s3cret", "t0ken") for text in (*seen, environ))


def _is_child(path: Path) -> bool:
    try:
        return b"agent.news.tell" in (path / "cmdline").read_bytes() and (
            int((path / "stat").read_text().rpartition(")")[2].split()[1]) == os.getpid()
        )
    except OSError:
        return False


def test_every_part_of_an_address_is_taken_out_of_what_is_said() -> None:
    url = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?x=pass%20word"
    said = "with url: /services/T1JJ3T3L2/TIiajkdnlazkcOXrIdevi7FQ pass word pass%20word failed"
    assert without(url, said) == "with url: /services/***/*** *** *** *** failed"


# A command


def test_a_command_reads_the_message_as_json(tmp_path: Path) -> None:
    file = tmp_path / "told"
    told = _python("import sys; open(sys.argv[1], 'w').write(sys.stdin.read())", str(file)).tell(MESSAGE)
    assert told == (True, "", False)
    assert json.loads(file.read_text()) == MESSAGE


def test_a_command_that_fails_says_why_with_its_last_line() -> None:
    told = _python(
        "import sys; print('first', flush=True); print('no \\x1b[31mroute', file=sys.stderr); sys.exit(3)"
    ).tell(MESSAGE)
    assert told == (False, f"{sys.executable}: exit code 3: no \\x1b[31mroute", False)
    assert "signal 9" in _python("import os; os.kill(os.getpid(), 9)").tell(MESSAGE).why
    assert (
        Notifier("", ("/no/such",), ENVIRON).tell(MESSAGE).why == "/no/such cannot be run (No such file or directory)"
    )


def test_a_command_that_is_not_there_is_found_without_being_run(tmp_path: Path) -> None:
    file = tmp_path / "ran"
    assert _python("import sys; open(sys.argv[1], 'w')", str(file)).check() == (True, "", False)
    assert not file.exists()
    assert (
        Notifier("", ("no-such-program",), ENVIRON).check().why == "there is no program no-such-program that can be run"
    )


def test_a_command_that_need_not_read_and_leaves_something_behind_is_fine() -> None:
    begun = time.monotonic()
    assert Notifier("", ("sh", "-c", "sleep 20 & exit 0"), ENVIRON).tell(MESSAGE) == (True, "", False)
    assert time.monotonic() - begun < 20


FORKS = """
import os, subprocess, sys, time
for _ in range(3):
    if not os.fork():
        os.setsid()
        if not os.fork():
            os.setsid()
        open(f"{sys.argv[1]}/{os.getpid()}", "w")
        time.sleep(600)
print("waits for nothing", flush=True)
time.sleep(600)
"""


def test_a_command_that_hangs_is_ended_with_all_that_it_has_started_however_far_away(tmp_path: Path) -> None:
    begun = time.monotonic()
    told = _python(FORKS, str(tmp_path), limit=5.0).tell(MESSAGE)
    assert time.monotonic() - begun < 15
    assert not told.told
    assert told.unknown
    assert told.why.endswith("did not end within 5 s and was ended: waits for nothing")
    started = os.listdir(tmp_path)
    assert len(started) == 6
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]


def test_a_stop_ends_what_is_under_way_at_once(tmp_path: Path) -> None:
    notifier = _python(FORKS, str(tmp_path), limit=60.0)
    thread = threading.Thread(target=notifier.tell, args=(MESSAGE,))
    thread.start()
    eventually(lambda: len(os.listdir(tmp_path)) == 6)
    begun = time.monotonic()
    notifier.stop()
    thread.join()
    assert time.monotonic() - begun < 5
    eventually(lambda: not [pid for pid in os.listdir(tmp_path) if Path(f"/proc/{pid}").exists()])
    assert notifier.tell(MESSAGE) == (False, "the agent is stopping", False)


def test_a_command_may_print_100_mb_and_what_it_says_last_is_kept() -> None:
    code = "import sys; [print('x' * 999_999) for _ in range(100)]; print('the end'); sys.exit(1)"
    told = _python(code).tell(MESSAGE)
    assert told.why.endswith("exit code 1: the end")
    told = _python("print('x' * 10_000_000); raise SystemExit(1)").tell(MESSAGE)
    assert len(told.why) <= 500


def test_a_command_gets_its_surroundings_and_not_our_path(tmp_path: Path) -> None:
    file = tmp_path / "environ"
    code = "import json, os, sys; open(sys.argv[1], 'w').write(json.dumps(dict(os.environ)))"
    for given in ({"TEAM": "x"}, {"TEAM": "x", "PYTHONPATH": "/theirs"}):
        assert _python(code, str(file), environ={**ENVIRON, **given}).tell(MESSAGE).told
        found = json.loads(file.read_text())
        assert {name: found.get(name) for name in ("TEAM", "PYTHONPATH")} == {"PYTHONPATH": None, **given}
