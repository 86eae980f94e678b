"""`uv tool install` and `pipx install` from the project's folder, each in a home of its own, and completion."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from agent import __version__
from tests.documents import OPERATING
from tests.integration.test_operating import BLOCKS
from tests.package import copy_of_the_project

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

WRITTEN = ("`uv tool install .`", "`pipx install .`")
PYTHON = "/usr/bin/python3"
WAYS = {
    "uv": [sys.executable, "-m", "uv", "tool", "install", "--quiet", "--python", PYTHON, "."],
    "pipx": [sys.executable, "-m", "pipx", "install", "--quiet", "--python", PYTHON, "."],
}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_installed_for_one_person(way: str, tmp_path: Path) -> None:
    if find_spec(way) is None:
        pytest.skip(f"{way} is not installed: .venv/bin/pip install {way}")
    assert all(way in OPERATING for way in WRITTEN)
    project = copy_of_the_project(tmp_path / "project")
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "UV_TOOL", "PIPX"))
    }
    environment |= {"HOME": str(home), "PATH": f"{home}/.local/bin:{os.environ['PATH']}"}
    run(WAYS[way], project, environment)
    program = home / ".local/bin/playment-agent"
    assert run([program, "--version"], home, environment) == f"playment-agent, version {__version__}\n"
    assert ".TH PLAYMENT" in run([program, "manual"], home, environment)
    (block,) = [block for block in BLOCKS if "_PLAYMENT_AGENT_COMPLETE" in block]
    asked = (
        f"{block}\n. ~/.local/share/bash-completion/completions/playment-agent\n"
        "COMP_WORDS=(playment-agent bac) COMP_CWORD=1; _playment_agent_completion playment-agent\n"
        'echo "${COMPREPLY[@]}"'
    )
    assert run(["bash", "-ec", asked], home, environment) == "backup\n"


def run(command: Sequence[str | Path], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
