"""Each finding keeps the form that findings/README.md states. None is run: they install what others release."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "findings"
README = (FOLDER / "README.md").read_text(encoding="utf-8")
FINDINGS = sorted(FOLDER.glob("*.sh"))
every_finding = pytest.mark.parametrize("path", FINDINGS, ids=lambda path: path.stem)


def test_there_are_some_and_nothing_else() -> None:
    assert len(FINDINGS) >= 3
    assert set(os.listdir(FOLDER)) == {path.name for path in FINDINGS} | {"README.md"}


def test_the_table_names_each_once() -> None:
    assert re.findall(r"^\| \[(.+?\.sh)\]\(\1\) \|", README, flags=re.MULTILINE) == [path.name for path in FINDINGS]


@every_finding
def test_it_can_be_run(path: Path) -> None:
    assert os.access(path, os.X_OK)
    assert path.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n# ")
    subprocess.run(["bash", "-n", path], check=True)


@every_finding
def test_it_says_what_was_seen_and_stops_at_the_first_failure(path: Path) -> None:
    head, _, _ = path.read_text(encoding="utf-8").partition("\nset -euo pipefail\n")
    assert all(line.startswith("#") for line in head.splitlines())
    assert "\n# Seen with " in head


@every_finding
def test_it_leaves_nothing_behind(path: Path) -> None:
    _, _, body = path.read_text(encoding="utf-8").partition("\nset -euo pipefail\n")
    made, at_end, if_ended = [line for line in body.splitlines() if line][:3]
    assert made == "place=$(mktemp -d)"
    assert at_end == """trap 'rm -rf "$place"' EXIT"""
    assert if_ended.startswith("trap 'exit 1' HUP INT TERM ")
    assert "--no-cache-dir" in body


@every_finding
def test_it_installs_pinned_packages_by_name_alone(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    (packages,) = re.findall(r"/pip\" install --quiet --no-cache-dir (.+)$", text, flags=re.MULTILINE)
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+", package) for package in packages.split())
    assert text.count('pip" install') == 1
    assert "index-url" not in text


@every_finding
def test_it_uses_nothing_of_this_repository(path: Path) -> None:
    text = path.read_text(encoding="utf-8").lower()
    assert not re.search(r"^\s*(from|import) (agent|tests)\b", text, flags=re.MULTILINE)
    assert "playment" not in text
