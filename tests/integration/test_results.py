"""Annotations that come home: from the real sandbox's lists, over real sockets, into real files."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import signal
import sqlite3
import stat
import struct
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from agent.core.retry import QUESTION
from agent.errors import AlreadyRunning, TryLater
from agent.host.clock import utc_now
from agent.ledger.store import Ledger
from agent.ledger.writer import LedgerWriter
from agent.model.jobs import SentJob
from agent.results.files import ResultFiles
from agent.sandbox.server import Answer
from agent.service.assembly import results_of
from agent.targets.gate import Gate
from agent.targets.playment.target import PlaymentTarget
from tests.support import Agent, Playment, command, environ, eventually, frames, image, process, query, settings, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from agent.results.fetcher import ResultsFetcher, Round
    from agent.sandbox.server import Request
    from agent.sandbox.state import SandboxJob


class Annotating(Playment):
    """The sandbox, which can give other result files than it should; `signed` answers in place of the file."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.addresses: dict[str, str] = {}
        self.signed: dict[str, Answer] = {}
        self.fetches: list[str | None] = []
        self.before_signed = threading.Event()
        self.before_signed.set()
        self.limited = 0

    def _call(self, call: str, request: Request) -> Answer:
        if call == "attachment" and self.limited > 0:
            self.limited -= 1
            return Answer(429, {"success": False, "error": {"code": "x", "message": "slow"}}, {"Retry-After": "1"})
        answer = super()._call(call, request)
        if call == "attachment":
            job_id = answer.headers["Location"].rpartition("/")[2].partition(".")[0]
            if job_id in self.addresses:
                return Answer(302, {}, {"Location": self.addresses[job_id]})
        return answer

    def _signed(self, request: Request, job_id: str) -> Answer:
        self.fetches.append(request.key)
        self.before_signed.wait(30)
        answer = super()._signed(request, job_id)
        return self.signed.get(job_id, answer)


@pytest.fixture
def playment() -> Iterator[Annotating]:
    with Annotating() as sandbox:
        yield sandbox


SIZES = ".frames.jsonl"


def setup(place: Path, playment: Playment, **changed: str) -> dict[str, str]:
    (place / "results").mkdir(exist_ok=True)
    return environ(
        place,
        playment.url,
        RESULTS_DIR=str(place / "results"),
        IMAGE_FOLDERS="stills",
        RESULTS_POLL_SECONDS="0.2",
        **changed,
    )


def submit(place: Path, env: dict[str, str]) -> None:
    done = command("run", "--once", environ=env, cwd=place)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def sent(tmp_path: Path, playment: Annotating) -> dict[str, str]:
    env = setup(tmp_path, playment)
    write(tmp_path / "inbox/a.jpg", image(1))
    write(tmp_path / "inbox/stills/ü 1.jpg", image(2))
    frames(tmp_path / "inbox/cam/drive", 3, seed=7)
    submit(tmp_path, env)
    return env


def annotate(playment: Playment, path: str, label: str = "car") -> SandboxJob:
    (job,) = [job for job in playment.jobs if job.reference_id.startswith(f"{path}~")]
    playment.complete(job.job_id, {"label": label, "path": path})
    return job


@contextlib.contextmanager
def rounds(env: dict[str, str], place: Path, gate: Gate | None = None) -> Iterator[ResultsFetcher]:
    chosen = settings(place, env["PLAYMENT_BASE_URL"], **env)
    ledger = Ledger(chosen.ledger_path, utc_now)
    thread = LedgerWriter(ledger)
    assert chosen.results_dir is not None
    try:
        with results_of(chosen, chosen.results_dir, thread, gate or Gate(time.monotonic)) as results:
            yield results
    finally:
        thread.close()
        ledger.close()


def one_round(env: dict[str, str], place: Path) -> Round:
    with rounds(env, place) as results:
        return results.round()


