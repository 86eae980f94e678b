"""A good picture that was made, and what an encoder is given to make some."""

from __future__ import annotations

import os
import random
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from tests.pictures import scenes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.programs import Program

LONGEST_SECONDS: Final = 120.0
SOURCES: Final = (
    ("street", scenes.CAMERA),
    ("street", scenes.ODD),
    ("night", scenes.CAMERA),
    ("sky", scenes.CAMERA),
    ("fisheye", scenes.SMALL),
    ("screen", scenes.CAMERA),
    ("gradient", scenes.SMALL),
    ("mask", scenes.SMALL),
    ("white", scenes.CAMERA),
    ("grey", scenes.SMALL),
    ("black", scenes.CAMERA),
)
_PLACE: Final = re.compile(r"\b(IN|OUT)\.(\w+)")


class Failed(Exception):
    """An encoder made no picture; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Good:
    """A whole picture: by whom, of what, how, and where it is."""

    encoder: str
    scene: str
    how: str
    path: str

    def __str__(self) -> str:
        return f"{self.encoder}: {self.how} ({self.scene})"


@dataclass(frozen=True, slots=True)
class Making:
    """What an encoder has: its programs, pictures to encode, and a folder of its own."""

    encoder: str
    programs: tuple[Program, ...]
    sources: Path
    out: Path
    scenes: tuple[str, ...] = field(default=tuple(f"{name}-{size[0]}x{size[1]}" for name, size in SOURCES))

    def source(self, scene: str, form: str) -> str:
        """Return the path of a scene's picture in a form: png, ppm, tif, jpg, or alpha, a PNG that has some."""
        return str(self.sources / f"{scene}.{form}")

    def path(self, scene: str, number: int, form: str) -> str:
        """Return where the picture of a scene that was made in the way of this number belongs."""
        return str(self.out / f"{scene}-{number:02}.{form}")

    def by_commands(self, ways: Sequence[str]) -> list[Good]:
        """Run a program once for each scene and way: arguments in which IN.png and OUT.jpg stand for the files."""
        wanted = [(scene, number, way) for scene in self.scenes for number, way in enumerate(ways)]
        with ThreadPoolExecutor(2) as executor:
            return list(executor.map(lambda each: self._by_command(*each), wanted))

    def _by_command(self, scene: str, number: int, way: str) -> Good:
        made = ""

        def path(found: re.Match[str]) -> str:
            nonlocal made
            if found[1] == "IN":
                return self.source(scene, found[2])
            made = self.path(scene, number, found[2])
            return made

        program = self.programs[0]
        self.run(program, [_PLACE.sub(path, part) for part in way.split()])
        if not os.path.exists(made):
            raise Failed(f"{self.encoder}: {way} ({scene}) made no file")
        return Good(self.encoder, scene, way, made)

    def run(self, program: Program, arguments: Sequence[str]) -> str:
        """Run a program and return what it printed. Raises Failed."""
        done = subprocess.run(
            [program.path, *arguments],
            env={**os.environ, **program.environ, "GST_REGISTRY": str(self.out / "registry"), "HOME": str(self.out)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
        if done.returncode:
            raise Failed(f"{self.encoder}: {' '.join(arguments)}: {done.stderr.strip()[-300:] or done.returncode}")
        return done.stdout


def write_sources(folder: Path) -> None:
    """Write every scene in the forms that encoders read."""
    folder.mkdir()
    for name, size in SOURCES:
        picture = scenes.SCENES[name](size)
        stem = folder / f"{name}-{size[0]}x{size[1]}"
        for form, options in _FORMS.items():
            picture.save(f"{stem}.{form}", **options)
        _with_alpha(picture).save(f"{stem}.alpha", "PNG")


_FORMS: Final[Mapping[str, dict[str, Any]]] = {
    "png": {"compress_level": 1}, "ppm": {}, "tif": {}, "jpg": {"quality": 92, "subsampling": 0},
}  # fmt: skip


def _with_alpha(picture: Image.Image) -> Image.Image:
    seen = picture.convert("RGBA")
    seen.putalpha(Image.frombytes("L", (16, 16), random.Random(4).randbytes(256)).resize(picture.size))
    return seen
