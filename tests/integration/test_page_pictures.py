"""A job's files over HTTP: by its number and a position alone, what was read and nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import requests

from tests.page_served import serving
from tests.support import Agent, Playment, image, query, settings, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)

MANY = 2000


class World(NamedTuple):
    """A ledger with jobs that were sent, the folder of their files, and where its page is."""

    ledger: Path
    inbox: Path
    results: Path
    url: str
    jobs: dict[str, int]

    def get(self, path: str, what: str = "picture", position: int = 0, **more: Any) -> requests.Response:
        """Ask for a frame's picture."""
        return requests.get(f"{self.url}/jobs/{self.jobs[path]}/frames/{position}/{what}", timeout=30, **more)

    def shows(self, path: str, **asked: str | int) -> str:
        """Return a job's page."""
        answer = requests.get(f"{self.url}/jobs/{self.jobs[path]}", params=asked, timeout=30)
        assert answer.status_code == 200
        return answer.text


NAMES = ["a.jpg", "changed.jpg", "gone.jpg", "linked.jpg", "touched.jpg", "odd \udcff.jpg"]
FORMS = {"w.webp": "WebP", "p.png": "PNG", "b.bmp": "BMP"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    place = tmp_path_factory.mktemp("world")
    (place / "results").mkdir()
    with Playment() as sandbox:
        chosen = settings(place, sandbox.url)
        with Agent(chosen) as agent:
            for seed, name in enumerate(NAMES):
                (agent.inbox / name).write_bytes(image(seed, size=(320, 240)))
            for seed, (name, form) in enumerate(FORMS.items(), 100):
                write(agent.inbox / name, image(seed, size=(320, 240), form=form))
            for number in range(1, 4):
                write(agent.inbox / "linked" / f"f{number}.jpg", image(200 + number))
            agent.becomes("linked", "submitted")
            agent.becomes("odd \\xff.jpg", "invalid")
            agent.rests()
    with closing(sqlite3.connect(chosen.ledger_path)) as sql, sql:
        sql.executescript(LONG)
    jobs = {row["path"]: row["id"] for row in query(chosen.ledger_path, "select id, path from jobs")}
    inbox, results = chosen.watch_dir, place / "results"
    with serving(place, WATCH_DIR=str(inbox), RESULTS_DIR=str(results)) as served:
        yield World(chosen.ledger_path, inbox, results, served.url, jobs)


LONG = f"""
    insert into jobs (id, path, kind, state, frame_count, first_seen_at, updated_at)
        values (900, 'long', 'sequence', 'completed', {MANY}, '2026-11-21T22:20:08.123Z', '2026-11-21T22:20:08.123Z');
    with recursive n (at) as (select 0 union all select at + 1 from n where at < {MANY - 1})
    insert into frame_rows (job, position, frame_id, path, size, mtime_ns, digest, ctime_ns, inode, width, height,
        orientation) select 900, at, at || '.jpg', 'long/' || at || '.jpg', 1, 1, 'dd', 1, 1, 640, 480, 1 from n;
    update jobs set result_path = 'long.json' where id = 900;
"""


def test_a_picture_is_the_file_itself_named_by_what_it_is(world: World) -> None:
    for name, kind in [
        ("a.jpg", "image/jpeg"),
        ("w.webp", "image/webp"),
        ("p.png", "image/png"),
        ("b.bmp", "image/bmp"),
    ]:
        content = (world.inbox / name).read_bytes()
        version = hashlib.sha256(content).hexdigest()[:16]
        found = world.get(name, params={"v": version})
        assert (found.status_code, found.content, found.headers["content-type"]) == (200, content, kind)
        assert found.headers["x-content-type-options"] == "nosniff"
        assert found.headers["cache-control"] == "private, max-age=31536000, immutable"
        for other in (world.get(name), world.get(name, params={"v": "0" * 16})):
            assert (other.status_code, other.headers["cache-control"]) == (200, "no-store")
        thumbnail = world.get(name, "thumbnail", params={"v": version})
        assert thumbnail.headers["content-type"] == "image/jpeg"
        assert "immutable" in thumbnail.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    [
        "/jobs/1/frames/1/picture", "/jobs/999/frames/0/picture", "/jobs/1/frames/99999999999999999999/picture",
        "/jobs/99999999999999999999/frames/0/thumbnail", "/jobs/99999999999999999999", "/jobs/999", "/jobs/1/result",
        "/jobs/../../etc/passwd", "/jobs/1/frames/..%2f..%2fetc/picture", "/jobs/-1/frames/0/picture",
    ],
)  # fmt: skip
def test_what_is_not_there_is_not_found(world: World, path: str) -> None:
    assert requests.get(world.url + path, timeout=30).status_code == 404


def test_a_file_that_is_not_what_was_read_is_not_shown(world: World) -> None:
    inbox = world.inbox
    outside = write(inbox.parent / "outside" / "secret.jpg", image(77, size=(320, 240)))
    (inbox / "changed.jpg").write_bytes(image(99, size=(320, 240)))
    (inbox / "gone.jpg").unlink()
    (inbox / "linked.jpg").unlink()
    (inbox / "linked.jpg").symlink_to(outside)
    for name, why in [("changed.jpg", "has changed"), ("gone.jpg", "is gone"), ("linked.jpg", "is gone")]:
        for what in ("picture", "thumbnail", "large"):
            found = world.get(name, what)
            assert (found.status_code, why in found.text) == (410, True), found.text
            assert found.headers["cache-control"] == "no-store"
        assert why in world.shows(name)


