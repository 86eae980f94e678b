"""Folders that arrive in odd ways, beside a running agent: whole or held, and nothing that a person meant is silent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import Agent, Playment, command, environ, eventually, frames, image, settings, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def playment() -> Iterator[Playment]:
    with Playment() as running:
        yield running


def says(agent: Agent, path: str, words: str) -> None:
    """Wait until the newest row of a path gives this for a reason."""
    eventually(lambda: words in (agent.rows(path) or [{"reason": ""}])[-1]["reason"])


@pytest.mark.parametrize("name", ["f.bin", ".upload-6b0a", "frame_3.jpg1379197560", ".in.frame_3.jpg"])
def test_an_open_writer_holds_its_folder_whatever_its_name(tmp_path: Path, playment: Playment, name: str) -> None:
    with Agent(settings(tmp_path, playment.url, SEQUENCE_SETTLE_SECONDS="0.5")) as agent:
        folder = agent.inbox / "s"
        write(folder / "frame_0.jpg", image(0))
        agent.becomes("s", "settling")  # its events are had from now on
        with open(folder / name, "wb") as file:  # silent: nothing is written before the end
            frames(folder, 2, seed=1)
            write(agent.inbox / "t" / "a.jpg", image(9))
            agent.becomes("t", "submitted")  # which came later, and needed no longer
            assert agent.states("s") == ["settling"]
            file.write(image(3))
        (folder / name).rename(folder / "frame_3.jpg")
        agent.becomes("s", "submitted")
        assert playment.receipt("s").names == tuple(f"frame_{number}.jpg" for number in range(4))


def test_a_writer_in_a_hidden_folder_beside_it_holds_a_folder(tmp_path: Path, playment: Playment) -> None:
    with Agent(settings(tmp_path, playment.url, SEQUENCE_SETTLE_SECONDS="0.5")) as agent:
        spool = agent.inbox / ".spool"
        spool.mkdir()
        write(agent.inbox / "known.jpg", image(8))
        agent.becomes("known.jpg", "submitted")
        with open(spool / "x", "wb") as file:
            frames(agent.inbox / "s", 2, seed=1)
            says(agent, "s", "waits for .spool/x, which is being written")
            file.write(image(3))
        (spool / "x").rename(agent.inbox / "s" / "frame_3.jpg")
        agent.becomes("s", "submitted")
        assert len(playment.receipt("s").names) == 3


def test_what_is_left_behind_is_told_and_goes_on_once_it_is_gone(
    tmp_path: Path, playment: Playment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.core.arrival.LEFT_BEHIND", 1.0)  # an hour
    with Agent(settings(tmp_path, playment.url, SEQUENCE_SETTLE_SECONDS="0.5", WATCH_RESCAN_SECONDS="1")) as agent:
        left = write(agent.inbox / "s" / "frame_3.jpg.Ab12Cd34", image(3)[:50])
        frames(agent.inbox / "s", 2, seed=1)
        (row,) = agent.becomes("s", "held")
        assert row["error_code"] == "arrival"
        assert row["reason"].startswith("frame_3.jpg.Ab12Cd34 has not changed for an hour")
        told = row["updated_at"]
        eventually(lambda: agent.value("last_scan_at") > told)  # a look at all changes nothing
        assert agent.rows("s")[0]["updated_at"] == told
        refused = command("retry", "s", environ=environ(tmp_path, playment.url), cwd=tmp_path)
        assert "it goes on by itself once this is mended" in refused.stdout
        left.write_bytes(image(3))
        left.rename(left.with_name("frame_3.jpg"))
        agent.becomes("s", "submitted")
        assert len(playment.receipt("s").names) == 3


def test_pictures_that_are_not_taken_hold_their_folder(tmp_path: Path, playment: Playment) -> None:
    with Agent(settings(tmp_path, playment.url, SEQUENCE_SETTLE_SECONDS="0.5")) as agent:
        odd = [write(agent.inbox / "s" / f"frame_{number}.gif", b"GIF89a") for number in (3, 4)]
        frames(agent.inbox / "s", 2, seed=1)
        (row,) = agent.becomes("s", "held")
        assert (row["error_code"], row["reason"][:41]) == ("left-out", "2 of 4 pictures are not taken: .gif; take")
        for file in odd:
            file.unlink()
        agent.becomes("s", "submitted")


def test_what_stands_alone_and_is_not_taken_is_told(tmp_path: Path, playment: Playment) -> None:
    with Agent(settings(tmp_path, playment.url, WATCH_RESCAN_SECONDS="1")) as agent:
        video = write(agent.inbox / "drive.mp4", b"\0\0\0\x18ftypmp42")
        write(agent.inbox / "phone" / "a.heic", b"\0\0\0\x18ftypheic")
        write(agent.inbox / "notes.txt", b"none of yours")
        write(agent.inbox / "s" / "labels.json", b"{}")
        agent.becomes("drive.mp4", "invalid")
        agent.becomes("phone/a.heic", "invalid")
        assert "export its frames" in agent.rows("drive.mp4")[0]["reason"]
        eventually(lambda: agent.value("other_files") == "2")
        told = agent.value("last_scan_at")
        eventually(lambda: agent.value("last_scan_at") > told)
        assert agent.states("drive.mp4") == ["invalid"]
        video.unlink()
        agent.becomes("drive.mp4", "gone")
        assert agent.rows("notes.txt") == []
    status = command("status", environ=environ(tmp_path, playment.url), cwd=tmp_path)
    assert "2 other files are no pictures" in status.stdout


def test_what_a_nas_keeps_and_what_is_ignored_is_nobodys_drop(tmp_path: Path, playment: Playment) -> None:
    chosen = settings(tmp_path, playment.url, SEQUENCE_SETTLE_SECONDS="0.5", IGNORE="previews/**,*/thumb_*.jpg,old.jpg")
    for number, path in enumerate(
        (
            "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg",
            "s/@eaDir/frame_1.jpg/SYNOPHOTO_THUMB_M.jpg",
            "#recycle/x.jpg",
            "$RECYCLE.BIN/S-1/x.jpg",
            "lost+found/x.jpg",
            "__MACOSX/x.jpg",
            "previews/deep/x.jpg",
            "s/thumb_1.jpg",
            "old.jpg",
        )
    ):
        write(tmp_path / "inbox" / path, image(50 + number))
    with Agent(chosen) as agent:
        write(agent.inbox / "a.jpg", image(1))
        write(agent.inbox / "old.jpg", image(90))
        frames(agent.inbox / "s", 2, seed=1)
        agent.becomes("a.jpg", "submitted")
        agent.becomes("s", "submitted")
        agent.rests()
        assert playment.paths() == ["a.jpg", "s"]
        assert playment.receipt("s").names == ("frame_1.jpg", "frame_2.jpg")
