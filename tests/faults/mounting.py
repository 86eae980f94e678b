"""Mounts for tests: our own file system whose ways can be chosen, and those of Debian's packages."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

needs_fuse = pytest.mark.skipif(
    shutil.which("fusermount3") is None or not os.access("/dev/fuse", os.R_OK | os.W_OK),
    reason="needs /dev/fuse and fusermount3 (apt-get install fuse3)",
)


def needs(program: str) -> pytest.MarkDecorator:
    """Return a mark for a test that mounts with a program of Debian's."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"needs {program} (apt-get install {program})")


@contextlib.contextmanager
def mounted(source: Path, point: Path, *ways: str) -> Iterator[None]:
    """Show `source` at `point` through FUSE; `ways` are those of `fuse_loopback`."""
    command = [sys.executable, "-m", "tests.faults.fuse_loopback", str(source), str(point), *ways]
    with mounted_by(point, *command):
        yield


@contextlib.contextmanager
def mounted_by(point: Path, *command: str) -> Iterator[None]:
    """Mount by a command that stays, or ends when it is done."""
    point.mkdir(exist_ok=True)
    with subprocess.Popen(command, cwd=Path(__file__).parents[2]) as server:
        try:
            eventually(lambda: server.poll() or point.is_mount())
            assert point.is_mount()
            yield
        finally:
            subprocess.run(["fusermount3", "-u", "-z", str(point)], check=True)
            try:
                server.wait(5)
            except subprocess.TimeoutExpired:  # a system that another test has booted meanwhile has it mounted, too
                server.kill()
