"""Symbolic links: nothing outside the watch folder is ever read, fetched or sent, also where a folder is swapped."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from typing import TYPE_CHECKING

from tests.integration.nginx import serving
from tests.support import Agent, Playment, command, environ, eventually, frames, image, query, settings, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def digests_in(ledger: Path) -> set[str]:
    """Return the digest of every file that was ever read for a row."""
    found = query(ledger, "select digest from frames union select digest from jobs")
    return {row["digest"] for row in found}


def test_links_to_the_outside_and_loops_are_not_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    outside = tmp_path / "outside"
    secret = write(outside / "secret.jpg", image(1))
    frames(outside / "drive", 3, seed=2)
    inbox = tmp_path / "inbox"
    (inbox / "drive").mkdir(parents=True)
    (inbox / "link.jpg").symlink_to(secret)
    (inbox / "up.jpg").symlink_to("../outside/secret.jpg")
    (inbox / "dangling.jpg").symlink_to("nowhere.jpg")
    (inbox / "own.jpg").symlink_to("own.jpg")
    (inbox / "linked").symlink_to(outside / "drive")
    (inbox / "linked.jpg").symlink_to(outside / "drive")
    (inbox / "loop").symlink_to(".")
    (inbox / "drive" / "up").symlink_to("..")
    write(inbox / "drive" / "frame_1.jpg", image(3))
    (inbox / "drive" / "frame_2.jpg").symlink_to(secret)
    write(inbox / "inside.jpg", image(4))
    (inbox / "to inside.jpg").symlink_to("inside.jpg")
    links = ("link.jpg", "up.jpg", "dangling.jpg", "own.jpg", "linked.jpg", "to inside.jpg")
    with serving(inbox, tmp_path / "nginx") as base, Playment(fetch=True) as playment:
        chosen = settings(tmp_path, playment.url, PUBLISH_TO=base, PUBLISH_PROBE="all")
        with Agent(chosen) as agent:
            agent.becomes("inside.jpg", "submitted")
            agent.rests()
            for name in links:
                (row,) = agent.rows(name)
                assert (row["state"], "a symbolic link" in row["reason"]) == ("invalid", True), name
            (row,) = agent.rows("drive")
            assert (row["state"], "frame_2.jpg: it is a symbolic link" in row["reason"]) == ("invalid", True)
            assert query(chosen.ledger_path, "select 1 from jobs where path like 'loop%' or path like 'linked/%'") == []

            # A file that was sent turns into a link, and a link into a file.
            (inbox / "inside.jpg").unlink()
            (inbox / "inside.jpg").symlink_to(secret)
            (inbox / "link.jpg").unlink()
            write(inbox / "link.jpg", image(5))
            agent.becomes("link.jpg", "submitted")
            agent.becomes("inside.jpg", "submitted", "held")
        assert playment.paths() == ["inside.jpg", "link.jpg"]
        assert not digests_in(chosen.ledger_path) & {digest(secret.read_bytes()), digest(image(2001))}
        fetched = {value for job in playment.jobs for value in job.fetched.values()}
        assert fetched == {digest(image(4)), digest(image(5))}
        explained = command("explain", "inbox/linked", environ=environ(tmp_path, playment.url), cwd=tmp_path)
    assert "a symbolic link, which is never followed" in explained.stdout
    assert "defect" not in caplog.text


@contextlib.contextmanager
def swapping(folder: Path, outside: Path, counter: list[int]) -> Iterator[None]:
    """Swap a folder for a link to another one and back, mostly without a pause, until the block ends.

    Now and then the link stays long enough for files behind it to settle.
    """
    stop = threading.Event()
    away, link = outside.parent / "away", outside.parent / "link"

    def swap() -> None:
        while not stop.is_set():
            os.rename(folder, away)
            link.symlink_to(outside)
            os.rename(link, folder)
            stop.wait(0.5 if counter[0] % 50 == 0 else 0)
            os.unlink(folder)
            os.rename(away, folder)
            counter[0] += 1

    thread = threading.Thread(target=swap, name="swap")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_folder_that_is_swapped_for_a_link_while_it_is_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    inbox, outside = tmp_path / "inbox", tmp_path / "outside"
    inside = {digest(path.read_bytes()) for path in frames(inbox / "stills" / "drive", 12, seed=1)}
    frames(outside, 12, seed=2)
    with Playment() as playment:
        # Times and sizes are no help: only the way in which a file is opened keeps the outside out.
        for ours, other in zip(sorted((inbox / "stills" / "drive").iterdir()), sorted(outside.iterdir()), strict=True):
            other.write_bytes(other.read_bytes()[: ours.stat().st_size].ljust(ours.stat().st_size, b"x"))
            os.utime(other, (ours.stat().st_atime, ours.stat().st_mtime))
        theirs = {digest(path.read_bytes()) for path in outside.iterdir()}
        chosen = settings(
            tmp_path,
            playment.url,
            IMAGE_FOLDERS="stills/**",
            WATCH_RESCAN_SECONDS="1",
            WATCH_POLL_SECONDS="1",
            SETTLE_SECONDS="0.1",
        )
        swaps = [0]
        with Agent(chosen) as agent:
            with swapping(inbox / "stills" / "drive", outside, swaps):
                eventually(lambda: swaps[0] > 400, 25)
                write(inbox / "beside.jpg", image(9))
                agent.becomes("beside.jpg", "submitted")
            eventually(lambda: len(playment.paths()) == 13, 30)
            agent.rests()
        found = digests_in(chosen.ledger_path) - {None}
        assert found == inside | {digest(image(9))}
        assert not found & theirs
    assert "defect" not in caplog.text
