"""`plan`, `baseline` and `run --once` find the same units in a tree, and decide the same about each."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from agent.model import Kind, shown
from agent.reporting.preview import preview, units_now
from agent.service.loop import Service
from tests.soak import LONG
from tests.support import Playment, image, settings, write

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest

    from agent.settings.settings import Settings

STATES = {"submit": "submitted", "hold": "held", "refuse": "invalid", "settle": "settling"}
SETTLE = 0.1
FOLDERS = ("", "s", "s/deep", "stills", "stills/more", "t", ".hidden", "left")
NAMES = (
    "a.jpg",
    "b.jpg",
    "frame_1.jpg",
    "frame_2.jpg",
    "frame_4.JPG",
    "c.png",
    "d.part",
    ".e.jpg",
    "n.txt",
    "v.mp4",
    "x.gif",
    "\udcff.jpg",
)
CONTENTS = {
    "whole": image(1),
    "other": image(2),
    "cut": image(3)[:-20],
    "empty": b"",
    "text": b"Dear team, this is no image",
}
SAID = (
    "ignore = true",
    'kind = "images"',
    'kind = "sequence"',
    "expected_frames = 1",
    "expected_frames = 3",
    'ready_marker = "n.txt"',
    'ready_marker = "_READY"',
    'order = "bytes"',
    "tag = 1",
    "not TOML at all",
)

DONE = ("touch", "change", "move", "delete", "add", "split", "cull", "copy", "clear")

files = st.dictionaries(
    st.tuples(st.sampled_from(FOLDERS), st.sampled_from(NAMES)), st.sampled_from(sorted(CONTENTS)), max_size=14
)
said = st.dictionaries(st.sampled_from(FOLDERS), st.sampled_from(SAID), max_size=2)

Key = tuple[str, str]


def lay_out(inbox: Path, tree: Mapping[tuple[str, str], str], rules: Mapping[str, str]) -> None:
    """Make the files; none of them is like another one, so that what is moved is known by its content."""
    for number, ((folder, name), content) in enumerate(tree.items()):
        unlike = bytes(str(number), "ascii") if content in ("whole", "other") else b""
        write(inbox / folder / name, CONTENTS[content] + unlike)
    for folder, text in rules.items():
        write(inbox / folder / ".playment.toml", text.encode())


def until_quiet() -> None:
    """Wait until every file that was just written counts as settled by its own times."""
    time.sleep(2 * SETTLE)


def newest(chosen: Settings) -> dict[Key, tuple[int, str, str | None]]:
    """Return (row, state, reference_id) of the newest row of every unit that is there."""
    with closing(sqlite3.connect(chosen.ledger_path)) as sql:
        rows = sql.execute("select path, kind, id, state, reference_id from jobs where state <> 'gone' order by id")
        return {(path, kind): (job, state, reference_id) for path, kind, job, state, reference_id in rows}


def decisions(chosen: Settings) -> dict[Key, tuple[str, str | None, tuple[str, ...]]]:
    """Return what `plan` says about every unit."""
    steps = preview(chosen)
    planned = {(shown(step.path), str(step.kind)): (step.action, step.reference_id, step.frame_ids) for step in steps}
    assert len(planned) == len(steps)
    return planned


@profile(
    max_examples=300 if LONG else 12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(tree=files, rules=said, then=st.lists(st.sampled_from(DONE), max_size=4))
def test_an_odd_tree_is_the_same_to_all(
    tree: dict[tuple[str, str], str],
    rules: dict[str, str],
    then: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    place = tmp_path_factory.mktemp("odd")
    with Playment() as playment:
        chosen = settings(
            place,
            playment.url,
            SETTLE_SECONDS=str(SETTLE),
            SEQUENCE_SETTLE_SECONDS=str(SETTLE),
            IMAGE_FOLDERS="stills",
            FOLDER_SETTINGS="true",
        )
        inbox = chosen.watch_dir
        lay_out(inbox, tree, rules)
        until_quiet()
        planned = decisions(chosen)
        assert not chosen.ledger_path.exists()
        set_aside = {
            (shown(unit.path), str(unit.kind)): tuple(shown(frame.frame_id) for frame in unit.frames)
            for unit in units_now(chosen, {})
        }
        # Below a bad file of settings what is of no kind that is taken is set aside, and told by nobody.
        assert {unit for unit, frames in set_aside.items() if frames or unit in planned} == planned.keys()
        for unit, (action, _, frame_ids) in planned.items():
            assert action in ("hold", "settle") or frame_ids == set_aside[unit]

        Service(chosen, once=True).run()
        there = newest(chosen)
        assert {unit: state for unit, (_, state, _) in there.items()} == {
            unit: STATES[action] for unit, (action, _, _) in planned.items()
        }
        for unit, (action, reference_id, frame_ids) in planned.items():
            if action == "submit":
                assert there[unit][2] == reference_id
                assert unit[1] == Kind.IMAGE or _frames(playment, str(reference_id)) == frame_ids

        deleted = _disturb(inbox, then)
        _compare(chosen)
        # Names are used again, of files that the last run has seen deleted.
        for number, path in enumerate(deleted):
            write(path, image(90 + number))
        _compare(chosen)


def _compare(chosen: Settings) -> None:
    """Have a plan made and carried out, and compare the two."""
    there = newest(chosen)
    until_quiet()
    planned = decisions(chosen)
    Service(chosen, once=True).run()
    after = newest(chosen)
    for unit, (action, _, _) in planned.items():
        expected = {"keep": there.get(unit, (0, ""))[1]}.get(action) or STATES.get(action)
        assert expected is None or after[unit][1] == expected, f"{unit}: {action}"
        assert action != "move" or after[unit] == next(row for row in there.values() if row[0] == after[unit][0])
    for unit, row in after.items():  # what no step is about stays as it was
        assert unit in planned or row == there[unit]


def _frames(playment: Playment, reference_id: str) -> tuple[str, ...]:
    (receipt,) = [receipt for receipt in playment.receipts if receipt.reference_id == reference_id]
    return receipt.names


def _disturb(inbox: Path, then: list[str]) -> list[Path]:
    """Do what people do to files that were sent, to one after the other of those there are; return what was deleted."""
    there = sorted(path for path in inbox.rglob("*.jpg") if not path.is_symlink())
    deleted: list[Path] = []
    for number, (what, path) in enumerate(zip(then, there, strict=False)):
        if not path.exists():
            continue
        match what:
            case "touch":
                os.utime(path, (1, 1))
            case "change":
                path.write_bytes(image(50 + number))
            case "move" | "split":
                folder = (path.parent if what == "split" else inbox) / f"moved {number}"
                folder.mkdir()
                shutil.move(path, folder / path.name)
            case "delete":
                path.unlink()
                deleted.append(path)
            case "add":
                write(path.with_name(f"added {number}.jpg"), image(70 + number))
            case _ if path.parent != inbox:
                _disturb_folder(inbox, what, path, number)
                deleted += [path] if what == "clear" else []
    return deleted


def _disturb_folder(inbox: Path, what: str, path: Path, number: int) -> None:
    match what:
        case "cull":
            path.unlink()
            path.parent.rename(inbox / f"culled {number}")
        case "copy":
            shutil.copytree(path.parent, inbox / f"copy {number}")
        case "clear":
            shutil.rmtree(path.parent)
