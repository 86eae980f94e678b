"""File systems whose inodes or device numbers do not last, or whose times are moved by reading."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from agent.core.inodes import INODES_CHANGE
from agent.demo.files import FileServer
from agent.folder.scanner import Scanner
from agent.settings.parts import filters_of
from tests.faults.mounting import mounted, mounted_by, needs, needs_fuse
from tests.faults.watching import Watching, picture
from tests.support import Agent, Playment, command, environ, eventually, frames, query, settings, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [needs_fuse, pytest.mark.timeout(180)]

POLLED = {"WATCH_MODE": "auto", "WATCH_POLL_SECONDS": "0.5", "SETTLE_SECONDS": "0.5", "SEQUENCE_SETTLE_SECONDS": "1"}


def read(place: Path) -> list[str]:
    """Return the files that were read through the mount, one for each time."""
    log = place / "read"
    return log.read_text().splitlines() if log.exists() else []


@contextmanager
def watching(place: Path, *ways: str, **changed: str) -> Iterator[Watching]:
    """Run an agent on a mount of `place/far`."""
    (place / "far").mkdir(exist_ok=True)
    (place / "notify").unlink(missing_ok=True)
    mount = mounted(place / "far", place / "inbox", *ways, str(place / "read"))
    with mount, Watching(place, **POLLED | changed) as agent:
        agent.wait(agent.told)
        yield agent
        assert agent.stop() == 0


def fill(far: Path, images: int = 6) -> list[tuple[str, str]]:
    """Write some images and a sequence; return their states when they have settled."""
    for number in range(images):
        write(far / f"{number}.jpg", picture(number))
    for number in range(1, 5):
        write(far / "shot" / f"frame_{number}.jpg", picture(100 + number))
    return [*((f"{number}.jpg", "pending") for number in range(images)), ("shot", "pending")]


@pytest.mark.parametrize("seconds", ["0", "1"], ids=["at each look", "at each look after a second"])
def test_inodes_that_are_others_at_each_look(tmp_path: Path, seconds: str, caplog: pytest.LogCaptureFixture) -> None:
    far, inbox = tmp_path / "far", tmp_path / "inbox"
    paths = [path for path, _ in fill(far)]
    with mounted(far, inbox, "looks", seconds, str(tmp_path / "read")), Playment() as playment:
        # What settles sooner than the kernel asks again may be taken for what it was.
        chosen = settings(tmp_path, playment.url, **POLLED | {"SETTLE_SECONDS": f"{0.5 + float(seconds)}"})
        with Agent(chosen) as agent:
            for path in paths:
                agent.becomes(path, "submitted")
            assert len(read(tmp_path)) == 10, "each file once"
            (far / "0.jpg").rename(far / "00.jpg")  # and another one takes its place
            write(far / "0.jpg", picture(50))
            (far / "1.jpg").rename(far / "11.jpg")
            (far / "shot").rename(far / "shots")
            (far / "2.jpg").touch()
            write(far / "3.jpg", picture(51))
            write(far / "bad.jpg", b"no image at all, but a text that is long enough")
            for path in ("00.jpg", "11.jpg", "shots"):
                agent.becomes(path, "submitted")
            eventually(lambda: agent.states("0.jpg") in (["held"], ["submitted"]))  # as it is looked at first or last
            agent.becomes("3.jpg", "submitted", "held")
            agent.becomes("bad.jpg", "invalid")
            (far / "bad.jpg").unlink()
            agent.becomes("bad.jpg", "gone")
            agent.rests()
        sent = [receipt.reference_id.rpartition("~")[2] for receipt in playment.receipts]
        assert len(sent) == len(set(sent)) == 7 + (agent.states("0.jpg") == ["submitted"])
        count = len(read(tmp_path))
        with Agent(chosen) as agent:
            write(far / "late.jpg", picture(60))
            agent.becomes("late.jpg", "submitted")
        assert read(tmp_path)[count:] == ["late.jpg"], "what is known is not read again"
        assert len(playment.receipts) == len(sent) + 1
    assert caplog.text.count(INODES_CHANGE) == 1


def test_inodes_that_are_others_after_each_mount(tmp_path: Path) -> None:
    far = tmp_path / "far"
    with watching(tmp_path, "mounts", "0") as agent:
        settled = fill(far, 40)
        write(far / "bad.jpg", b"no image at all, but a text that is long enough")
        agent.wait(lambda: sorted(agent.states()) == sorted([*settled, ("bad.jpg", "invalid")]))
        assert INODES_CHANGE not in agent.said()
    (far / "bad.jpg").unlink()
    for _ in range(2):
        count = len(read(tmp_path))
        with watching(tmp_path, "mounts", "0") as agent:
            agent.wait(lambda: sorted(agent.states()) == sorted([*settled, ("bad.jpg", "gone")]))
            agent.wait(lambda: agent.value("inodes_change"))
            assert agent.times_said(INODES_CHANGE) == 1
        assert len(read(tmp_path)) - count <= 3, "a few, until it is known"
    assert len(read(tmp_path)) - count == 0
    with mounted(far, tmp_path / "inbox", "mounts", "0", str(tmp_path / "read")):
        checked = command("check", environ=environ(tmp_path, "http://127.0.0.1:9"), cwd=tmp_path)
    assert checked.stdout.count(INODES_CHANGE) == 1, "it was found by the agent"


def test_a_sequence_alone_is_not_read_again_after_a_mount(tmp_path: Path) -> None:
    frames(tmp_path / "far" / "shot", 30, seed=1)
    for _ in range(2):
        with watching(tmp_path, "mounts", "0") as agent:
            agent.wait(lambda: agent.states() == [("shot", "pending")])
    assert len(read(tmp_path)) == 30


def test_an_empty_mount_point_is_not_taken_for_an_empty_folder(tmp_path: Path) -> None:
    """However often the agent is started before the mount is there; and the mount has another device number then."""
    far = tmp_path / "far"
    write(far / "bad.jpg", b"no image at all, but a text that is long enough")
    with watching(tmp_path, "mounts", "0") as agent:
        settled = sorted([*fill(far), ("bad.jpg", "invalid")])
        agent.wait(lambda: sorted(agent.states()) == settled)
    for start in range(3):
        (tmp_path / "notify").unlink()
        with Watching(tmp_path, **POLLED | {"WATCH_MODE": "poll"}) as agent:
            agent.wait(agent.told)
            await_scan(agent)
            assert sorted(agent.states()) == settled
            if start == 2:
                with mounted(far, tmp_path / "inbox", "mounts", "0", str(tmp_path / "read")):
                    agent.wait(lambda: "taken up again" in agent.said())
                    await_scan(agent)  # only what this run has seen in it can be missed by it
                    (far / "bad.jpg").unlink()
                    agent.wait(lambda: sorted(agent.states()) == sorted({**dict(settled), "bad.jpg": "gone"}.items()))
                    assert agent.stop() == 0
            else:
                assert agent.stop() == 0


def await_scan(agent: Watching) -> None:
    """Wait for a scan to end."""
    before = agent.value("last_scan_at")
    agent.wait(lambda: agent.value("last_scan_at") > before)


def test_a_mount_that_goes_and_comes_with_another_number(tmp_path: Path) -> None:
    far = tmp_path / "far"
    far.mkdir()
    with Watching(tmp_path, **POLLED) as agent, ExitStack() as stack:
        mount = stack.enter_context(ExitStack())
        mount.enter_context(mounted(far, tmp_path / "inbox", "mounts", "0", str(tmp_path / "read")))
        agent.wait(lambda: "taken up again" in agent.said())
        write(far / "bad.jpg", b"no image at all, but a text that is long enough")
        settled = sorted([*fill(far), ("bad.jpg", "invalid")])
        agent.wait(lambda: sorted(agent.states()) == settled)
        mount.close()
        agent.wait(lambda: "is not mounted any more" in agent.said())
        (far / "bad.jpg").unlink()
        stack.enter_context(mounted(far, tmp_path / "inbox", "mounts", "0", str(tmp_path / "read")))
        agent.wait(lambda: sorted(agent.states()) == sorted({**dict(settled), "bad.jpg": "gone"}.items()))
        assert agent.stop() == 0


def test_the_check_says_that_inodes_do_not_last(tmp_path: Path) -> None:
    fill(tmp_path / "far")
    for kind, says in (("looks", True), ("still", False)):
        with mounted(tmp_path / "far", tmp_path / "inbox", kind, "0", str(tmp_path / "read")):
            checked = command("check", environ=environ(tmp_path, "http://127.0.0.1:9"), cwd=tmp_path)
        assert (INODES_CHANGE in checked.stdout) == says, checked.stdout


@pytest.mark.parametrize(
    "kind", ["still", pytest.param("mergerfs", marks=needs("mergerfs")), pytest.param("bindfs", marks=needs("bindfs"))]
)
def test_where_inodes_last_nothing_is_said(tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """Real ones, whose inodes use all 64 bits, or are those of the disk."""
    far, inbox = tmp_path / "far", tmp_path / "inbox"
    far.mkdir()
    (tmp_path / "other").mkdir()
    sources = {"mergerfs": ["-o", "category.create=ff", f"{far}:{tmp_path / 'other'}"], "bindfs": [str(far)]}
    mount = (
        mounted(far, inbox, "still", "0", str(tmp_path / "read"))
        if kind == "still"
        else mounted_by(inbox, kind, *sources[kind], str(inbox))
    )
    paths = [path for path, _ in fill(far)]
    with mount, Playment() as playment, Agent(settings(tmp_path, playment.url, **POLLED)) as agent:
        for path in paths:
            agent.becomes(path, "submitted")
        (far / "0.jpg").rename(far / "00.jpg")
        (far / "1.jpg").touch()
        agent.becomes("00.jpg", "submitted")
        swept = time.monotonic() + 3
        eventually(lambda: time.monotonic() > swept)
        assert agent.value("inodes_change") == ""
    assert INODES_CHANGE not in caplog.text
    assert len(playment.receipts) == 7
    assert query(tmp_path / "ledger.db", "select inode from frames where inode = 0") == []


@pytest.mark.parametrize("kind", ["back", "stay"])
def test_times_that_reading_moves(tmp_path: Path, kind: str) -> None:
    """The files are probed before, and fetched after each request: this moves their times, too."""
    far = tmp_path / "far"
    far.mkdir()
    with mounted(far, tmp_path / "inbox", kind, "0", str(tmp_path / "read")), Playment(fetch=True) as playment:
        scanner = Scanner(tmp_path / "inbox", filters_of(settings(tmp_path, playment.url)))
        with FileServer(scanner) as server:
            chosen = settings(tmp_path, playment.url, **POLLED, PUBLISH_TO=server.url, PUBLISH_PROBE="all")
            with Agent(chosen) as agent:
                for number in range(3):
                    write(far / f"{number}.jpg", picture(number))
                for number in range(1, 5):
                    write(far / "shot" / f"frame_{number}.jpg", picture(100 + number))
                for path in ("0.jpg", "1.jpg", "2.jpg", "shot"):  # each disturbance doubles a wait
                    agent.becomes(path, "submitted", seconds=120)
                agent.rests()
                settled_at = time.monotonic()
                count = len(read(tmp_path))
                eventually(lambda: time.monotonic() > settled_at + 5)
                assert len(read(tmp_path)) <= count + 7, "what was sent is not read over and over"
    assert playment.paths() == ["0.jpg", "1.jpg", "2.jpg", "shot"]
    most = {"back": 2, "stay": 4}[kind] + 2  # and the probe, and Playment's own
    assert all(read(tmp_path)[:count].count(path) <= most for path in read(tmp_path)), read(tmp_path)


@pytest.mark.parametrize("kind", ["back", "stay"])
def test_what_really_changes_is_not_sent_there_either(tmp_path: Path, kind: str) -> None:
    """Its size is always the same, and each time that it was read it is written again."""
    far = tmp_path / "far"
    with watching(tmp_path, kind, "0") as agent:
        write(far / "still.jpg", picture(1))

        def was_read(times: int) -> bool:
            return read(tmp_path).count("live.jpg") == times

        for number in range(2, 5):
            write(far / "live.jpg", picture(number))
            agent.wait(partial(was_read, number - 1))
            assert ("live.jpg", "pending") not in agent.states()
        agent.wait(lambda: agent.states() == [("live.jpg", "pending"), ("still.jpg", "pending")])
        assert agent.events("live.jpg") == ["pending"]
    digest = sha256(picture(4)).hexdigest()
    assert query(tmp_path / "ledger.db", "select digest from jobs where path = 'live.jpg'") == [{"digest": digest}]


@needs("rclone")
def test_a_mount_of_rclone_that_is_stirred_by_reading(tmp_path: Path) -> None:
    """Each reader that closes a file puts its upload off by five seconds: with too many it would never come."""
    remote, mount = tmp_path / "remote", tmp_path / "mount"
    remote.mkdir()
    rclone = ["rclone", "mount", "--config", "/dev/null", "--cache-dir", str(tmp_path / "cache")]
    with (
        mounted_by(mount, *rclone, "--vfs-cache-mode", "writes", f":local:{remote}", str(mount)),
        Watching(
            tmp_path, **POLLED | {"SETTLE_SECONDS": "2", "SEQUENCE_SETTLE_SECONDS": "2"}, WATCH_DIR=str(mount)
        ) as agent,
    ):
        for number in range(3):
            write(mount / f"{number}.jpg", picture(number))
        for number in range(1, 4):
            write(mount / "shot" / f"frame_{number}.jpg", picture(100 + number))
        agent.wait(lambda: {state for _, state in agent.states()} == {"pending"} and len(agent.states()) == 4)
        agent.wait(lambda: len([*remote.rglob("*.jpg")]) == 6)
        assert agent.said().count("changed while it was read") <= 2 * 4
        assert agent.stop() == 0
