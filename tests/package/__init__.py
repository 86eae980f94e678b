"""The Debian packages: built from a copy of the project, and run with a system of their own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT = Path(__file__).parents[2]
OF_THE_PROJECT = ("agent", "systemd", "pyproject.toml", "README.md", "LICENSE", ".env.example")
TIME = 1_750_000_000
"""When the copy's commit was made, as `git archive` writes it on each file."""
QUICK = {"DPKG_DEB_COMPRESSOR_LEVEL": "0"}
"""Packs loosely: that alone takes half of the time."""


def reason_not_to_build() -> str | None:
    """Return why no package can be built here, or None where it can."""
    needed = ("/usr/bin/dpkg-deb", "/usr/bin/python3")
    return next((f"building a package needs {program}" for program in needed if not os.access(program, os.X_OK)), None)


def copy(names: Iterable[str], folder: Path) -> None:
    """Copy files and folders of the project into a new folder."""
    folder.mkdir(parents=True)
    for name in names:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)


def copy_of_the_project(folder: Path) -> Path:
    """Return a copy of what a package is made of, without git, as an unpacked archive of a commit is."""
    copy(OF_THE_PROJECT, folder)
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (TIME, TIME))
    return folder


def change(path: Path, pattern: str, replacement: str) -> None:
    """Change one place of a file, and leave the time on it as it is."""
    text, times = re.subn(pattern, replacement, path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert times == 1, f"{pattern} stands {times} times in {path}"
    path.write_text(text, encoding="utf-8")
    os.utime(path, (TIME, TIME))


def build(project: Path, out: Path, environment: Mapping[str, str], *, umask: int = 0o022) -> dict[str, Path]:
    """Build the packages of a copy of the project, and return them by name."""
    done = subprocess.run(
        [project / "systemd/package/build", out],
        env=os.environ | dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        umask=umask,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return {path.name.partition("_")[0]: path for path in out.glob("*.deb")}


def asked(*command: str | Path) -> str:
    """Return what a command prints; a failure raises AssertionError with its output."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{command} exited {done.returncode}: {done.stdout}"
    return done.stdout
