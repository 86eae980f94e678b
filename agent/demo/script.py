"""What is dropped, when and how, and what must come of it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.demo.pictures import picture
from agent.model import Kind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FRAME_SECONDS = 0.25
"""Between two frames of the sequence that is written one by one."""


@dataclass(frozen=True, slots=True)
class Drop:
    """One thing that is done to the inbox `at` so many seconds after the start; `says` is '' for what needs no word."""

    at: float
    says: str
    do: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Expected:
    """A unit and the job that must come of it: each frame's name and the sha256 of its bytes, in order.

    Without frames it must be refused.
    """

    path: str
    kind: Kind
    frames: tuple[tuple[str, str], ...]


def _written(path: Path, content: bytes) -> Callable[[], None]:
    def do() -> None:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)

    return do


def _renamed(outside: Path, path: Path, content: bytes) -> Callable[[], None]:
    def do() -> None:
        outside.write_bytes(content)
        os.rename(outside, path)

    return do


def _moved_in(outside: Path, folder: Path, frames: dict[str, bytes]) -> Callable[[], None]:
    def do() -> None:
        outside.mkdir()
        for name, content in frames.items():
            (outside / name).write_bytes(content)
        os.rename(outside, folder)

    return do


def script(inbox: Path, outside: Path) -> tuple[list[Drop], list[Expected]]:
    """Return the drops in order of time, and what must come of them; `outside` is a folder on the same disk.

    A name's own number decides its place: frame_2 comes before frame_10, whatever came first.
    """
    street, bridge = picture(0, 0, "JPEG"), picture(1, 0, "PNG")
    drive = {f"frame_{number}.jpg": picture(0, number, "JPEG") for number in range(1, 13)}
    night = {f"night-{number}.webp": picture(2, number, "WEBP") for number in range(8, 13)}
    broken = picture(1, 5, "JPEG")
    text = b"Dear team, please label the cars in these pictures.\n"
    drops = [
        Drop(0.0, "an image is written: street.jpg", _written(inbox / "street.jpg", street)),
        Drop(
            0.5, "an image is renamed into place: bridge.png", _renamed(outside / "b.tmp", inbox / "bridge.png", bridge)
        ),
        Drop(1.0, "a folder of 5 frames is moved in whole: night/", _moved_in(outside / "n", inbox / "night", night)),
        Drop(
            1.5,
            "a JPEG is cut in half on its way: broken.jpg",
            _written(inbox / "broken.jpg", broken[: len(broken) // 2]),
        ),
        Drop(2.0, "a text file calls itself an image: letter.jpg", _written(inbox / "letter.jpg", text)),
    ]
    drops += [
        Drop(
            2.5 + number * FRAME_SECONDS,
            "" if number else "12 frames, one by one: drive/frame_1.jpg … frame_12.jpg",
            _written(inbox / "drive" / name, content),
        )
        for number, (name, content) in enumerate(drive.items())
    ]
    expected = [
        Expected("street.jpg", Kind.IMAGE, _digests({"street.jpg": street})),
        Expected("bridge.png", Kind.IMAGE, _digests({"bridge.png": bridge})),
        Expected("night", Kind.SEQUENCE, _digests(night)),
        Expected("drive", Kind.SEQUENCE, _digests(drive)),
        Expected("broken.jpg", Kind.IMAGE, ()),
        Expected("letter.jpg", Kind.IMAGE, ()),
    ]
    return drops, expected


def _digests(files: dict[str, bytes]) -> tuple[tuple[str, str], ...]:
    return tuple((name, hashlib.sha256(content).hexdigest()) for name, content in files.items())
