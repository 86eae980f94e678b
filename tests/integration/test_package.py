"""The Debian packages as they are built: what is in them, whose it is, how large they are, and the same each time.

Their life in a real systemd takes longer: `python -m tests.package`.
"""

from __future__ import annotations

import gzip
import io
import itertools
import os
import re
import shutil
import subprocess
import tarfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from tests.package import QUICK, ROOT, TIME, asked, build, copy_of_the_project, reason_not_to_build

if TYPE_CHECKING:
    from pathlib import Path

REASON = reason_not_to_build()
pytestmark = [pytest.mark.skipif(REASON is not None, reason=REASON or ""), pytest.mark.timeout(600)]
MOST_BYTES = 13_500_000
"""Of what is packed loosely, a seventh more than what is packed as users get it: 12 MB, as `tests.package` holds."""
IN_NONE = {"fullcheck", "bench", "test"}
REQUIREMENTS = ROOT / "systemd/package/requirements"
SITE = "./opt/playment-agent/lib/python3"


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Path]]:
    """Build one commit twice: elsewhere, by another umask, another time zone and locale."""
    folder = tmp_path_factory.mktemp("package")
    one = copy_of_the_project(folder / "one")
    other = copy_of_the_project(folder / "another place")
    (folder / "temporary files").mkdir()
    elsewhere = {"TMPDIR": str(folder / "temporary files"), "TZ": "Asia/Tokyo", "LANG": "C", "HOME": str(folder)}
    with ThreadPoolExecutor() as pool:
        first = pool.submit(build, one, folder / "1", QUICK)
        second = pool.submit(build, other, folder / "2", QUICK | elsewhere, umask=0o077)
        return [first.result(), second.result()]


@pytest.fixture(scope="module")
def debs(twice: list[dict[str, Path]]) -> dict[str, Path]:
    return twice[0]


@pytest.fixture(scope="module")
def unpacked(debs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    asked("dpkg-deb", "-R", debs["playment-agent"], folder)
    return folder


def members(deb: Path) -> list[tarfile.TarInfo]:
    packed = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], capture_output=True, check=True, timeout=60)
    return list(tarfile.TarFile.open(fileobj=io.BytesIO(packed.stdout)))


def test_there_is_one_for_each_list_of_pins_and_each_is_small_enough(debs: dict[str, Path]) -> None:
    additions = {path.stem for path in REQUIREMENTS.iterdir()} - {"agent", "build"}
    assert set(debs) == {"playment-agent"} | {f"playment-agent-{extra}" for extra in additions}
    assert {name: deb.stat().st_size for name, deb in debs.items() if deb.stat().st_size > MOST_BYTES} == {}


def test_the_same_commit_gives_the_same_bytes(twice: list[dict[str, Path]]) -> None:
    for name, deb in twice[0].items():
        assert deb.read_bytes() == twice[1][name].read_bytes(), name


def test_all_in_it_is_roots_and_nobody_elses_to_write(debs: dict[str, Path]) -> None:
    for deb in debs.values():
        for member in members(deb):
            assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "root", "root"), member.name
            assert member.mtime <= TIME, member.name
            if not member.issym():
                wanted = {0o755} if member.isdir() or "/bin/" in member.name or "/sbin/" in member.name else {0o644}
                assert member.mode in wanted, (member.name, oct(member.mode))
            assert member.isfile() or member.isdir() or member.issym(), member.name


def test_nothing_in_it_is_of_the_place_where_it_was_built(debs: dict[str, Path], unpacked: Path) -> None:
    names = [member.name for member in members(debs["playment-agent"])]
    assert not [name for name in names if re.search(r"__pycache__|\.pyc$|/RECORD$|direct_url|/pip/", name)]
    assert subprocess.run(["grep", "-rl", str(ROOT), unpacked], capture_output=True, check=False).stdout == b""