def files(place: Path, *, temporary: bool = True) -> dict[str, Any]:
    """Return what is in the files that are there, but for those that tell the frames' sizes."""
    found = {}
    for folder, _, names in os.walk(place / "results"):
        for name in names:
            if (name.startswith(".") and not temporary) or name.endswith(SIZES):
                continue
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as file:
                found[os.path.relpath(path, place / "results")] = json.load(file)
    return found


def test_the_command_fetches_what_is_completed_and_mirrors_the_watch_folder(
    tmp_path: Path, sent: dict[str, str], playment: Annotating
) -> None:
    for path in ("a.jpg", "stills/ü 1.jpg", "cam/drive"):
        annotate(playment, path)
    done = command("results", environ=sent, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "3 jobs were completed since, 3 results are fetched\n"), done.stderr
    assert files(tmp_path) == {
        f"{path}.json": {"label": "car", "path": path} for path in ("a.jpg", "stills/ü 1.jpg", "cam/drive")
    }
    found = tmp_path / "results/stills/ü 1.jpg.json"
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(found.stat().st_mode) == 0o666 & ~umask
    rows = query(tmp_path / "ledger.db", "select state, path, result_path, completed_at, reason from jobs")
    for row in rows:
        assert (row["state"], row["result_path"], row["reason"]) == ("completed", f"{row['path']}.json", "")
        assert row["completed_at"]
    assert playment.fetches == [None] * 3
    events = query(tmp_path / "ledger.db", "select event, detail from events where event in ('completed', 'result')")
    assert len(events) == 6
    before = playment.requests
    again = command("results", environ=sent, cwd=tmp_path)
    assert (again.returncode, again.stdout) == (0, "0 jobs were completed since, 0 results are fetched\n")
    assert not playment.requests - before


