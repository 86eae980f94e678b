"""The page as a browser asks it: the real command, over HTTP, with and without orders."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import requests

from agent.host.clock import utc_now
from agent.ledger.store import Ledger
from tests.page_rows import STATES, fill, put
from tests.page_served import Served, serving
from tests.support import command, query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VIEWS = ("/", "/waiting", "/folders", "/jobs", "/jobs/1")
MARKUP = "<script>hit()</script><img src=x onerror=hit()>\"'{{7*7}}"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    place = tmp_path_factory.mktemp("page")
    fill(place / "ledger.db")
    with serving(place, PRICE_PER_IMAGE="0.25", PAGE_NAMES="agent.example.com") as running:
        yield running


@pytest.fixture
def obeying(tmp_path: Path) -> Iterator[Served]:
    fill(tmp_path / "ledger.db")
    with serving(tmp_path, PAGE_ORDERS="true") as running:
        yield running


@pytest.mark.parametrize("path", VIEWS)
def test_every_view_is_whole_and_says_what_it_may_run(served: Served, path: str) -> None:
    answer = served.get(path)
    assert answer.status_code == 200
    assert answer.text.rstrip().endswith("</html>")
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "server" not in answer.headers
    assert not re.search(r"<script(?! src)|<style|\son\w+=|\sstyle=|javascript:", answer.text)


def test_how_it_stands(served: Served) -> None:
    text = served.get("/").text
    assert all(state in text for state in STATES)
    assert "0.50" in text  # two images were sent
    assert "running" in text


def test_what_waits_is_told_with_its_sentence_and_its_command(served: Served) -> None:
    text = served.get("/waiting").text
    assert "cut short: the JPEG has no end marker (EOI)" in text
    assert "playment-agent retry cam/invalid.jpg" in text
    assert "playment-agent dismiss cam/duplicate.jpg" in text
    assert "/order" not in text


@pytest.mark.parametrize(
    ("query", "paths"),
    [
        ("?folder=cam", {"cam/invalid.jpg", "cam/held.jpg", "cam/failed.jpg", "cam/duplicate.jpg"}),
        ("?folder=drive", {"drive"}),
        ("?state=held", {"cam/held.jpg", "drive"}),
        ("?state=held&code=gaps", {"cam/held.jpg"}),
        ("?state=invalid&code=-", {"cam/invalid.jpg"}),
        ("?day=2001-01-01", set()),
    ],
)
def test_it_is_filtered_by_folder_reason_and_day(served: Served, query: str, paths: set[str]) -> None:
    assert set(re.findall(r'class="path" href="/jobs/\d+">([^<]+)<', served.get(f"/waiting{query}").text)) == paths


@pytest.mark.parametrize("text", ["cam/held.jpg", "cam/held.jpg~0123456789ab", "HELD", "6"])
def test_a_job_is_found_by_what_names_it(served: Served, text: str) -> None:
    assert "cam/held.jpg" in served.get(f"/jobs?q={quote(text)}").text


def test_a_job_is_found_by_the_targets_id_too(served: Served) -> None:
    found = served.get(f"/jobs?q={quote('JOB of cam/completed.jpg')}").text
    assert re.findall(r'class="path" href="/jobs/\d+">([^<]+)<', found) == ["cam/completed.jpg"]


def test_what_is_the_same_is_not_sent_again_and_what_changed_is(served: Served) -> None:
    first = served.get("/jobs", HX_Request="true")
    assert "<html" not in first.text
    seen = re.search(r'"X-Seen": "(\w+)"', first.text)
    assert seen is not None
    assert served.get("/jobs", HX_Request="true", X_Seen=seen[1]).status_code == 204
    with contextlib.closing(Ledger(served.ledger, utc_now)) as ledger:
        put(ledger, "cam/new.jpg", "pending")
    assert "cam/new.jpg" in served.get("/jobs", HX_Request="true", X_Seen=seen[1]).text


@pytest.mark.parametrize("path", [*VIEWS, "/static/page.css", "/no", "/jobs/1/frames/0/thumbnail"])
def test_no_other_host_no_other_origin_and_no_other_sites_script_is_answered(served: Served, path: str) -> None:
    for headers in (
        {"Host": "evil.example.com"},
        {"Origin": "http://evil.example.com"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    ):
        answer = served.get(path, **headers)
        assert answer.status_code == 403
        assert answer.text.startswith("refused: ")
        assert "cam" not in answer.text
    assert served.get(path, Host="agent.example.com").status_code != 403


def test_two_hosts_are_none(served: Served) -> None:
    address = served.url.removeprefix("http://")
    raw = f"GET / HTTP/1.1\r\nHost: {address}\r\nHost: evil.example.com\r\nConnection: close\r\n\r\n"
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), 10) as asked:
        asked.sendall(raw.encode())
        assert asked.recv(1000).split()[1] in {b"400", b"403"}


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e%2fapp.py",
        "/static/base.html",
        "/jobs/999",
        "/jobs/x",
        "/jobs/99999999999999999999999999",
        "/jobs/" + "9" * 5000,
        f"/jobs/1/frames/{'9' * 5000}/picture",
        "/order?do=retry&job=1",
        "/order?do=drop",
    ],
)
def test_what_is_not_there_is_told_as_a_page(served: Served, path: str) -> None:
    assert served.get(path).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "/jobs?after=%5B%22%5Cud800%22%5D",
        "/jobs?after=[99999999999999999999999]",
        "/jobs?after=[[[[",
        "/jobs?after=" + "[" * 4000,
        "/jobs?state='or 1=1&folder=%00&q=%00",
        "/waiting?after=[%22~%22,0]&day=%00&code=%ff&state=%F0%9F%98%80",
        "/folders?begins=%ed%a0%80&after=[%22%22]",
        "/jobs?folder=%25%27%22&q=" + "x" * 9000,
    ],
)
def test_whatever_an_address_says_it_is_answered(served: Served, query: str) -> None:
    assert served.get(query).status_code == 200


@pytest.mark.parametrize("path", VIEWS)
def test_nothing_is_changed_by_any_other_method(served: Served, path: str) -> None:
    assert served.post(path, {}).status_code == 405


def test_markup_in_every_field_is_text(tmp_path: Path) -> None:
    ids = fill(tmp_path / "ledger.db", outage=MARKUP, outage_since=MARKUP, blocked=MARKUP, sending=MARKUP)
    columns = ("reason", "job_id", "digest", "tag", "batch_id", "result_path", "edition")
    with contextlib.closing(Ledger(tmp_path / "ledger.db", utc_now)) as ledger:
        for state, job in ids.items():
            ledger.set(job, **dict.fromkeys(columns, MARKUP), path=f"{MARKUP}/{state}", reference_id=f"{MARKUP}{job}")
            ledger.record(job, MARKUP, MARKUP)
        ledger.set(ids["failed"], error_code=MARKUP)
        ledger.set(ids["held"], updated_at=MARKUP)
    text = quote(MARKUP)
    with serving(tmp_path) as running:
        for path in (*VIEWS, f"/jobs?q={text}&folder={text}&state={text}", f"/waiting?folder={text}&day={text}"):
            found = running.get(path).text
            assert "hit()" in found
            assert "<script>hit" not in found
            assert "<img src=x" not in found
            assert 'onerror=hit()>"' not in found


def test_prometheus_reads_the_numbers(served: Served, tmp_path: Path) -> None:
    answer = served.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert 'playment_agent_jobs{state="completed"} 1.0' in answer.text
    with serving(tmp_path) as empty:
        assert "playment_agent_ledger_readable 0.0" in empty.get("/metrics").text


# Without a ledger, and without what it needs


def test_a_ledger_that_is_not_there_yet_is_a_sentence_and_the_page_goes_on_when_it_is(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        answer = running.get("/")
        assert answer.status_code == 503
        assert "there is no ledger at" in answer.text
        assert 'hx-get="/"' in answer.text
        fill(tmp_path / "ledger.db")
        assert running.get("/").status_code == 200
        (tmp_path / "ledger.db").rename(tmp_path / "away.db")
        for name in ("ledger.db-wal", "ledger.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        (tmp_path / "ledger.db").write_bytes(b"no ledger at all" * 100)
        assert running.get("/").status_code == 503


def test_it_ends_at_once_when_it_is_told_to(tmp_path: Path) -> None:
    fill(tmp_path / "ledger.db")
    with serving(tmp_path) as running, requests.Session() as kept:
        kept.get(f"{running.url}/", timeout=20)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(10) in {0, -signal.SIGTERM}
    assert query(tmp_path / "ledger.db", "select count(*) as jobs from jobs")[0]["jobs"] == len(STATES) + 1


def test_it_says_which_extra_is_missing(tmp_path: Path) -> None:
    hide = "import sys; sys.modules['uvicorn'] = None; from agent.commands import cli; cli(['page'])"
    done = subprocess.run(
        [sys.executable, "-c", hide], env={"PATH": ""}, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.endswith("the page needs the extra 'page', and uvicorn is not here: pip install 'playment-agent[page]'")


def test_the_agent_imports_nothing_of_it() -> None:
    asked = (
        "import sys; import agent.commands.run; from agent.commands import cli; "
        "print([name for name in sys.modules if name.split('.')[0] in ('uvicorn', 'starlette', 'jinja2', 'anyio')"
        " or name.startswith('agent.page')])"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_nobody_is_served_in_a_network_unasked(tmp_path: Path) -> None:
    done = command("page", "--host", "0.0.0.0", environ={"LEDGER_PATH": "l.db"}, cwd=tmp_path)
    assert done.returncode == 1
    assert "asks nobody who they are" in done.stderr


def test_a_place_that_is_taken_is_a_sentence(served: Served, tmp_path: Path) -> None:
    port = served.url.rpartition(":")[2]
    done = command("page", "--port", port, environ={"LEDGER_PATH": "l.db"}, cwd=tmp_path)
    assert done.returncode == 1
    assert f"the page cannot be served at 127.0.0.1, port {port}: Address already in use" in done.stderr


# Orders


def test_the_token_is_its_owners_alone_and_lasts(obeying: Served) -> None:
    file = obeying.ledger.parent / "page-token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    token = obeying.token
    assert len(token) > 30
    with serving(obeying.ledger.parent, PAGE_ORDERS="true"):
        assert obeying.token == token


def test_who_shows_the_token_gets_a_cookie_that_no_script_reads_and_no_other_site_sends(obeying: Served) -> None:
    assert obeying.post("/enter", {"token": "wrong", "do": "pause"}).status_code == 403
    answer = obeying.post("/enter", {"token": obeying.token, "do": "retry", "job": "6", "x": "//evil"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/order?do=retry&job=6")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie


def test_an_order_without_the_token_or_from_elsewhere_does_nothing(obeying: Served) -> None:
    form = {"do": "dismiss", "ids": "5 6 7"}
    assert obeying.post("/order", form).status_code == 404
    assert obeying.orders(form, cookie="wrong").status_code == 404
    heads = {"Cookie": f"playment_agent_orders={obeying.token}"}
    for origin in ({}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"}, {"Origin": "http://evil.example.com"}):
        sent = requests.post(f"{obeying.url}/order", form, headers={**heads, **origin}, timeout=20)
        assert sent.status_code == 403
    asked = requests.get(f"{obeying.url}/order?do=dismiss&ids=5&job=5", headers=heads, timeout=20)
    assert asked.status_code == 200  # it asks, and does nothing yet
    assert {row["state"] for row in query(obeying.ledger, "select state from jobs")} == {*STATES}


def test_orders_do_what_the_commands_do(obeying: Served) -> None:
    ids = {row["path"]: str(row["id"]) for row in query(obeying.ledger, "select id, path from jobs")}
    assert "1 job (1 frame) will be sent and paid for" in obeying.get(f"/order?do=retry&job={ids['cam/held.jpg']}").text
    done = obeying.orders({"do": "retry", "ids": ids["cam/held.jpg"]})
    assert "cam/held.jpg: held -&gt; pending" in done.text
    obeying.orders({"do": "retry", "ids": ids["cam/invalid.jpg"]})
    obeying.orders({"do": "resubmit", "ids": ids["drive"]})
    obeying.orders({"do": "dismiss", "ids": ids["cam/failed.jpg"]})
    assert "Nothing was there to be done" in obeying.orders({"do": "dismiss", "ids": ids["cam/completed.jpg"]}).text
    states = {row["path"]: row["state"] for row in query(obeying.ledger, "select path, state from jobs")}
    assert states["cam/held.jpg"] == states["drive"] == "pending"
    assert states["cam/invalid.jpg"] == "settling"
    assert states["cam/failed.jpg"] == "ignored"
    assert states["cam/completed.jpg"] == "completed"
    assert [row["event"] for row in query(obeying.ledger, "select event from events where job = ?", int(ids["drive"]))][
        -1
    ] == "pending"


def test_an_order_that_names_no_job_is_about_none(obeying: Served) -> None:
    for form in ({"do": "dismiss"}, {"do": "dismiss", "ids": ""}, {"do": "dismiss", "ids": "x", "folder": "cam"}):
        assert "Nothing was there to be done" in obeying.orders(form).text
    assert {row["state"] for row in query(obeying.ledger, "select state from jobs")} == {*STATES}


def test_sending_is_stopped_and_started(obeying: Served) -> None:
    assert "is paused" in obeying.orders({"do": "pause"}).text
    assert "PAUSED" in obeying.get("/").text
    assert "do=resume" in obeying.get("/").text
    assert "goes on" in obeying.orders({"do": "resume"}).text
    assert "PAUSED" not in obeying.get("/").text


def test_an_order_is_about_all_that_a_filter_shows(obeying: Served) -> None:
    asked = obeying.get("/order?do=dismiss&folder=cam&state=&code=&day=").text
    ids = re.search(r'name="ids" value="([\d ]+)"', asked)
    assert ids is None  # the form for the token comes first
    with requests.Session() as person:
        person.headers["Cookie"] = f"playment_agent_orders={obeying.token}"
        asked = person.get(f"{obeying.url}/order?do=dismiss&folder=cam", timeout=20).text
    ids = re.search(r'name="ids" value="([\d ]+)"', asked)
    assert ids is not None
    assert len(ids[1].split()) == 4
    obeying.orders({"do": "dismiss", "ids": ids[1]})
    assert query(obeying.ledger, "select count(*) as jobs from jobs where state = 'ignored'")[0]["jobs"] == 5


def test_it_is_not_said_that_nothing_is_there_where_more_was_not_looked_at(obeying: Served) -> None:
    assert "choose a reason" not in obeying.get("/order?do=resubmit&state=invalid").text
    with contextlib.closing(Ledger(obeying.ledger, utc_now)) as ledger, ledger.transaction():
        for number in range(1000):
            put(ledger, f"cam/{number}.jpg", "failed")
    asked = obeying.get("/order?do=resubmit").text
    assert "choose a reason" in asked
    assert "none of these" not in asked
    assert "drive" in obeying.get("/order?do=resubmit&state=held&code=changed").text


def test_a_form_that_is_too_large_is_refused(obeying: Served) -> None:
    assert obeying.orders({"do": "dismiss", "ids": "1 " * 50_000}).status_code == 413