def test_it_holds_what_is_installed_by_hand_and_what_a_shell_and_man_look_for(unpacked: Path) -> None:
    units = {path.name for path in (ROOT / "systemd").iterdir() if path.suffix in {".service", ".timer"}}
    assert {path.name for path in (unpacked / "usr/lib/systemd/system").iterdir()} == units
    for unit in units:
        assert (unpacked / "usr/lib/systemd/system" / unit).read_text() == (ROOT / "systemd" / unit).read_text()
    assert (unpacked / "usr/sbin/playment-agent-check").read_text() == (ROOT / "systemd/check").read_text()
    assert os.readlink(unpacked / "usr/bin/playment-agent") == "/opt/playment-agent/bin/playment-agent"
    given = (unpacked / "usr/share/playment-agent/agent.env").read_text().splitlines()
    changed = [line for line in given if line not in (ROOT / ".env.example").read_text().splitlines()]
    assert changed == ["WATCH_DIR=/srv/inbox", "LEDGER_PATH=/var/lib/playment-agent/ledger.db"]
    manual = gzip.decompress((unpacked / "usr/share/man/man1/playment-agent.1.gz").read_bytes()).decode()
    assert "\n.SS run\n" in manual
    assert '"2025-06-15"' in manual
    for path in ("bash-completion/completions/playment-agent", "zsh/vendor-completions/_playment-agent"):
        assert "_PLAYMENT_AGENT_COMPLETE" in (unpacked / "usr/share" / path).read_text()
    assert "complete" in (unpacked / "usr/share/fish/vendor_completions.d/playment-agent.fish").read_text()
    assert "MIT License" in (unpacked / "usr/share/doc/playment-agent/copyright").read_text()


def test_it_asks_for_the_python_that_it_was_built_with_and_a_c_library_that_is_new_enough(unpacked: Path) -> None:
    control = (unpacked / "DEBIAN/control").read_text()
    python = os.readlink(unpacked / "opt/playment-agent/bin/python")
    (found,) = re.findall(r"^Depends: (.*)$", control, flags=re.MULTILINE)
    assert found.startswith(f"{python.removeprefix('/usr/bin/')}, libc6 (>= 2.")
    oldest = tuple(map(int, re.findall(r"libc6 \(>= (\d+)\.(\d+)\)", found)[0]))
    needed: set[tuple[int, ...]] = set()
    for library in unpacked.rglob("*.so*"):
        wanted = re.findall(rb"GLIBC_(\d+)\.(\d+)", library.read_bytes())
        needed |= {tuple(map(int, version)) for version in wanted}
    assert max(needed) <= oldest


def test_the_pins_are_what_the_project_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins: dict[str, Requirement] = {}
    for path in REQUIREMENTS.iterdir():
        lines = re.findall(r"^([a-z].*?)(?: \\)?$", path.read_text(), flags=re.MULTILINE)
        pins |= {requirement.name: requirement for requirement in map(Requirement, lines)}
    packed = [lines for extra, lines in project["optional-dependencies"].items() if extra not in IN_NONE]
    for line in itertools.chain(project["dependencies"], *packed):
        allowed = Requirement(line)
        assert allowed.name.lower() in pins, f"{line}: systemd/package/lock pins it"
        (version,) = (specifier.version for specifier in pins[allowed.name.lower()].specifier)
        assert version in allowed.specifier, line