def test_what_an_annotator_has_put_aside_is_shown_and_comes_all_the_same(
    tmp_path: Path, sent: dict[str, str], playment: Annotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    aside = [SentJob(job.reference_id, job.job_id) for job in playment.jobs if job.reference_id.startswith("a.jpg~")]
    monkeypatch.setattr(PlaymentTarget, "skipped", lambda _self, awaited, _ask: iter([awaited.still_open(aside)]))
    for _ in range(2):
        assert one_round(sent, tmp_path).completed == 0
        asked = "select path, state, reason from jobs where error_code = 'skipped'"
        [row] = query(tmp_path / "ledger.db", asked)
        assert (row["path"], row["state"], "skipped" in row["reason"]) == ("a.jpg", "submitted", True)
        assert len(query(tmp_path / "ledger.db", "select 1 from events where event = 'skipped'")) == 1
    assert "skipped it in Playment" in command("explain", "a.jpg", environ=sent, cwd=tmp_path).stdout
    annotate(playment, "a.jpg")
    assert one_round(sent, tmp_path).completed == 1
    assert query(tmp_path / "ledger.db", "select 1 from jobs where error_code = 'skipped' or reason <> ''") == []


def sizes(place: Path, path: str) -> list[dict[str, Any]]:
    """Return what is told of the frames beside a result, a line for each."""
    return [json.loads(line) for line in (place / "results" / f"{path}{SIZES}").read_text("utf-8").splitlines()]


def turned(seed: int, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.new("RGB", (16, 12), (seed, 0, 0)).save(file, "JPEG", exif=exif)
    return file.getvalue()


def test_beside_a_result_stands_what_its_coordinates_are_of(tmp_path: Path, playment: Annotating) -> None:
    env = setup(tmp_path, playment, RESULTS_MODE="0640")
    write(tmp_path / "inbox/a.jpg", turned(1, 6))
    write(tmp_path / "inbox/stills/ü 1.webp", image(2, size=(20, 10), form="WebP"))
    for number, orientation in ((1, 1), (2, 8), (10, 3)):
        write(tmp_path / f"inbox/cam/drive/f{number}.jpg", turned(number, orientation))
    submit(tmp_path, env)
    for path in ("a.jpg", "stills/ü 1.webp", "cam/drive"):
        annotate(playment, path)
    assert command("results", environ=env, cwd=tmp_path).returncode == 0
    assert sizes(tmp_path, "a.jpg") == [{"frame_id": "a.jpg", "width": 16, "height": 12, "orientation": 6}]
    assert sizes(tmp_path, "stills/ü 1.webp") == [{"frame_id": "ü 1.webp", "width": 20, "height": 10, "orientation": 1}]
    assert sizes(tmp_path, "cam/drive") == [
        {"frame_id": name, "width": 16, "height": 12, "orientation": orientation}
        for name, orientation in (("f1.jpg", 1), ("f2.jpg", 8), ("f10.jpg", 3))
    ]
    assert stat.S_IMODE((tmp_path / "results/cam/drive.frames.jsonl").stat().st_mode) == 0o640
    assert len(list((tmp_path / "results").rglob("*.json"))) == 3, "whoever looks for results finds nothing else"
    assert len([path for path in (tmp_path / "results").rglob("*") if path.is_file()]) == 6


def test_the_sizes_of_many_frames_come_in_order_and_of_old_ones_are_not_known(
    tmp_path: Path, sent: dict[str, str], playment: Annotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.ledger.results.FRAMES_TOGETHER", 2)
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as sql:
        sql.execute("update frame_rows set width = null, height = null, orientation = null where position = 1")
        sql.commit()
    annotate(playment, "cam/drive")
    assert one_round(sent, tmp_path).fetched == 1
    known = {"width": 16, "height": 12, "orientation": 1}
    assert sizes(tmp_path, "cam/drive") == [
        {"frame_id": "frame_1.jpg", **known},
        {"frame_id": "frame_2.jpg", **dict.fromkeys(known)},
        {"frame_id": "frame_3.jpg", **known},
    ]


def test_a_result_of_before_gets_its_sizes_when_another_takes_its_place(
    tmp_path: Path, sent: dict[str, str], playment: Annotating
) -> None:
    """Each job's own, also where the sizes of the new one were written and its result was not."""
    annotate(playment, "a.jpg", "first")
    one_round(sent, tmp_path)
    (tmp_path / "results/a.jpg.frames.jsonl").unlink()  # as a version before has left it
    write(tmp_path / "inbox/a.jpg", turned(3, 6))
    assert command("run", "--once", environ=sent, cwd=tmp_path).returncode == 1, "it is held"
    assert command("resubmit", "a.jpg", environ=sent, cwd=tmp_path).returncode == 0
    submit(tmp_path, sent)
    old, new = query(tmp_path / "ledger.db", "select * from jobs where path = 'a.jpg' order by id")
    playment.complete(new["job_id"], {"label": "second"})
    write(tmp_path / "results/a.jpg.frames.jsonl", b"of the new one, which was killed then")
    one_round(sent, tmp_path)
    kept = f"a.jpg~{old['digest'][:12]}"
    assert sorted(files(tmp_path)) == ["a.jpg.json", f"{kept}.json"]
    assert sizes(tmp_path, "a.jpg") == [{"frame_id": "a.jpg", "width": 16, "height": 12, "orientation": 6}]
    assert sizes(tmp_path, kept) == [{"frame_id": "a.jpg", "width": 16, "height": 12, "orientation": 1}]


def rights(place: Path) -> dict[str, tuple[str, int]]:
    """Return the rights and the group of all that was made below the folder for results."""
    made = sorted((place / "results").rglob("*"))
    return {
        str(path.relative_to(place / "results")): (f"{stat.S_IMODE(path.stat().st_mode):o}", path.stat().st_gid)
        for path in made
    }


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize(
    ("mask", "mode", "file", "folder"),
    [
        (0o022, None, "644", "2755"),
        (0o027, None, "640", "2750"),
        (0o077, None, "600", "2700"),
        (0o077, 0o640, "640", "2750"),
        (0o022, 0o600, "600", "2700"),
        (0o000, 0o664, "664", "2775"),
    ],
)
def test_who_may_read_the_results(
    tmp_path: Path, umask: Callable[[int], int], mask: int, mode: int | None, file: str, folder: str
) -> None:
    root = tmp_path / "results"
    root.mkdir()
    group = os.getgid() if os.getuid() else 2345
    os.chown(root, -1, group)
    root.chmod(0o2775)
    umask(mask)
    kept = ResultFiles(root, "Playment", mode)
    left = root / "cam" / "front" / ".job-1.part"
    for again in range(2):
        with kept.temporary("cam/front/a.json", "job-1") as written:
            written.write(b"{}")
            kept.place("cam/front/a.json", "job-1", written)
        assert rights(tmp_path) == {
            "cam": (folder, group),
            "cam/front": (folder, group),
            "cam/front/a.json": (file, group),
        }, again
        write(left, b"of a process that was killed").chmod(0o400)  # its rights are not those of the next file


def test_a_default_acl_of_the_folder_is_kept(tmp_path: Path, umask: Callable[[int], int]) -> None:
    root = tmp_path / "results"
    root.mkdir()
    # acl(5) as the kernel keeps it: version 2, then (tag, rights, id) of the owner, user 2345, group, mask, others.
    nobody = 0xFFFFFFFF
    entries = ((0x01, 7, nobody), (0x02, 5, 2345), (0x04, 5, nobody), (0x10, 5, nobody), (0x20, 0, nobody))
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(root, "system.posix_acl_default", acl)
    except OSError as error:
        pytest.skip(f"no ACL on this file system: {error}")
    umask(0o077)
    kept = ResultFiles(root, "Playment")
    with kept.temporary("cam/a.json", "job-1") as written:
        kept.place("cam/a.json", "job-1", written)
    assert os.getxattr(root / "cam", "system.posix_acl_default") == acl
    given = os.getxattr(root / "cam/a.json", "system.posix_acl_access")
    assert struct.pack("<HHI", 0x02, 5, 2345) in given
    assert struct.pack("<HHI", 0x10, 4, nobody) in given, "the mask lets the user read"


def test_a_folder_for_results_that_went_is_not_made_anew(tmp_path: Path) -> None:
    kept = ResultFiles(tmp_path / "gone", "Playment")
    with pytest.raises(FileNotFoundError), kept.temporary("cam/a.json", "job-1"):
        pass
    assert not (tmp_path / "gone").exists()


def test_only_completed_jobs_are_fetched(tmp_path: Path, sent: dict[str, str], playment: Annotating) -> None:
    annotate(playment, "a.jpg")
    before = playment.requests
    done = one_round(sent, tmp_path)
    assert (done.completed, done.fetched, done.failed) == (1, 1, [])
    assert dict(playment.requests - before) == {"details": 1, "batch_jobs": 1, "job": 1, "attachment": 1}
    states = query(tmp_path / "ledger.db", "select path, state from jobs order by path")
    assert [row["state"] for row in states] == ["completed", "submitted", "submitted"]


def hang(agent: Agent, playment: Annotating) -> None:
    """Have the agent fetch the result of `a.jpg`, which does not come."""
    write(agent.inbox / "a.jpg", image(1))
    agent.becomes("a.jpg", "submitted")
    playment.before_signed.clear()
    annotate(playment, "a.jpg")
    eventually(lambda: playment.fetches)


def test_the_running_agent_fetches_beside_sending(tmp_path: Path, playment: Annotating) -> None:
    env = setup(tmp_path, playment)
    with Agent(settings(tmp_path, playment.url, **env)) as agent:
        hang(agent, playment)
        # The fetch hangs; noticing and sending go on.
        write(agent.inbox / "b.jpg", image(2))
        agent.becomes("b.jpg", "submitted")
        assert not files(tmp_path, temporary=False)
        playment.before_signed.set()
        eventually(lambda: agent.rows("a.jpg")[0]["result_path"] == "a.jpg.json")
        # What is fetched is no reason to notice anything, and a pause stops sending alone.
        assert command("pause", environ=env, cwd=tmp_path).returncode == 0
        eventually(lambda: agent.value("paused"))
        annotate(playment, "b.jpg")
        eventually(lambda: agent.rows("b.jpg")[0]["result_path"] == "b.jpg.json")
        assert command("results", environ=env, cwd=tmp_path).returncode == 0
    assert playment.paths() == ["a.jpg", "b.jpg"]
    assert sorted(files(tmp_path)) == ["a.jpg.json", "b.jpg.json"]


def test_ten_thousand_open_jobs_cost_at_most_110_calls(tmp_path: Path, playment: Annotating) -> None:
    env = setup(tmp_path, playment)
    write(tmp_path / "inbox/a.jpg", image(1))
    submit(tmp_path, env)
    template = playment.jobs[0]
    with contextlib.closing(Ledger(tmp_path / "ledger.db", utc_now)) as ledger, ledger.transaction():
        for number in range(9_999):
            body = {**template.body, "reference_id": f"{number}.jpg~x"}
            job = playment._state.create_job("p1", template.edition, body, 1, {})
            ledger.sql.execute(
                "insert into jobs (path, kind, state, reference_id, job_id, digest, frame_count, "
                "first_seen_at, updated_at) values (?, 'image', 'submitted', ?, ?, 'd', 1, '', '')",
                (f"{number}.jpg", job.reference_id, job.job_id),
            )
    playment.complete(template.job_id, {})
    before = playment.requests
    assert one_round(env, tmp_path).completed == 1
    calls = playment.requests - before
    assert calls.total() - calls["job"] - calls["attachment"] == 101
    assert calls.total() <= 110


def test_few_open_jobs_of_a_large_batch_are_asked_for_one_by_one(tmp_path: Path, playment: Annotating) -> None:
    env = setup(tmp_path, playment)
    write(tmp_path / "inbox/a.jpg", image(1))
    submit(tmp_path, env)
    template = playment.jobs[0]
    for number in range(1_000):
        body = {**template.body, "reference_id": f"old {number}"}
        playment._state.create_job("p1", template.edition, body, 1, {})
    annotate(playment, "a.jpg")
    before = playment.requests
    assert one_round(env, tmp_path).fetched == 1
    assert dict(playment.requests - before) == {"details": 1, "job": 2, "attachment": 1}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(403, {}), "answered 403"),
        (Answer(500, {}), "answered 500"),
        (Answer(302, {}, {"Location": "/signed/other.json"}), "answered 302"),
    ],
)
def test_a_result_that_cannot_be_fetched_is_told_and_tried_again_later(
    tmp_path: Path, sent: dict[str, str], playment: Annotating, answer: Answer, told: str
) -> None:
    first, other = annotate(playment, "a.jpg"), annotate(playment, "cam/drive")
    playment.signed[first.job_id] = answer
    done = command("results", environ=sent, cwd=tmp_path)
    assert done.returncode == 1
    assert told in done.stdout
    assert "signature" not in done.stdout + done.stderr
    (row,) = query(tmp_path / "ledger.db", "select * from jobs where path = 'a.jpg'")
    assert (row["state"], row["result_path"], row["fetches"]) == ("completed", None, 1)
    assert row["reason"].startswith("its result could not be fetched: ")
    assert "signature=" not in row["reason"]
    assert row["next_attempt_at"] > row["completed_at"]
    assert sorted(files(tmp_path)) == ["cam/drive.json"]
    del playment.signed[first.job_id]
    assert command("results", environ=sent, cwd=tmp_path).returncode == 0
    assert sorted(files(tmp_path)) == ["a.jpg.json", "cam/drive.json"]
    assert other.result is not None
    (row,) = query(tmp_path / "ledger.db", "select * from jobs where path = 'a.jpg'")
    assert (row["reason"], row["error_code"], row["next_attempt_at"]) == ("", "", None)


