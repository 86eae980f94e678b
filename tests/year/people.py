"""Who fills the folder, renames, copies, changes and deletes: with the name of each drop, and what it may cost."""

from __future__ import annotations

import hashlib
import itertools
import shutil
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core import frame_order
from agent.core.reference_id import DIGEST_DIGITS
from tests.faults.watching import picture
from tests.support import write

if TYPE_CHECKING:
    import random
    from pathlib import Path

IMAGES = 7
"""A day; and one sequence."""
UNUSED = 10
"""For so many days a name is not used again, and what was renamed is left alone: it must have been seen, and a folder
that could not be listed is looked at again after 5 s, which are as many days here."""


@dataclass(slots=True)
class Drop:
    """An image or a folder of frames. `digest` is what its job's id ends with; so many jobs it may cost."""

    path: str
    digest: str
    day: int
    least: int = 1
    most: int = 1
    is_itself: bool = True
    """Whether its bytes are still there."""
    renamed: int = -1000
    """The day on which it was, where it was."""


class People:
    """Everybody who has to do with the folder, a day after the other. Names are used again, as cameras do.

    `kept` is for how many days a drop lies there; `paid` is what was paid for by now.
    """

    def __init__(self, inbox: Path, kept: int, rng: random.Random) -> None:
        self.inbox = inbox
        self.drops: list[Drop] = []
        self.today: list[Drop] = []
        self._staging = inbox.parent / "staging"
        self._lying: list[Drop] = []
        self._wanted: Counter[str] = Counter()
        self._kept = kept
        self._rng = rng
        self._day = 0
        self._pictures = 0
        self._names = {"IMG": 3 * kept * IMAGES, "drive": 3 * kept, "burst": 10_000}
        self._next = dict.fromkeys(self._names, 0)
        self._freed: dict[str, int] = {}

    def begin(self, day: int, paid: Counter[str]) -> None:
        """Begin a day: delete what is old and was paid for."""
        self._day = day
        self.today = []
        for drop in [drop for drop in self._lying if day - drop.day > self._kept and self._is_paid(drop, paid)]:
            self._delete(drop)

    def work(self) -> None:
        """Drop what comes on every day."""
        for _ in range(IMAGES):
            self.image()
        self.sequence()

    def image(self, name: str = "IMG") -> Drop:
        """Write an image."""
        content = self._picture()
        drop = self._new(self._name(name, ".jpg"), _short(content))
        write(self.inbox / drop.path, content)
        return drop

    def sequence(self) -> Drop:
        """Move a folder of frames in."""
        frames = {f"frame_{number}.jpg": self._picture() for number in range(1, self._rng.randint(3, 7))}
        digests = [(name, hashlib.sha256(content).hexdigest()) for name, content in frames.items()]
        drop = self._new(self._name("drive", ""), frame_order.digest(digests)[:DIGEST_DIGITS])
        for name, content in frames.items():
            write(self._staging / drop.path / name, content)
        (self._staging / drop.path).rename(self.inbox / drop.path)
        return drop

    def cut(self) -> tuple[Drop, bytes]:
        """Write an image without its end; return it with its whole content."""
        content = self._picture()
        half = content[: len(content) // 2]
        drop = self._new(self._name("IMG", ".jpg"), _short(half), least=0, most=0)
        write(self.inbox / drop.path, half)
        return drop, content

    def unreadable(self) -> Drop:
        """Move an image in that nobody may read."""
        content = self._picture()
        drop = self._new(self._name("IMG", ".jpg"), _short(content))
        file = write(self._staging / drop.path, content)
        file.chmod(0)
        file.rename(self.inbox / drop.path)
        self.today.remove(drop)
        return drop

    def replace(self, drop: Drop, content: bytes) -> None:
        """Copy a whole file to where a cut one is: a drop of its own."""
        write(self.inbox / drop.path, content)
        self._new(drop.path, _short(content))
        self._lying.remove(drop)

    def change(self, drop: Drop) -> None:
        """Write other bytes into an image: no order."""
        content = self._picture()
        write(self.inbox / drop.path, content)
        drop.is_itself = False
        self.drops.append(Drop(drop.path, _short(content), self._day, least=0, most=0))

    def copy(self, drop: Drop) -> None:
        """Copy an image: another order of the same content."""
        other = self._new(self._name("IMG", ".jpg"), drop.digest)
        shutil.copyfile(self.inbox / drop.path, self.inbox / other.path)

    def rename(self, drop: Drop) -> None:
        """Rename an image."""
        before, drop.path = drop.path, self._name("IMG", ".jpg")
        self._freed[before] = drop.renamed = self._day
        (self.inbox / before).rename(self.inbox / drop.path)

    def discard(self, drop: Drop) -> None:
        """Delete an image of which nobody knows whether it was sent yet."""
        drop.least = 0
        self._wanted[drop.digest] -= 1
        self.today.remove(drop)
        self._delete(drop)

    def one_paid(self, paid: Counter[str]) -> Drop | None:
        """Choose an image of the days before that was paid for and lies there; None where there is none."""
        found = [
            drop
            for drop in self._lying
            if drop.path.startswith("IMG")
            and 0 < self._day - drop.day < self._kept
            and drop.is_itself
            and self._day - drop.renamed >= UNUSED
            and paid[drop.digest] == self._wanted[drop.digest] == 1
        ]
        return self._rng.choice(found) if found else None

    def wait_for(self, paid: Counter[str]) -> list[Drop]:
        """Return which of today's drops were not paid for yet."""
        return [drop for drop in self.today if not self._is_paid(drop, paid)]

    def _is_paid(self, drop: Drop, paid: Counter[str]) -> bool:
        return paid[drop.digest] >= self._wanted[drop.digest]

    def _new(self, path: str, digest: str, *, least: int = 1, most: int = 1) -> Drop:
        drop = Drop(path, digest, self._day, least, most)
        self.drops.append(drop)
        self._lying.append(drop)
        self._wanted[digest] += least
        if least:
            self.today.append(drop)
        return drop

    def _delete(self, drop: Drop) -> None:
        self._lying.remove(drop)
        self._freed[drop.path] = self._day
        path = self.inbox / drop.path
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def _picture(self) -> bytes:
        self._pictures += 1
        return picture(self._pictures)

    def _name(self, kind: str, end: str) -> str:
        """Return the next name of a kind that is free, and has been for long enough; where none is, a new one."""
        count, after = self._names[kind], self._next[kind]
        for number in itertools.chain(range(after, count), range(after), (count,)):
            name = f"{kind}_{number:04d}{end}"
            if not (self.inbox / name).exists() and self._day - self._freed.get(name, -UNUSED) >= UNUSED:
                break
        self._names[kind] = max(count, number + 1)
        self._next[kind] = number + 1
        return name


def _short(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGEST_DIGITS]
