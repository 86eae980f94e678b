"""What becomes of units that are moved, copied, touched, overwritten, deleted or put back, once sent or just before."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING, Any

from agent.core.plan import is_before
from agent.host.clock import utc_now
from agent.ledger.store import iso
from agent.service.loop import Service
from tests.support import Agent, Playment, command, environ, eventually, frames, image, query, rows, settings, write

if TYPE_CHECKING:
    from pathlib import Path

STILLS = {"IMAGE_FOLDERS": "stills,stills/**"}


def without_time(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "updated_at"}


def later(agent: Agent, name: str) -> None:
    """Wait for a folder that comes now: what came before it has been looked at by then."""
    frames(agent.inbox / name, 2, seed=sum(name.encode()))
    agent.becomes(name, "submitted")
    agent.rests()


def test_submitted_units_that_are_moved_copied_or_touched(tmp_path: Path) -> None:
    with Playment() as playment, Agent(settings(tmp_path, playment.url, **STILLS)) as agent:
        inbox = agent.inbox
        for name in ("moved", "copied", "linked", "touched"):
            write(inbox / f"{name}.jpg", image(len(name)))
            frames(inbox / name, 3, seed=len(name))
        write(inbox / "stills/a/same name.jpg", image(50))
        frames(inbox / "top" / "nested", 2, seed=51)
        (inbox / "stills" / "b").mkdir()
        agent.becomes("top/nested", "submitted")
        agent.becomes("touched", "submitted")
        agent.rests()
        sent = playment.paths()
        before = {path: agent.rows(path)[0] for path in sent}

        (inbox / "moved.jpg").rename(inbox / "stills" / "b" / "moved.jpg")
        (inbox / "stills/a/same name.jpg").rename(inbox / "same name.jpg")
        (inbox / "moved").rename(inbox / "moved away")
        (inbox / "top").rename(inbox / "top moved")
        shutil.copy2(inbox / "copied.jpg", inbox / "stills" / "copy.jpg")
        os.link(inbox / "linked.jpg", inbox / "stills" / "link.jpg")
        shutil.copytree(inbox / "copied", inbox / "copy")
        for file in (inbox / "touched.jpg", *(inbox / "touched").iterdir()):
            file.touch()
        moves = {
            "moved.jpg": "stills/b/moved.jpg",
            "stills/a/same name.jpg": "same name.jpg",
            "moved": "moved away",
            "top/nested": "top moved/nested",
        }
        for path in (*moves.values(), "stills/copy.jpg", "stills/link.jpg", "copy"):
            agent.becomes(path, "submitted")
        later(agent, "later")
        assert playment.paths() == sorted([*sent, "stills/copy.jpg", "stills/link.jpg", "copy", "later"])
        for old, new in moves.items():
            assert agent.rows(old) == []
            (row,) = agent.rows(new)
            assert (row["id"], row["job_id"]) == (before[old]["id"], before[old]["job_id"])
        for path in ("touched", "touched.jpg", "copied", "copied.jpg", "linked", "linked.jpg"):
            assert agent.rows(path) == [before[path]]

        # Moved back, and moved once more at once: still nothing to send.
        (inbox / "moved away").rename(inbox / "moved")
        (inbox / "stills" / "b" / "moved.jpg").rename(inbox / "on the way.jpg")
        (inbox / "on the way.jpg").rename(inbox / "moved.jpg")
        agent.becomes("moved", "submitted")
        agent.becomes("moved.jpg", "submitted")
        later(agent, "last")
        assert len(playment.jobs) == len(playment.receipts) == len(sent) + 5
        assert not query(agent.settings.ledger_path, "select * from attention")


def test_a_submitted_image_that_is_moved_into_a_folder_of_frames(tmp_path: Path) -> None:
    """By default every folder is a sequence: a person who sorts sent images into `done` must not pay twice."""
    with Playment() as playment, Agent(settings(tmp_path, playment.url)) as agent:
        write(agent.inbox / "a.jpg", image(1))
        write(agent.inbox / "b.jpg", image(2))
        agent.becomes("a.jpg", "submitted")
        agent.becomes("b.jpg", "submitted")
        (agent.inbox / "done").mkdir()
        (agent.inbox / "a.jpg").rename(agent.inbox / "done" / "a.jpg")
        (row,) = agent.becomes("done", "held")
        assert row["error_code"] == "kind-changed"
        assert "a.jpg" in row["reason"]
        # A copy in a folder is a frame of its own right.
        (agent.inbox / "copies").mkdir()
        shutil.copy(agent.inbox / "b.jpg", agent.inbox / "copies" / "b.jpg")
        agent.becomes("copies", "submitted")
        assert playment.paths() == ["a.jpg", "b.jpg", "copies"]
        # A person wants it all the same; from then on it is a sequence like any other, also when it is moved.
        env = environ(tmp_path, playment.url)
        assert command("retry", "done", environ=env, cwd=tmp_path).returncode == 0
        agent.becomes("done", "submitted")
        (agent.inbox / "done").rename(agent.inbox / "done2")
        agent.becomes("done2", "submitted")
        # The other way round: a frame that was sent is moved out to where it would be an image of its own.
        (agent.inbox / "copies" / "b.jpg").rename(agent.inbox / "out.jpg")
        (row,) = agent.becomes("out.jpg", "held")
        assert "taken as a sequence before (copies, submitted)" in row["reason"]
        assert playment.paths() == ["a.jpg", "b.jpg", "copies", "done"]
        assert len(playment.receipts) == 4


def test_submitted_units_that_are_changed(tmp_path: Path) -> None:
    with Playment() as playment, Agent(settings(tmp_path, playment.url)) as agent:
        inbox = agent.inbox
        write(inbox / "a.jpg", image(1))
        for seed, name in enumerate(("added", "removed", "overwritten", "mixed", "emptied")):
            frames(inbox / name, 6, seed=seed)
        write(inbox / "deleted.jpg", image(2))
        for name in ("added", "removed", "overwritten", "mixed", "emptied", "a.jpg", "deleted.jpg"):
            agent.becomes(name, "submitted")
        sent = playment.paths()
        before = {path: agent.rows(path)[0] for path in sent}

        write(inbox / "a.jpg", image(3))
        frames(inbox / "added", 3, seed=10, first=7)
        (inbox / "removed" / "frame_2.jpg").unlink()
        write(inbox / "overwritten" / "frame_1.jpg", image(4))
        (inbox / "mixed" / "frame_6.jpg").rename(inbox / "mixed" / "frame_9.jpg")
        shutil.rmtree(inbox / "emptied")
        (inbox / "deleted.jpg").unlink()
        told = {
            "a.jpg": "the file's content changed after submission",
            "added": "3 frames added after submission: frame_7.jpg, frame_8.jpg, frame_9.jpg",
            "removed": "1 frame removed after submission: frame_2.jpg",
            "overwritten": "1 frame changed after submission: frame_1.jpg",
            "mixed": "1 frame added after submission: frame_9.jpg; 1 frame removed after submission: frame_6.jpg",
        }
        for path, reason in told.items():
            _, held = agent.becomes(path, "submitted", "held")
            assert (held["error_code"], held["reason"]) == ("changed", reason)
        agent.rests()
        deleted = {path for path in sent if agent.rows(path)[0]["deleted_at"]}
        assert deleted == {"emptied", "deleted.jpg"}
        for path in sent:
            assert agent.rows(path)[0] | {"deleted_at": None} == before[path]
        attention = query(agent.settings.ledger_path, "select path, reason from attention order by path")
        assert {row["path"]: row["reason"] for row in attention} == told

        # A file that is cut short now is told of as such.
        write(inbox / "added" / "frame_8.jpg", image(4)[:-40])
        eventually(lambda: "; now frame_8.jpg: cut short" in agent.rows("added")[1]["reason"])
        # Put back: nothing waits for a person any more.
        write(inbox / "a.jpg", image(1))
        frames(inbox / "overwritten", 1, seed=2)
        frames(inbox / "removed", 6, seed=1)
        for number in (7, 8, 9):
            (inbox / "added" / f"frame_{number}.jpg").unlink()
        (inbox / "mixed" / "frame_9.jpg").rename(inbox / "mixed" / "frame_6.jpg")
        frames(inbox / "emptied", 6, seed=4)
        write(inbox / "deleted.jpg", image(2))
        for path in told:
            agent.becomes(path, "submitted", "gone")
        later(agent, "later")
        assert playment.paths() == sorted([*sent, "later"])
        assert len(playment.receipts) == len(sent) + 1
        for path in sent:
            assert agent.rows(path)[0] == before[path]
        assert not query(agent.settings.ledger_path, "select * from attention")


def test_deleted_before_submission_and_come_back(tmp_path: Path) -> None:
    chosen = {"SETTLE_SECONDS": "4", "SEQUENCE_SETTLE_SECONDS": "4", **STILLS}
    with Playment() as playment, Agent(settings(tmp_path, playment.url, **chosen)) as agent:
        inbox = agent.inbox
        write(inbox / "there.jpg", image(1))
        agent.becomes("there.jpg", "submitted")
        # All at rest now: each of these is seen, and gone before anything else happens in its folder.
        write(inbox / "short.jpg", image(2))
        frames(inbox / "short", 2, seed=3)
        frames(inbox / "tree" / "below", 2, seed=4)
        write(inbox / "stills/x/short.jpg", image(5))
        write(inbox / "becomes.jpg", image(6))
        paths = ("short.jpg", "short", "tree/below", "stills/x/short.jpg", "becomes.jpg")
        for path in paths:
            agent.becomes(path, "settling")
        (inbox / "short.jpg").unlink()
        shutil.rmtree(inbox / "short")
        shutil.rmtree(inbox / "tree")
        shutil.rmtree(inbox / "stills")
        (inbox / "becomes.jpg").rename(inbox / "becomes.txt")
        for path in paths:
            (row,) = agent.becomes(path, "gone")
            assert row["reason"].startswith("deleted before it was submitted")
        write(inbox / "short.jpg", image(2))
        frames(inbox / "short", 2, seed=3)
        frames(inbox / "tree" / "below", 2, seed=4)
        for path in ("short.jpg", "short", "tree/below"):
            (row,) = agent.becomes(path, "submitted")
            assert row["reason"] == ""
        assert playment.paths() == ["short", "short.jpg", "there.jpg", "tree/below"]
        assert len(playment.receipts) == 4


def test_changed_or_deleted_between_settling_and_sending(tmp_path: Path) -> None:
    """Nothing tells of these changes: no event, and no scan before the request would leave."""
    with Playment() as playment:
        chosen = settings(tmp_path, playment.url, WATCH_MODE="poll", WATCH_POLL_SECONDS="3600")
        env = environ(tmp_path, playment.url)
        with Agent(chosen) as agent:
            inbox = agent.inbox
            assert command("pause", environ=env, cwd=tmp_path).returncode == 0
            eventually(lambda: agent._service._parts.gate.is_shut)
            write(inbox / "same.jpg", image(1))
            write(inbox / "changed.jpg", image(2))
            write(inbox / "deleted.jpg", image(3))
            frames(inbox / "folder", 3, seed=4)
            for path in ("same.jpg", "changed.jpg", "deleted.jpg", "folder"):
                agent.becomes(path, "pending")
            changed_at = time.monotonic()
            write(inbox / "changed.jpg", image(5))
            write(inbox / "folder" / "frame_2.jpg", image(6))
            (inbox / "deleted.jpg").unlink()
            assert command("resume", environ=env, cwd=tmp_path).returncode == 0
            (row,) = agent.becomes("changed.jpg", "submitted")
            agent.becomes("folder", "submitted")
            agent.becomes("same.jpg", "submitted")
            agent.becomes("deleted.jpg", "gone")
        assert playment.paths() == ["changed.jpg", "folder", "same.jpg"]
        assert len(playment.receipts) == 3
        assert playment.receipt("changed.jpg").reference_id == row["reference_id"]
        assert playment.receipt("changed.jpg").at >= changed_at + 0.2
        assert playment.receipt("folder").at >= changed_at + 0.5


def test_changed_while_it_is_being_sent(tmp_path: Path) -> None:
    with Playment(latency=1.5) as playment, Agent(settings(tmp_path, playment.url)) as agent:
        inbox = agent.inbox
        write(inbox / "changed.jpg", image(1))
        write(inbox / "touched.jpg", image(2))
        write(inbox / "deleted.jpg", image(3))
        write(inbox / "moved.jpg", image(4))
        frames(inbox / "folder", 2, seed=5)
        frames(inbox / "moved", 2, seed=6)
        eventually(lambda: len(playment.receipts) == 6)
        write(inbox / "changed.jpg", image(7))
        (inbox / "touched.jpg").touch()
        (inbox / "deleted.jpg").unlink()
        (inbox / "moved.jpg").rename(inbox / "elsewhere.jpg")
        (inbox / "moved").rename(inbox / "elsewhere")
        frames(inbox / "folder", 1, seed=5, first=3)
        _, held = agent.becomes("changed.jpg", "submitted", "held")
        assert held["error_code"] == "changed"
        _, held = agent.becomes("folder", "submitted", "held")
        assert held["reason"] == "1 frame added after submission: frame_3.jpg"
        for path in ("touched.jpg", "deleted.jpg", "elsewhere.jpg", "elsewhere"):
            agent.becomes(path, "submitted")
        agent.rests()
        assert len(playment.jobs) == len(playment.receipts) == 6


def test_tidied_after_submission(tmp_path: Path) -> None:
    with Playment() as playment, Agent(settings(tmp_path, playment.url, **STILLS)) as agent:
        inbox = agent.inbox
        for seed, name in enumerate(("split", "culled", "copied", "cam1"), start=1):
            frames(inbox / name, 4, seed=seed)
        write(inbox / "IMG_1.jpg", image(1))
        write(inbox / "stills" / "IMG_1.jpg", image(2))
        for name in ("split", "culled", "copied", "cam1", "IMG_1.jpg", "stills/IMG_1.jpg"):
            agent.becomes(name, "submitted")
        sent = playment.paths()

        for number in (1, 2, 3, 4):
            part = inbox / "split" / ("train" if number < 4 else "val")
            part.mkdir(exist_ok=True)
            (inbox / "split" / f"frame_{number}.jpg").rename(part / f"frame_{number}.jpg")
        (inbox / "culled" / "frame_2.jpg").unlink()
        (inbox / "culled").rename(inbox / "culled done")
        shutil.copytree(inbox / "copied", inbox / "copy")
        shutil.rmtree(inbox / "cam1")
        (inbox / "IMG_1.jpg").unlink()
        (inbox / "stills" / "IMG_1.jpg").unlink()
        for path, told in (
            ("split/train", "3 of 3 frames were sent before in split (submitted, job "),
            ("split/val", "1 of 1 frames were sent before in split (submitted, job "),
            ("culled done", "3 of 3 frames were sent before in culled (submitted, job "),
        ):
            (held,) = agent.becomes(path, "held")
            assert held["error_code"] == "sent-before"
            assert held["reason"].startswith(told)
        agent.becomes("copy", "submitted")
        agent.rests()
        assert playment.paths() == sorted([*sent, "copy"])

        # The names of what was deleted, once more.
        deleted = ("cam1", "IMG_1.jpg", "stills/IMG_1.jpg")
        eventually(lambda: all(_is_before(agent.rows(path)[0]) for path in deleted))
        frames(inbox / "cam1", 4, seed=9)
        write(inbox / "IMG_1.jpg", image(3))
        write(inbox / "stills" / "IMG_1.jpg", image(4))
        for path in deleted:
            agent.becomes(path, "submitted", "submitted")
        assert playment.paths() == sorted([*sent, "copy", *deleted])


def test_folders_that_go_while_the_agent_is_stopped(tmp_path: Path) -> None:
    with Playment() as playment:
        chosen = settings(tmp_path, playment.url, SEQUENCE_SETTLE_SECONDS="0.2", SEQUENCE_GAPS="hold", **STILLS)
        for number in (*range(1, 11), 12):
            frames(chosen.watch_dir / "top" / "gaps", 1, seed=1, first=number)
        frames(chosen.watch_dir / "top" / "cam1", 2, seed=2)
        write(chosen.watch_dir / "stills" / "x" / "a.jpg", image(3))
        Service(chosen, once=True).run()
        assert playment.paths() == ["stills/x/a.jpg", "top/cam1"]
        shutil.rmtree(chosen.watch_dir / "top")
        shutil.rmtree(chosen.watch_dir / "stills")
        Service(chosen, once=True).run()
        (held,) = rows(chosen.ledger_path, "top/gaps")
        assert (held["state"], held["reason"]) == ("gone", "deleted before it was submitted (gaps)")
        for path in ("top/cam1", "stills/x/a.jpg"):
            (row,) = rows(chosen.ledger_path, path)
            assert row["state"] == "submitted"
            assert row["deleted_at"]
        frames(chosen.watch_dir / "top" / "cam1", 2, seed=4)
        Service(chosen, once=True).run()
        assert playment.paths() == ["stills/x/a.jpg", "top/cam1", "top/cam1"]


def _is_before(row: dict[str, Any]) -> bool:
    """Tell whether a unit was seen deleted, and what comes now is not one change with that."""
    return is_before(row["deleted_at"], iso(utc_now()))