def test_what_is_not_json_is_refused_and_leaves_nothing(
    tmp_path: Path, sent: dict[str, str], playment: Annotating
) -> None:
    job = annotate(playment, "a.jpg")
    assert job.result is not None
    job.result = {"bad": float("nan")}  # the sandbox's encoder writes NaN, which is no JSON
    done = one_round(sent, tmp_path)
    assert [reason.partition(":")[0] for _, reason in done.failed] == ["what Playment gave as the result is not JSON"]
    assert list((tmp_path / "results").iterdir()) == []
    with rounds(sent, tmp_path) as results:  # not its turn yet: the back-off doubles from RESULTS_POLL_SECONDS
        with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as sql:
            sql.execute("update jobs set next_attempt_at = '2099-01-01T00:00:00.000Z' where path = 'a.jpg'")
            sql.commit()
        done = results.round()
        assert (done.fetched, done.failed) == (0, [])


def test_a_result_in_an_inner_network_is_not_asked_for(tmp_path: Path, playment: Annotating) -> None:
    """Only a Playment on loopback may name addresses of ours; `test_download` shows the real rule."""
    env = setup(tmp_path, playment)
    write(tmp_path / "inbox/a.jpg", image(1))
    submit(tmp_path, env)
    job = annotate(playment, "a.jpg")
    playment.addresses[job.job_id] = "ftp://files.example.com/x"
    (failure,) = one_round(env, tmp_path).failed
    assert failure == ("a.jpg", "the result's address ftp://files.example.com/x is not https")


