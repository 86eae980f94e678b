"""One commit, fetched twice to different places, gives the same small packages, named for it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.package import ROOT, asked, build

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES = 12_000_000


def test_the_same_commit_gives_the_same_bytes_and_few_of_them(tmp_path: Path) -> None:
    made = []
    for place, umask in (("one", 0o022), ("another place/two", 0o077)):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        asked("git", "clone", "--quiet", ROOT, tmp_path / place)
        made.append(build(tmp_path / place, tmp_path / place / "dist", {"TZ": f"{place[:3]}-9"}, umask=umask))
    commit = asked("git", "-C", ROOT, "rev-parse", "--short=8", "HEAD").strip()
    for name, deb in made[0].items():
        assert f".{commit}+py3." in deb.name
        assert deb.name == made[1][name].name
        assert deb.read_bytes() == made[1][name].read_bytes()
        assert os.stat(deb).st_size <= MOST_BYTES
    assert asked("git", "-C", tmp_path / "one", "status", "--porcelain") == "", "dist/ is nobody's to commit"
