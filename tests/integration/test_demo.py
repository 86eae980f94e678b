"""The demo as a person starts it, and what it makes of a wrong result."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from agent.core.names import Filters
from agent.demo.files import FileServer
from agent.demo.proof import Arrived, of_sandbox, receipts
from agent.demo.script import Drop, Expected, script
from agent.demo.stage import Stage
from agent.folder.scanner import Scanner
from agent.model import Edition, Kind
from agent.sandbox.state import SandboxJob
from tests.support import write

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = [sys.executable, "-m", "agent", "demo"]


def environment(tmp_path: Path) -> dict[str, str]:
    """An environment in which everything that could mislead the demo is set."""
    return {
        **os.environ,
        "TMPDIR": str(tmp_path),
        "PLAYMENT_API_KEY": "not the demo's",
        "PLAYMENT_BASE_URL": "https://playment.invalid",
        "WATCH_DIR": "/nowhere",
        "SETTLE_SECONDS": "never",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "",
        "no_proxy": "",
        "REQUESTS_CA_BUNDLE": "/nowhere/ca.pem",
    }


def played(*options: str, environ: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Play the demo to its end, which must be a good one."""
    run = subprocess.run(
        [*COMMAND, *options], env=environ, cwd=cwd, capture_output=True, text=True, check=False, timeout=55
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run


def test_the_whole_job_in_a_pipe_whatever_is_set(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / ".env").write_text("PUBLISH_TO=ftp://nowhere\n")
    run = played("--keep", environ=environment(tmp_path), cwd=here)
    assert run.stderr == ""
    assert "\x1b" not in run.stdout
    assert "✓ drive: one job, 12 frames in order, every byte equal" in run.stdout
    assert "✓ night: one job, 5 frames in order, every byte equal" in run.stdout
    assert "broken.jpg: cut short" in run.stdout
    assert "letter.jpg: not an image" in run.stdout
    query = re.search(r"sqlite3 (\S+/ledger\.db) 'select \* from status'", run.stdout)
    assert query
    told = subprocess.run(
        [sys.executable, "-m", "sqlite_utils", "query", query[1], "select state, jobs, frames from status", "--csv"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == ["state,jobs,frames", "submitted,4,19", "invalid,2,2"]
    if shutil.which("sqlite3"):
        same = subprocess.run(query[0], shell=True, capture_output=True, text=True, check=True)
        assert [line.split("|")[:3] for line in same.stdout.splitlines()] == [
            ["submitted", "4", "19"],
            ["invalid", "2", "2"],
        ]
    explained = re.search(r"--env-file (\S+) explain drive", run.stdout)
    assert explained
    said = subprocess.run(
        [sys.executable, "-m", "agent", "--env-file", explained[1], "explain", "drive"],
        capture_output=True,
        text=True,
        check=True,
        cwd=here,
    )
    assert "is submitted" in said.stdout


def test_the_same_through_an_object_store_whatever_is_set(tmp_path: Path) -> None:
    misleading = {"AWS_ACCESS_KEY_ID": "x", "AWS_SESSION_TOKEN": "x", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}
    surroundings = {**environment(tmp_path), **misleading, "AWS_SKIP_SIGNATURE": "true", "AWS_REGION": "mars"}
    run = played("--s3", environ=surroundings, cwd=tmp_path)
    assert "✓ drive: one job, 12 frames in order, every byte equal" in run.stdout
    assert re.search(r"^ s3://inbox/demo/[0-9a-f]{12}/street\.jpg$", run.stdout, re.MULTILINE)
    assert "X-Amz" not in run.stdout
    assert not list(tmp_path.glob("playment-demo-*"))


def test_the_results_come_home_where_they_are_to(tmp_path: Path) -> None:
    run = played("--keep", "--complete-after", "0.5", environ=environment(tmp_path), cwd=tmp_path)
    assert "All as it must be: 4 jobs sent, each once; 2 files refused." in run.stdout
    folder = re.search(r"The folder (\S+) is left", run.stdout)
    assert folder
    results = Path(folder[1]) / "results"
    assert sorted(path.name for path in results.iterdir()) == [
        f"{name}{ending}"
        for name in ("bridge.png", "drive", "night", "street.jpg")
        for ending in (".frames.jsonl", ".json")
    ]
    assert all(f" {path}\n" in run.stdout for path in results.glob("*.json"))
    assert json.loads((results / "drive.json").read_bytes())["reference_id"].startswith("drive~")


def test_a_stop_leaves_nothing_behind(tmp_path: Path) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with subprocess.Popen(
            COMMAND, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as running:
            assert running.stdout
            said: list[str] = []
            while not any("submitted" in line for line in said[-1:]):
                said.append(running.stdout.readline())
                assert said[-1], (said, running.stderr and running.stderr.read())
            running.send_signal(number)
            _, errors = running.communicate(timeout=40)
        assert running.returncode == 128 + number
        assert "Traceback" not in errors
        assert not list(tmp_path.glob("playment-demo-*"))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, FileServer]]:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    with FileServer(Scanner(root, Filters.of(()))) as server:
        yield root, server


def fetch(server: FileServer, target: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    try:
        connection.request("GET", target, headers=headers or {})
        with connection.getresponse() as answer:
            return answer.status, answer.read()
    finally:
        connection.close()


def test_the_file_server_serves_plain_files_only(served: tuple[Path, FileServer]) -> None:
    root, server = served
    (root / "sub" / "a b%2f.jpg").write_bytes(b"here")
    (root / ".env").write_bytes(b"secret")
    (root.parent / "outside.jpg").write_bytes(b"outside")
    (root / "link.jpg").symlink_to(root.parent / "outside.jpg")
    (root / "up").symlink_to(root.parent)
    os.mkfifo(root / "pipe.jpg")
    assert fetch(server, "/sub/a%20b%252f.jpg") == (200, b"here")
    assert fetch(server, "/sub/a%20b%252f.jpg", {"Range": "bytes=0-0"}) == (206, b"h")
    for target in ("/.env", "/link.jpg", "/up/outside.jpg", "/../outside.jpg", "/%2e%2e/outside.jpg", "/pipe.jpg", "/",
                   "/sub", "/sub/", "/none.jpg", "/a%00b"):  # fmt: skip
        assert fetch(server, target)[0] == 404, target


def row(unit: Expected, **other: object) -> dict[str, object]:
    return {"path": unit.path, "reference_id": f"{unit.path}~1", "job_id": f"id of {unit.path}", "reason": "",
            "state": "submitted" if unit.frames else "invalid", **other}  # fmt: skip


def job(unit: Expected, frames: tuple[tuple[str, str], ...], **other: str) -> SandboxJob:
    urls = [(name, f"http://there/{name}", digest) for name, digest in frames]
    data: dict[str, object] = {"image_url": urls[0][1]}
    if unit.kind is Kind.SEQUENCE:
        data = {"video_data": {"frames": [{"frame_id": name, "src": url} for name, url, _ in urls]}}
    made = SandboxJob(
        job_id=f"id of {unit.path}",
        project_id="p",
        reference_id=f"{unit.path}~1",
        body={"data": data},
        batch_id="b",
        tag="t",
        edition=Edition.V0,
        frames=len(frames),
        priority_weight=5,
        fetched={url: digest for _, url, digest in urls},
    )
    return replace(made, **other)  # type: ignore[arg-type]  # each is a text


IMAGE = Expected("a.jpg", Kind.IMAGE, (("a.jpg", "1"),))
FRAMES = Expected("f", Kind.SEQUENCE, (("f_2.jpg", "2"), ("f_10.jpg", "10")))
REFUSED = Expected("bad.jpg", Kind.IMAGE, ())
EXPECTED = (IMAGE, FRAMES, REFUSED)
ROWS = [row(unit) for unit in EXPECTED]
JOBS = [job(IMAGE, IMAGE.frames), job(FRAMES, FRAMES.frames)]


def test_what_is_as_it_must_be_has_no_problem() -> None:
    found = receipts(EXPECTED, ROWS, of_sandbox(JOBS))
    assert [(receipt.path, receipt.jobs, receipt.frames, receipt.problem) for receipt in found] == [
        ("a.jpg", 1, 1, ""),
        ("f", 1, 2, ""),
    ]


@pytest.mark.parametrize(
    ("rows", "jobs", "problem"),
    [
        (ROWS, JOBS[:1], "0 jobs"),
        (ROWS, [*JOBS, JOBS[0]], "2 jobs"),
        (ROWS, [JOBS[0], job(FRAMES, FRAMES.frames[::-1])], "in the order f_10.jpg, f_2.jpg"),
        (ROWS, [JOBS[0], job(FRAMES, FRAMES.frames[:1])], "in the order f_2.jpg"),
        (ROWS, [JOBS[1], job(IMAGE, (("a.jpg", "another"),))], "other bytes"),
        (ROWS, [*JOBS, job(REFUSED, IMAGE.frames)], "it has 1 jobs"),
        (ROWS, [*JOBS, job(IMAGE, IMAGE.frames, reference_id="stranger")], "nothing like it was dropped"),
        (ROWS, [JOBS[1], job(IMAGE, IMAGE.frames, job_id="another")], "another job_id"),
        (ROWS[1:], JOBS, "0 rows"),
        ([row(IMAGE, state="pending"), *ROWS[1:]], JOBS, "it is pending"),
        ([*ROWS[:2], row(REFUSED, state="submitted")], JOBS, "it is submitted"),
    ],
)
def test_what_differs_is_told(rows: list[dict[str, object]], jobs: list[SandboxJob], problem: str) -> None:
    told = "; ".join(receipt.problem for receipt in receipts(EXPECTED, rows, of_sandbox(jobs)))
    assert problem.replace("it has", "the sandbox has") in told


@pytest.mark.parametrize(
    ("frames", "problem"),
    [
        ((("f_2.jpg", "2"), ("f_10.jpg", "10")), ""),
        ((("f_2.jpg", "10"), ("f_10.jpg", "2")), "Label Studio was given URLs with other bytes"),
        ((("f_10.jpg", "10"), ("f_2.jpg", "2")), "in the order f_10.jpg, f_2.jpg"),
        ((("f_2.jpg", "2"), ("f_10.jpg", "")), "other bytes"),  # nothing is there
        ((("", "2"),), "in the order"),
    ],
)
def test_what_another_target_shows_is_compared_alike(frames: tuple[tuple[str, str], ...], problem: str) -> None:
    arrived = [Arrived("id of a.jpg", "a.jpg~1", (("", "1"),)), Arrived("id of f", "f~1", frames)]
    image, sequence = receipts(EXPECTED, ROWS, arrived, who="Label Studio")
    assert image.problem == ""
    assert problem in sequence.problem
    assert bool(problem) == bool(sequence.problem)


def test_annotations_that_are_missing_are_told(tmp_path: Path) -> None:
    done = [row(IMAGE, state="completed"), row(FRAMES, state="completed"), ROWS[2]]
    of_the_image = write(tmp_path / "a.json", json.dumps({"job_id": "id of a.jpg"}).encode())
    found = receipts(EXPECTED, done, of_sandbox(JOBS), [of_the_image])
    assert [receipt.problem for receipt in found] == ["", "its annotations are not here"]
    assert "it is submitted" in receipts(EXPECTED, ROWS, of_sandbox(JOBS), [of_the_image])[0].problem


def test_an_error_of_the_agents_start_is_told_and_all_is_closed(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"this is no database, and it is long enough to be looked at" * 20)
    with pytest.raises(Exception, match=r"ledger\.db"), Stage(tmp_path):
        pass


def test_drops_come_in_order_and_the_end_waits_for_all(tmp_path: Path) -> None:
    with Stage(tmp_path) as stage:
        _, expected = script(stage.inbox, stage.outside)
        assert len({unit.path for unit in expected}) == len(expected)
        told: list[str] = []
        drops = [
            Drop(0.0, "first", partial(copyfile, "/dev/null", stage.inbox / "a.jpg")),
            Drop(0.2, "second", partial(copyfile, "/dev/null", stage.inbox / "b.jpg")),
        ]
        stage.play(drops, 2, lambda _at, drop: told.append(drop.says), lambda _look: None)
        assert told == ["first", "second"]
        assert [(row["path"], row["state"]) for row in stage.rows()] == [("a.jpg", "invalid"), ("b.jpg", "invalid")]
        assert stage.received == []


def test_a_ledger_that_is_a_header_yet_is_waited_for(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    assert not stage._is_watching()
    with contextlib.closing(sqlite3.connect(stage.ledger)) as sql:
        sql.execute("pragma journal_mode = wal")  # where the agent's first write finds it
    assert stage.ledger.stat().st_size
    assert not stage._is_watching()