def test_a_resubmitted_path_keeps_both_results(tmp_path: Path, sent: dict[str, str], playment: Annotating) -> None:
    first = annotate(playment, "a.jpg", "first")
    one_round(sent, tmp_path)
    with contextlib.closing(Ledger(tmp_path / "ledger.db", utc_now)) as ledger, ledger.transaction():
        body = {**first.body, "reference_id": "a.jpg~second"}
        second = playment._state.create_job("p1", first.edition, body, 1, {})
        ledger.sql.execute(
            "insert into jobs (path, kind, state, reference_id, job_id, digest, frame_count, first_seen_at, "
            "updated_at) values ('a.jpg', 'image', 'submitted', ?, ?, 'secondsecond2', 1, '', '')",
            (second.reference_id, second.job_id),
        )
    playment.complete(second.job_id, {"label": "second"})
    one_round(sent, tmp_path)
    old, new = query(tmp_path / "ledger.db", "select * from jobs where path = 'a.jpg' order by id")
    assert old["result_path"] == f"a.jpg~{old['digest'][:12]}.json"
    assert new["result_path"] == "a.jpg.json"
    found = files(tmp_path)
    assert found[old["result_path"]]["label"] == "first"
    assert found["a.jpg.json"]["label"] == "second"
    # An old one that comes after the new one does not take its place.
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as sql:
        sql.execute("update jobs set result_path = null where id = ?", (old["id"],))
        sql.commit()
    (tmp_path / "results" / old["result_path"]).unlink()
    one_round(sent, tmp_path)
    assert files(tmp_path) == found