def test_a_folder_that_became_a_link_is_not_followed(world: World) -> None:
    folder = world.inbox / "linked"
    assert world.get("linked", position=2).status_code == 200
    folder.rename(world.inbox.parent / "moved away")
    folder.symlink_to(world.inbox.parent / "moved away")
    for what in ("picture", "thumbnail"):
        found = world.get("linked", what, 1)
        assert (found.status_code, "is gone" in found.text) == (410, True)
    folder.unlink()
    (world.inbox.parent / "moved away").rename(folder)
    assert world.get("linked", position=1).status_code == 200


def test_a_file_that_was_only_touched_is_what_was_read(world: World) -> None:
    file = world.inbox / "touched.jpg"
    copy = shutil.copy(file, world.inbox.parent / "copy")
    os.replace(copy, file)
    assert world.get("touched.jpg").content == image(NAMES.index("touched.jpg"), size=(320, 240))


@pytest.mark.parametrize("path", ["../outside.jpg", "linked/../../outside.jpg", "/etc/passwd", "linked//f1.jpg", ".."])
def test_a_path_that_leads_elsewhere_is_not_followed(world: World, path: str) -> None:
    write(world.inbox.parent / "outside.jpg", image(5))
    with closing(sqlite3.connect(world.ledger)) as sql, sql:
        sql.execute("update frame_rows set path = ?, size = ? where job = 900 and position = 7", (path, len(image(5))))
        sql.execute("update jobs set result_path = ? where id = 900", (path,))
    for what in ("frames/7/picture", "frames/7/thumbnail", "frames/7/large", "result"):
        assert requests.get(f"{world.url}/jobs/900/{what}", timeout=30).status_code in (404, 410)
    with closing(sqlite3.connect(world.ledger)) as sql, sql:
        sql.execute("update jobs set result_path = 'long.json' where id = 900")


def test_a_name_that_is_no_text_is_found(world: World) -> None:
    assert world.get("odd \\xff.jpg").status_code == 200
    assert "odd \\xff.jpg" in world.shows("odd \\xff.jpg")


def test_other_jobs_of_a_path_are_named(world: World) -> None:
    with closing(sqlite3.connect(world.ledger)) as sql, sql:
        sql.execute(
            "insert into jobs (id, path, kind, state, first_seen_at, updated_at) "
            "select 950, path, kind, 'held', first_seen_at, updated_at from jobs where path = 'p.png'"
        )
    assert '<a href="/jobs/950">job 950</a> (held)' in world.shows("p.png")
    assert f'<a href="/jobs/{world.jobs["p.png"]}">' in requests.get(f"{world.url}/jobs/950", timeout=30).text


# ---------------------------------------------------------------- a long sequence, and a large result


def timed(world: World, **asked: str | int) -> tuple[float, str]:
    begin = time.perf_counter()
    text = world.shows("long", **asked)
    return time.perf_counter() - begin, text


def test_a_long_sequence_is_shown_by_parts(world: World) -> None:
    text = world.shows("long", frame=1234)
    assert re.findall(r'<li><a href="\?frame=(\d+)"', text) == [str(number) for number in range(1201, 1301)]
    assert "1,200 before" in text
    assert "700 after" in text
    assert text.count('loading="lazy"') == 100
    for odd in ("0", "-3", "x", "99999999999999999999", "1e3", "\u0662"):
        assert 'data-frame="1"' in world.shows("long", frame=odd)
    assert 'data-frame="2000"' in world.shows("long", frame=999_999_999)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"<html>", "its result is no JSON that can be read"),
        (b"[" * 200_000, "nested too deeply"),
        (b'"' + b"x" * (17 * 2**20) + b'"', "too large to be drawn"),
        (None, "not in the folder of results any more"),
    ],
)
def test_a_result_that_cannot_be_drawn_is_told(world: World, content: bytes | None, why: str) -> None:
    file = world.results / "long.json"
    file.unlink(missing_ok=True)
    if content is not None:
        file.write_bytes(content)
    assert why in world.shows("long", drawn=1)
    answer = requests.get(f"{world.url}/jobs/900/result", timeout=30)
    assert answer.status_code == (404 if content is None else 200)
    assert content is None or (answer.content == content and "attachment" in answer.headers["content-disposition"])


def test_a_large_result_is_drawn_when_it_is_asked_for_and_quickly_then(world: World) -> None:
    corners = [{"x": 0.25, "y": 0.25}, {"x": 0.5, "y": 0.25}, {"x": 0.5, "y": 0.75}, {"x": 0.25, "y": 0.75}]
    box = {"_id": "0e6d895e-2484-439a-b62b-d8a0afb3d190", "attributes": {}, "coordinates": corners}
    tracker = {"type": "rectangle", "label": "car", "frames": {f"{at}.jpg": box for at in range(MANY)}}
    write(world.results / "long.json", json.dumps({"data": {"annotations": [tracker] * 20}}).encode())
    assert "draw it" in world.shows("long", frame=7)
    assert world.shows("long", frame=7, drawn=1).count('class="line"') == 20
    assert world.shows("long", frame=8).count('class="line"') == 20
    assert min(timed(world, frame=number)[0] for number in range(1000, 1010)) < 0.1


def test_a_result_behind_a_link_is_not_read(world: World, tmp_path: Path) -> None:
    secret = write(tmp_path / "secret.json", b'{"a": 1}')
    results = tmp_path / "results"
    results.mkdir()
    (results / "long.json").symlink_to(secret)
    shutil.copy(world.ledger, tmp_path / "ledger.db")
    with serving(tmp_path, WATCH_DIR=str(world.inbox), RESULTS_DIR=str(results)) as served:
        assert requests.get(f"{served.url}/jobs/900/result", timeout=30).status_code == 404
        assert "not in the folder of results" in requests.get(f"{served.url}/jobs/900", timeout=30).text