SHELL = r"""
set -eu
umask 077
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
says() { echo "== $1"; }
dpkg --force-unsafe-io -i /opt/debs/*.deb
says installed
stat -c '%n %U:%G %a' /etc/playment-agent/agent.env /etc/playment-agent/api_key /srv/inbox /var/lib/playment-agent
id -Gn playment-agent
dpkg --verify playment-agent playment-agent-fleet
find /opt/playment-agent ! -type l ! -perm -044
runuser -u playment-agent -- playment-agent --version
runuser -u playment-agent -- playment-agent --env-file /etc/playment-agent/agent.env status 2>&1 || true
/opt/playment-agent/bin/python -c '
import importlib, pkgutil, sys, agent
for module in pkgutil.walk_packages(agent.__path__, "agent."):
    if module.name != "agent.__main__" and not module.name.startswith("agent.reading.full"):
        importlib.import_module(module.name)
print("imported", importlib.import_module("obstore") and sys.modules["psycopg"].pq.__impl__)'
find /opt/playment-agent -name '*.pyc' | grep -c agent/core/
bash -c '. /usr/share/bash-completion/completions/playment-agent
    COMP_WORDS=(playment-agent expl) COMP_CWORD=1; _playment_agent_completion playment-agent; echo "${COMPREPLY[@]}"'
echo changed >>/etc/playment-agent/agent.env
touch /var/lib/playment-agent/ledger.db
says again
dpkg --force-unsafe-io -i /opt/debs/playment-agent_*.deb
tail -n 1 /etc/playment-agent/agent.env
dpkg --force-unsafe-io -r $(dpkg-query --show --showformat '${Package} ' 'playment-agent*')
says removed
ls /opt /etc/playment-agent
dpkg --force-unsafe-io -P playment-agent
says purged
ls -d /etc/playment-agent /opt/playment-agent /var/lib/playment-agent/ledger.db /srv/inbox 2>/dev/null || true
id -un playment-agent
"""
OVERLAY = """
work=$1 debs=$2
mount -t tmpfs -o size=1g,mode=755 tmpfs "$work"
mkdir "$work/upper" "$work/scratch" "$work/root"
mount -t overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/scratch" overlay "$work/root"
mount -t proc proc "$work/root/proc"
mount --rbind /dev "$work/root/dev"
mount -t tmpfs tmpfs "$work/root/run"
mount -t tmpfs -o mode=1777 tmpfs "$work/root/tmp"
mkdir -p "$work/root/opt/debs"
cp "$debs"/*.deb "$work/root/opt/debs"
rm -f "$work/root/var/lib/man-db/auto-update"
exec chroot "$work/root" bash -c "$3"
"""
"""A root of its own over this one, where dpkg looks not through all manual pages each time that one comes or goes."""


@pytest.mark.skipif(os.geteuid() != 0, reason="a root of its own needs root")
def test_it_is_installed_and_purged_where_no_systemd_runs(debs: dict[str, Path], tmp_path: Path) -> None:
    inside = ("unshare", "--mount", "--pid", "--fork", "--propagation", "private", "--kill-child")
    said = asked(*inside, "bash", "-euc", OVERLAY, "bash", tmp_path, debs["playment-agent"].parent, SHELL)
    first, *parts = re.split(r"^== \w+\n", said, flags=re.MULTILINE)
    assert "playment-agent is installed, and sends nothing yet." in first
    installed, again, removed, purged = parts
    lines = installed.splitlines()
    assert lines[:5] == [
        "/etc/playment-agent/agent.env root:playment-agent 640",
        "/etc/playment-agent/api_key root:root 600",
        "/srv/inbox root:inbox 2775",
        "/var/lib/playment-agent playment-agent:playment-agent 700",
        "playment-agent inbox",
    ]
    assert lines[5].startswith("playment-agent, version "), "dpkg --verify and find say nothing"
    assert "imported binary" in lines
    assert "explain" in lines[-1], "completion"
    assert "sends nothing yet" not in again
    assert "\nchanged\n" in again
    assert "playment-agent" not in removed.partition("/etc/playment-agent:")[0]
    assert "agent.env" in removed
    assert "settings and key are removed. /var/lib/playment-agent stays" in removed
    assert purged.splitlines() == ["/srv/inbox", "/var/lib/playment-agent/ledger.db", "playment-agent"]


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="Debian's mandoc is not installed")
def test_the_manual_page_has_no_flaw(unpacked: Path, tmp_path: Path) -> None:
    page = tmp_path / "playment-agent.1"
    page.write_bytes(gzip.decompress((unpacked / "usr/share/man/man1/playment-agent.1.gz").read_bytes()))
    assert asked("mandoc", "-T", "lint", page) == ""