def test_retry_after_is_obeyed(tmp_path: Path, sent: dict[str, str], playment: Annotating) -> None:
    annotate(playment, "a.jpg")
    playment.limited = 1
    started = time.monotonic()
    assert one_round(sent, tmp_path).fetched == 1
    assert time.monotonic() - started >= 1.0


def test_a_playment_that_is_down_ends_the_round_and_costs_no_job_anything(
    tmp_path: Path, sent: dict[str, str], playment: Annotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.results.fetcher.QUESTION", replace(QUESTION, first=0.01))
    for path in ("a.jpg", "stills/ü 1.jpg", "cam/drive"):
        annotate(playment, path)
    playment.limited = 10**6
    playment._call = lambda call, request: (  # type: ignore[method-assign]
        Answer(500, {}) if call == "attachment" else Annotating._call(playment, call, request)
    )
    with pytest.raises(TryLater):
        one_round(sent, tmp_path)
    rows = query(tmp_path / "ledger.db", "select state, fetches, reason from jobs")
    assert [tuple(row.values()) for row in rows] == [("completed", 0, "")] * 3
    assert files(tmp_path) == {}


def test_a_full_disk_ends_the_round(tmp_path: Path, sent: dict[str, str], playment: Annotating) -> None:
    annotate(playment, "a.jpg")
    with rounds(sent, tmp_path) as results:
        (tmp_path / "results").rmdir()
        (tmp_path / "results").symlink_to("/proc/self")  # nothing can be made there
        with pytest.raises(OSError, match=r"\.part"):
            results.round()
    (row,) = query(tmp_path / "ledger.db", "select * from jobs where path = 'a.jpg'")
    assert (row["state"], row["fetches"], row["result_path"]) == ("completed", 0, None)


def test_one_round_at_a_time(tmp_path: Path, sent: dict[str, str], playment: Annotating) -> None:
    place = ResultFiles(tmp_path / "results", "Playment")
    with place.lock(wait=False), pytest.raises(AlreadyRunning):
        one_round(sent, tmp_path)
    annotate(playment, "a.jpg")
    assert one_round(sent, tmp_path).fetched == 1


def test_killed_at_any_moment_there_is_no_half_file(tmp_path: Path, playment: Annotating) -> None:
    env = setup(tmp_path, playment)
    for number in range(40):
        write(tmp_path / f"inbox/{number}.jpg", image(number, size=(4, 4)))
    submit(tmp_path, env)
    rng = random.Random(5)
    long = {str(number): rng.random() for number in range(20_000)}
    for job in playment.jobs:
        playment.complete(job.job_id, {"of": job.reference_id, **long})
    for delay in (0.0, 0.02, 0.05, 0.1, 0.2):
        count = len(files_now(tmp_path))
        with process("results", environ=env, cwd=tmp_path) as running:
            eventually(lambda count=count: running.poll() is not None or len(files_now(tmp_path)) > count)  # type: ignore[misc]
            time.sleep(delay)
            running.send_signal(signal.SIGKILL)
        for name, content in files(tmp_path, temporary=False).items():
            assert content["of"].startswith(f"{name.removesuffix('.json')}~")
    assert command("results", environ=env, cwd=tmp_path).returncode == 0
    found = files(tmp_path)
    assert sorted(found) == sorted(f"{number}.jpg.json" for number in range(40))
    assert all(len(content) == 20_001 for content in found.values())
    rows = query(tmp_path / "ledger.db", "select path, result_path, state from jobs")
    assert all(row == {"path": row["path"], "result_path": f"{row['path']}.json", "state": "completed"} for row in rows)


def files_now(place: Path) -> list[str]:
    return [name for name in os.listdir(place / "results") if name.endswith(".json")]


def test_without_a_folder_the_command_says_so(tmp_path: Path, playment: Annotating) -> None:
    env = environ(tmp_path, playment.url)
    done = command("results", environ=env, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("RESULTS_DIR is not set")) == (2, 1)
    inside = command("results", environ={**env, "RESULTS_DIR": str(tmp_path / "inbox")}, cwd=tmp_path)
    assert (inside.returncode, inside.stderr.count("lie in each other")) == (2, 1)
    missing = command("run", "--once", environ={**env, "RESULTS_DIR": str(tmp_path / "none")}, cwd=tmp_path)
    assert (missing.returncode, missing.stderr.count("it must be an existing folder".capitalize())) == (2, 1)


def test_a_stop_does_not_wait_for_a_result_that_hangs(tmp_path: Path, playment: Annotating) -> None:
    env = setup(tmp_path, playment)
    with Agent(settings(tmp_path, playment.url, **env)) as agent:
        hang(agent, playment)
        started = time.monotonic()
        assert agent.stop() == 0
        assert time.monotonic() - started < 10
        playment.before_signed.set()
