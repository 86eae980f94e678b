"""Random tidying after submission: no bytes are paid twice while their original is gone, and nothing new is lost.

Real files, a real ledger and real noticing. A model counts what was paid for, by content, and knows of each file
whether it is a new one, a copy, or was moved. The long form: `python -m tests.soak tidying`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.soak import LONG
from tests.support import query
from tests.tidying import Inbox, picture

EXAMPLES = 3000 if LONG else 60
FOLDERS = ("a", "b", "c", "top/d", "top/e")
IMAGES = ("x.jpg", "y.jpg", "z.jpg")

folders = st.sampled_from(FOLDERS)
images = st.sampled_from(IMAGES)
some = st.sets(st.integers(0, 5), min_size=1, max_size=3)


@dataclass(frozen=True, slots=True)
class Unit:
    """What is at a path: the contents of its files, in order."""

    path: str
    contents: tuple[int, ...]


class Tidying(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="tidying-"))
        self.inbox = Inbox(self.place)
        self.inbox.start()
        self.root = self.inbox.root
        self.digests = {hashlib.sha256(picture(0)).hexdigest(): 0}
        self.count = 0
        self.paid: Counter[int] = Counter()
        self.fresh: set[str] = set()  # paths of units of new bytes alone, of which nothing was there at the last look
        self.copies: set[str] = set()  # the same of copies, whose originals nobody has touched since
        self.is_calm = True

    @initialize()
    def begin(self) -> None:
        self.drop("a", 4)
        self.look()

    # What is there

    def files(self, folder: str) -> list[Path]:
        place = self.root / folder
        return sorted(path for path in place.iterdir() if path.is_file()) if place.is_dir() else []

    def content(self, path: Path) -> int:
        return self.digests[hashlib.sha256(path.read_bytes()).hexdigest()]

    def units(self) -> list[Unit]:
        there = [Unit(path, (self.content(self.root / path),)) for path in IMAGES if (self.root / path).exists()]
        holding = sorted({str(path.parent.relative_to(self.root)) for path in self.root.rglob("*/*.jpg")})
        return there + [Unit(folder, tuple(map(self.content, self.files(folder)))) for folder in holding]

    def new(self) -> int:
        self.count += 1
        self.digests[hashlib.sha256(picture(self.count)).hexdigest()] = self.count
        return self.count

    def changed(self, *paths: str) -> None:
        """Note that units are not what they were, nor as they were dropped."""
        self.fresh.difference_update(paths)
        self.copies.clear()

    # What people do

    @rule(folder=folders, count=st.integers(1, 4))
    def drop(self, folder: str, count: int) -> None:
        if self.files(folder):
            self.changed(folder)
        elif self.is_calm or not any(row["path"] == folder for row in self.live()):
            self.fresh.add(folder)
        for _ in range(count):
            number = self.new()
            self.inbox.write(folder, number)

    @rule(path=images)
    def drop_image(self, path: str) -> None:
        if not (self.root / path).exists() and (self.is_calm or not any(row["path"] == path for row in self.live())):
            self.fresh.add(path)
        else:
            self.changed(path)
        self.inbox.write(path, self.new())

    @rule(folder=folders)
    def delete(self, folder: str) -> None:
        shutil.rmtree(self.root / folder, ignore_errors=True)
        self.changed(folder)
        self.is_calm = False

    @rule(path=images)
    def delete_image(self, path: str) -> None:
        (self.root / path).unlink(missing_ok=True)
        self.changed(path)
        self.is_calm = False

    @rule(folder=folders, count=st.integers(1, 3))
    def use_again(self, folder: str, count: int) -> None:
        """Clear a folder, and have new frames in it another day."""
        self.delete(folder)
        self.look()
        self.drop(folder, count)

    @rule(path=images)
    def use_image_again(self, path: str) -> None:
        self.delete_image(path)
        self.look()
        self.drop_image(path)

    @rule(old=folders, new=folders, which=some, by_copying=st.booleans())
    def move_frames(self, old: str, new: str, which: set[int], by_copying: bool) -> None:
        """Split, merge, or both: by a rename, or as over file systems."""
        there = self.files(old)
        self.changed(old, new)
        self.is_calm = False
        for file in [file for place, file in enumerate(there) if place in which and old != new]:
            target = self.root / new / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            if by_copying:
                target.write_bytes(file.read_bytes())
                file.unlink()
            else:
                file.rename(target)

    @rule(old=folders, new=folders, cull=st.booleans())
    def rename(self, old: str, new: str, cull: bool) -> None:
        """Rename a folder, perhaps without one of its frames."""
        there = self.files(old)
        if not there or old == new or (self.root / new).exists():
            return
        self.changed(old, new)
        self.is_calm = False
        if cull and len(there) > 1:
            there[0].unlink()
        (self.root / new).parent.mkdir(exist_ok=True)
        (self.root / old).rename(self.root / new)

    @rule(folder=folders)
    def rename_frames(self, folder: str) -> None:
        self.changed(folder)
        self.is_calm = False
        for file in self.files(folder):
            file.rename(file.with_name(f"r{file.name}"))

    @rule(old=folders, new=folders, which=some)
    def copy_frames(self, old: str, new: str, which: set[int]) -> None:
        """Copy some frames, or all; a clip that overlaps."""
        there = self.files(old)
        if not there or old == new:
            return
        was_empty = not self.files(new)
        is_first = not query(self.inbox.path, "select 1 from jobs where path = ?", new)
        covered = set(self.covered())
        is_quiet = self.is_calm and not self.fresh and not self.copies
        taken = [file for place, file in enumerate(there) if place in which]
        originals = {self.content(file) for file in taken}
        self.changed(new)
        for file in taken:
            target = self.root / new / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
        if was_empty and is_first and is_quiet and taken and originals <= covered:
            self.copies.add(new)

    @rule(path=images, folder=folders)
    def move_image_into(self, path: str, folder: str) -> None:
        if (self.root / path).exists():
            self.changed(path, folder)
            self.is_calm = False
            (self.root / folder).mkdir(parents=True, exist_ok=True)
            (self.root / path).rename(self.root / folder / path)

    @rule(path=images, folder=folders)
    def move_frame_out(self, path: str, folder: str) -> None:
        there = self.files(folder)
        if there and not (self.root / path).exists():
            self.changed(path, folder)
            self.is_calm = False
            there[-1].rename(self.root / path)

    @rule(data=st.data(), folder=folders)
    def drop_again(self, data: st.DataObject, folder: str) -> None:
        """Bring back bytes of before, from elsewhere, perhaps under another name."""
        if self.paid:
            self.changed(folder)
            self.is_calm = False
            self.inbox.write(folder, data.draw(st.sampled_from(sorted(self.paid))))

    @rule()
    def restart(self) -> None:
        self.inbox.start()

    # What the agent makes of it

    def live(self) -> list[dict[str, Any]]:
        return query(self.inbox.path, "select * from jobs where state <> 'gone' and deleted_at is null")

    def covered(self) -> list[int]:
        """Return the contents of files that are there and belong to a job that was sent."""
        return [content for contents in self.covered_by_path().values() for content in contents]

    def covered_by_path(self) -> dict[str, list[int]]:
        covered: dict[str, list[int]] = {}
        for row in query(
            self.inbox.path,
            "select jobs.path, json_group_array(json_array(frames.path, frames.digest)) as files from jobs "
            "join frames on job = id where state = 'submitted' and deleted_at is null group by id",
        ):
            there = [
                self.digests[digest]
                for path, digest in json.loads(row["files"])
                if (self.root / path).exists() and self.content(self.root / path) == self.digests[digest]
            ]
            covered.setdefault(row["path"], []).extend(there)
        return covered

    @rule()
    def look(self) -> None:
        new = self.inbox.look()
        there = self.units()
        rows = self.live()
        covered = self.covered_by_path()
        contents = {unit.path: unit.contents for unit in there}
        for row in new:
            paid = contents[row["path"]]
            others = {content for path, held in covered.items() if path != row["path"] for content in held}
            twice = [content for content in paid if self.paid[content] and content not in others]
            assert not twice, f"{row['path']} pays again for {twice}, which are nowhere else"
        for row in new:
            self.paid.update(contents[row["path"]])
        sent = {row["path"] for row in rows if row["state"] == "submitted"}
        for unit in there:
            of_it = [row for row in rows if row["path"] == unit.path]
            held = [row for row in of_it if row["state"] in ("held", "duplicate")]
            assert of_it, f"{unit} is lost"
            assert all(row["reason"] and row["error_code"] for row in held)
            if not held:
                assert sorted(covered[unit.path]) == sorted(unit.contents), f"{unit} is not what was sent: {of_it}"
        for path in (self.fresh | self.copies) & contents.keys():
            assert path in sent, f"{path} is new, and was not sent: {[row for row in rows if row['path'] == path]}"
            assert not [row for row in rows if row["path"] == path and row["state"] == "held"]
        self.fresh.clear()
        self.copies.clear()
        self.is_calm = True

    def teardown(self) -> None:
        try:
            self.look()
            before = query(self.inbox.path, "select * from jobs")
            assert not self.inbox.look(), "what is at rest is not sent"
            assert query(self.inbox.path, "select * from jobs") == before
        finally:
            self.inbox.__exit__()
            shutil.rmtree(self.place)


TestTidying = pytest.mark.timeout(0 if LONG else 400)(Tidying.TestCase)
TestTidying.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
