"""Frames' order beside the running agent: what is held and goes on, and what an older version has sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core import frame_order
from agent.core.order_of_0_1_0 import in_order_of_0_1_0
from agent.model import Sequence
from tests import exif
from tests.support import Agent, Playment, command, environ, eventually, frames, image, query, settings, write

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pytest

FLOATS = [f"1700000000.{part}.jpg" for part in ("0", "025", "05", "075", "1", "125", "15")]
STEMS = ["shot.jpg", "shot (1).jpg", "shot (2).jpg"]
CAMERAS = ["left_1.jpg", "left_2.jpg", "right_1.jpg", "right_2.jpg"]
AS_BEFORE = ["1700000000.0.jpg", "1700000000.1.jpg", "1700000000.05.jpg", "1700000000.15.jpg"]


def drop(folder: Path, names: Iterable[str], *, seed: int) -> list[Path]:
    return [write(folder / name, image(seed * 1000 + number)) for number, name in enumerate(names)]


def frames_of(agent: Agent, path: str) -> list[str]:
    rows = query(
        agent.settings.ledger_path,
        "select frame_id from frames join jobs on jobs.id = job where jobs.path = ? order by job, position",
        path,
    )
    return [row["frame_id"] for row in rows]


def test_what_is_in_doubt_is_held_until_a_person_says_so(tmp_path: Path) -> None:
    with Playment() as playment, Agent(settings(tmp_path, playment.url)) as agent:
        drop(agent.inbox / "floats", FLOATS, seed=1)
        drop(agent.inbox / "copied", ["f1.jpg", "f2.jpg", "f2 - Copy.jpg", "f3.jpg"], seed=2)
        drop(agent.inbox / "mended", ["f1.jpg", "f2.jpg", "f2.1.jpg"], seed=3)
        agent.becomes("floats", "submitted")
        assert list(playment.receipt("floats").names) == FLOATS
        (held,) = agent.becomes("copied", "held")
        assert held["error_code"] == "order"
        assert held["reason"] == (
            "the order of the frames is in doubt: f2 - Copy.jpg looks like a copy of f2.jpg: 'retry' sends it as it is"
        )
        agent.becomes("mended", "held")
        (agent.inbox / "mended" / "f2.1.jpg").unlink()
        agent.becomes("mended", "submitted")
        done = command("retry", "copied", environ=environ(tmp_path, playment.url), cwd=tmp_path)
        assert done.stdout == "copied: held -> pending\n"
        agent.becomes("copied", "submitted")
        assert list(playment.receipt("copied").names) == ["f1.jpg", "f2.jpg", "f2 - Copy.jpg", "f3.jpg"]


def test_a_doubt_is_sent_with_a_warning_where_that_is_asked_for(tmp_path: Path) -> None:
    with Playment() as playment, Agent(settings(tmp_path, playment.url, SEQUENCE_ORDER_DOUBT="warn")) as agent:
        drop(agent.inbox / "two", CAMERAS, seed=1)
        agent.becomes("two", "submitted")
        reasons = query(agent.settings.ledger_path, "select detail from events where event = 'pending'")
        assert "their names are of 2 patterns" in reasons[0]["detail"]


def test_a_folder_says_that_its_frames_are_in_the_order_of_their_times(tmp_path: Path) -> None:
    names = [f"IMG_{number:04d}.JPG" for number in (9998, 9999, 1, 2, 3)]
    with Playment() as playment, Agent(settings(tmp_path, playment.url, FOLDER_SETTINGS="true")) as agent:
        for folder in ("by name", "by time"):
            write(agent.inbox / folder / ".playment.toml", b'order = "time"\n' if folder == "by time" else b"")
            for number, name in enumerate(names):
                part = exif.exif("2024:01:31 12:00:05", f"{number:02d}", "+02:00")
                whole = image(number + (100 if folder == "by time" else 0))
                write(agent.inbox / folder / name, b"\xff\xd8" + exif.segment(part) + whole[2:])
        agent.becomes("by time", "submitted")
        assert list(playment.receipt("by time").names) == names
        (held,) = agent.becomes("by name", "held")
        assert "the numbering seems to begin again after 9999 with 1; IMG_9998.JPG was taken at" in held["reason"]


def test_what_an_older_version_sent_is_never_sent_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def as_0_1_0(names: Iterable[str], _order: str) -> Sequence:
        return Sequence(tuple(in_order_of_0_1_0(names)))

    drops = {"floats": FLOATS, "stems": STEMS, "cameras": CAMERAS, "copied": ["f.jpg", "f (1).jpg"], "moved": AS_BEFORE}
    with Playment() as playment:
        chosen = settings(tmp_path, playment.url)
        with monkeypatch.context() as patched, Agent(chosen) as agent:
            patched.setattr(frame_order, "arrange", as_0_1_0)
            files = [drop(agent.inbox / path, names, seed=seed) for seed, (path, names) in enumerate(drops.items())]
            for path in drops:
                agent.becomes(path, "submitted")
            before = {path: agent.rows(path)[0] for path in drops}
            sent = {path: list(playment.receipt(path).names) for path in drops}
            assert sent["floats"] != FLOATS
        with Agent(chosen) as agent:
            for file in (file for of_one in files[:-1] for file in of_one):
                file.touch()
            (agent.inbox / "moved").rename(agent.inbox / "moved away")
            agent.becomes("moved away", "submitted")
            frames(agent.inbox / "last", 2, seed=90)
            agent.becomes("last", "submitted")
            agent.rests()
            for path in drops:
                now = "moved away" if path == "moved" else path
                assert frames_of(agent, now) == sent[path]
                assert agent.rows(now)[0]["reference_id"] == before[path]["reference_id"]
            (agent.inbox / "moved away").rename(agent.inbox / "moved")
            agent.becomes("moved", "submitted")
        chosen.ledger_path.unlink()
        with Agent(chosen) as agent:
            for path in drops:
                (row,) = agent.becomes(path, "submitted")
                assert (row["job_id"], row["reference_id"]) == (before[path]["job_id"], before[path]["reference_id"])
            eventually(lambda: agent.states("last") == ["submitted"])
        assert playment.paths() == sorted([*drops, "last"])


def test_what_nobody_sent_is_held_after_a_look_at_playments_lists(tmp_path: Path) -> None:
    with Playment() as playment:
        chosen = settings(tmp_path, playment.url, SEQUENCE_GAPS="hold")
        drop(chosen.watch_dir / "cameras", CAMERAS, seed=1)
        drop(chosen.watch_dir / "gap", ["1.jpg", "2.jpg", "4.jpg"], seed=2)
        with Agent(chosen) as agent:
            (held,) = agent.becomes("cameras", "held")
            assert (held["error_code"], held["next_attempt_at"]) == ("order", None)
            assert held["reason"].startswith("the order of the frames is in doubt: ")
            (gap,) = agent.becomes("gap", "held")
            assert gap["error_code"] == "gaps"
            done = command("retry", "cameras", environ=environ(tmp_path, playment.url), cwd=tmp_path)
            assert done.stdout == "cameras: held -> pending\n"
            agent.becomes("cameras", "submitted")
        assert playment.paths() == ["cameras"]
