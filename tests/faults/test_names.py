"""Names that a file system allows: each file is sent by the URL that fetches its bytes, or refused with the reason."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
from functools import partial
from typing import TYPE_CHECKING

from agent.host import logs
from agent.model import shown
from tests.integration.nginx import serving
from tests.support import Agent, Playment, command, environ, eventually, image, query, settings, write

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

STEMS = [
    b"plain",
    b"with space",
    b"  blanks  ",
    b"hash#1",
    b"question?x=1",
    b"percent%",
    b"%2f",
    b"%252f..%2f",
    b"%00",
    b"plus+plus",
    b"a&b=c;d",
    b"user:pass@host",
    b"single'quote",
    b'double"quote',
    b"back\\slash",
    b"up\\..\\up",
    b"new\nline",
    b"carriage\rreturn",
    b"tab\there",
    b"\x1b[31mred\x1b]0;title\x07\x7f",
    b"\xc2\x9b31mC1",
    "🚗 straße 日本".encode(),
    "caf\u00e9".encode(),
    "cafe\u0301".encode(),
    "\u202egnp.\u202c".encode(),
    b"-rf",
    b"--help",
    b"'; drop table jobs; --",
    b"$(touch x) `id` !1 *",
    b'=cmd|"\'calc"!A1',
    b"@SUM(1+1)",
    b"{path}~{digest}",
    b"%s%n%d",
    b"[bold red]rich",
    b"null",
    b"Twin",
    b"twin",
    b"x" * 251,
]
NOT_UTF8 = [b"latin-1 \xe9", b"\xff\xfe", b"\xed\xa0\x80surrogate"]
ESCAPES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def test_every_name_is_fetched_by_its_url_or_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    expected: dict[str, str] = {}
    digests: dict[str, str] = {}
    for number, stem in enumerate([*STEMS, *NOT_UTF8]):
        name = os.fsdecode(stem + b".jpg")
        single = write(inbox / name, image(number))
        write(inbox / f"drive {number}%20#" / "frame_1.jpg", image(1000 + number))
        write(inbox / "all" / name, image(2000 + number))
        if len(stem) < 200:
            folder = os.fsdecode(stem)
            write(inbox / "in" / folder / "frame_1.jpg", image(3000 + number))
            expected[f"in/{folder}"] = "invalid" if stem in NOT_UTF8 else "submitted"
        expected[name] = "invalid" if stem in NOT_UTF8 else "submitted"
        digests[name] = hashlib.sha256(single.read_bytes()).hexdigest()
    with serving(inbox, tmp_path / "nginx") as base, Playment(fetch=True) as playment:
        # Such names tell no order, and some are twins.
        served = {"PUBLISH_TO": base, "PUBLISH_PROBE": "all", "SEQUENCE_ORDER_DOUBT": "warn"}
        chosen = environ(tmp_path, playment.url, **served)
        with Agent(settings(tmp_path, playment.url, **served)) as agent:
            agent.rests()
            for path, state in expected.items():
                assert len(agent.rows(shown(path))) == 1, path
                (row,) = agent.rows(shown(path))
                assert row["state"] == state, (path, row["reason"])
                assert ("not UTF-8" in row["reason"]) is (state == "invalid"), row["reason"]
            (row,) = agent.rows("all")
            assert (row["state"], "not UTF-8" in row["reason"]) == ("invalid", True)
            for stem in NOT_UTF8:
                (inbox / "all" / os.fsdecode(stem + b".jpg")).unlink()
            agent.becomes("all", "submitted")

            # The server has what the URL named, and it is the file's own content.
            by_path = {job.reference_id.rpartition("~")[0]: job for job in playment.jobs}
            assert len(by_path) == len(playment.jobs)
            for name, digest in digests.items():
                if expected[name] == "submitted":
                    assert list(by_path[name].fetched.values()) == [digest], name
            frames = query(agent.settings.ledger_path, "select src, digest from frames where src is not null")
            fetched = {src: digest for job in playment.jobs for src, digest in job.fetched.items()}
            assert fetched == {frame["src"]: frame["digest"] for frame in frames}

        # What people see holds no control character that a terminal would obey, whatever is in a name.
        for name in ("late\x1b[2J.jpg", "late\nline.jpg", "late\udce9.jpg"):
            write(inbox / name, image(hash(name) % 1000))
        os.utime(inbox / "plain.jpg")
        plan = command("plan", environ=chosen, cwd=tmp_path)
        told = json.loads(command("plan", "--json", environ=chosen, cwd=tmp_path).stdout)
        status = command("status", environ=chosen, cwd=tmp_path)
        explained = command("explain", "inbox/late\x1b[2J.jpg", environ=chosen, cwd=tmp_path)
        refused = command("explain", "inbox/latin-1 \udce9.jpg", environ=chosen, cwd=tmp_path)
        as_json = command("status", "--json", environ=chosen, cwd=tmp_path)
        missing = command("retry", "no\x1b[2Jsuch", environ=chosen, cwd=tmp_path)
    assert {step["path"] for step in told} >= {"late\x1b[2J.jpg", "late\nline.jpg", "late\\xe9.jpg"}
    for run in (plan, status, explained, refused, as_json, missing):
        assert "Traceback" not in run.stderr
        assert not ESCAPES.search(run.stdout + run.stderr), run.stdout
    assert "late\\x1b[2J.jpg" in plan.stdout
    assert "late\\x1b[2J.jpg: an image job" in explained.stdout
    assert "latin-1 \\xe9.jpg" in refused.stdout
    rows = list(csv.reader(io.StringIO(plan.stdout), delimiter="\t"))
    assert {len(row) for row in rows} == {5}
    for record in caplog.records:
        line = logs.TextFormatter().format(record)
        assert not ESCAPES.search(line)
        assert "defect" not in line
    assert not (tmp_path / "x").exists()


def test_a_name_that_reads_like_an_escaped_one_is_not_taken_for_it(tmp_path: Path) -> None:
    # The ledger shows the byte E9 as \xe9, and a file may be called just that.
    with Playment() as playment:
        chosen = settings(tmp_path, playment.url, WATCH_RESCAN_SECONDS="1")
        inbox = os.fsencode(tmp_path / "inbox")
        os.mkdir(os.path.join(inbox, b"drive"))
        for number, folder in enumerate((b".", b"drive")):
            for other, name in enumerate((b"a\xe9.jpg", b"a\\xe9.jpg")):
                with open(os.path.join(inbox, folder, name), "wb") as file:
                    file.write(image(10 * number + other))
        with Agent(chosen) as agent:
            eventually(lambda: "a\\xe9.jpg" in playment.paths())
            agent.rests()

            def scanned_again(since: str) -> bool:
                return agent.value("last_scan_at") > since

            for _ in range(3):
                last = agent.value("last_scan_at")
                eventually(partial(scanned_again, last))
            agent.rests()
            before = query(chosen.ledger_path, "select count(*) as n from events")[0]["n"]
            for _ in range(3):
                last = agent.value("last_scan_at")
                eventually(partial(scanned_again, last))
            agent.rests()
            after = query(chosen.ledger_path, "select count(*) as n from events")[0]["n"]
        assert after == before, query(chosen.ledger_path, "select * from recent limit 8")
        assert playment.paths() == ["a\\xe9.jpg"]
