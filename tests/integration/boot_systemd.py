"""Boots a real systemd as process 1 of its own namespaces, on a throw-away overlay of `/`. Needs root.

Nothing of it is left when it ends: its mounts and processes die with the namespaces, its control groups are removed.
Kernel settings and /sys are read-only inside and /dev is its own, so that the host's stay as they are. The network is
a loopback of its own, so that ports cannot clash with the host's.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
SYSTEM_PYTHON = "/usr/bin/python3"
CONSOLE_SCRIPT = """\
import sys
from agent.__main__ import main
sys.exit(main())
"""
# The namespaces' mount points are made private first, so that the host never sees them. The tree is copied before the
# root is changed, since the new root has a /tmp of its own. PrivateDevices= needs a ptmx and LoadCredential= a shared
# root. Timers are masked: the host's daily jobs are not to run here.
_INNER = """
tree=$1 work=$2 root=$2/root
mount --make-rprivate /
mount -t tmpfs -o size=1g,mode=755 tmpfs "$work"
mkdir "$work/upper" "$work/scratch" "$root"
mount -t overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/scratch" overlay "$root"
cp -a "$tree/." "$root/"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm"
for node in null zero full random urandom tty; do
    touch "$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /dev/null "$root/etc/systemd/system/timers.target"
cd "$root"
pivot_root . mnt
umount -l /mnt
mount --make-rshared /
ip link set lo up
export container=sandbox
exec /lib/systemd/systemd --unit=basic.target
"""
_OUTER = """
echo $$ >"$1/cgroup.procs"
exec unshare --fork --pid --mount --cgroup --ipc --uts --net --kill-child -- bash -euc "$2" bash "$3" "$4"
"""


def reason_not_to_boot() -> str | None:
    """Return why a systemd cannot be booted here, or None where it can."""
    if os.geteuid() != 0:
        return "booting a systemd needs root"
    for program in ("/lib/systemd/systemd", "/usr/bin/unshare", "/usr/bin/nsenter", SYSTEM_PYTHON):
        if not os.access(program, os.X_OK):
            return f"booting a systemd needs {program}"
    version = subprocess.run(
        [SYSTEM_PYTHON, "-c", "import sys; print(*sys.version_info[:2])"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    if version.stdout.split() != [str(number) for number in sys.version_info[:2]]:
        return f"the packages of this Python do not fit {SYSTEM_PYTHON}, which has another version"
    return None


def install(tree: Path, program: str = CONSOLE_SCRIPT) -> None:
    """Put the project into a virtual environment at /opt/playment-agent below `tree`, `program` being its command.

    The environment is made from the system's Python, since a service cannot run one that lies in a home. The packages
    are copied from the running one, so that no package index is needed.
    """
    prefix = tree / "opt/playment-agent"
    subprocess.run([SYSTEM_PYTHON, "-m", "venv", "--without-pip", prefix], check=True, timeout=60)
    (site_packages,) = prefix.glob("lib/python3*/site-packages")
    for package in needed_by("playment-agent", {}).values():
        for file in package.files or ():
            if ".." not in file.parts:
                target = site_packages / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(str(file.locate()), target)
    shutil.copytree(ROOT / "agent", site_packages / "agent", ignore=shutil.ignore_patterns("__pycache__"))
    command = prefix / "bin/playment-agent"
    command.write_text(f"#!/opt/playment-agent/bin/python\n{program}")
    command.chmod(0o755)


def needed_by(name: str, found: dict[str, Distribution]) -> dict[str, Distribution]:
    """Add all distributions that `name` needs, itself left out, to `found`."""
    for line in distribution(name).requires or ():
        requirement = Requirement(line)
        wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if wanted and requirement.name not in found:
            found[requirement.name] = distribution(requirement.name)
            needed_by(requirement.name, found)
    return found


class Booted:
    """A running systemd. `root` is its file system as the host sees it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.root = Path(f"/proc/{pid}/root")

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command inside and return what it printed; a failure raises AssertionError with its output."""
        done = subprocess.run(
            ["nsenter", "-t", str(self.pid), "-a", "--", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,  # pip and apt beside all other tests
            check=False,
        )
        assert done.returncode == 0 or not check, f"{command} exited {done.returncode}: {done.stdout}"
        return done.stdout.strip()

    def show(self, unit: str) -> dict[str, str]:
        """Return the unit's properties as `systemctl show` gives them; it leaves the status out until there is one."""
        lines = self.run("systemctl", "show", unit).splitlines()
        return {"StatusText": ""} | {name: value for name, _, value in (line.partition("=") for line in lines)}

    def journal(self, unit: str) -> str:
        """Return what the unit has logged."""
        return self.run("journalctl", "--no-pager", "--output=cat", "--unit", unit)

    def wait_for(self, unit: str, wanted: Callable[[dict[str, str]], bool], seconds: float = 60) -> dict[str, str]:
        """Wait until the unit's properties are as `wanted`, and return them."""
        end = time.monotonic() + seconds
        while not wanted(found := self.show(unit)):
            told = {name: found.get(name) for name in ("ActiveState", "SubState", "Result", "StatusText", "NRestarts")}
            assert time.monotonic() < end, f"{unit} after {seconds} s: {told}\n{self.journal(unit)}"
            time.sleep(0.05)
        return found


@contextmanager
def boot(work: Path, tree: Path) -> Iterator[Booted]:
    """Boot on an overlay of `/` with `tree` copied over it, and kill it at the end.

    `work` is an empty folder to mount on.
    """
    group = _own_control_group() / f"playment-agent-test-{os.getpid()}-{work.parent.name}"
    group.mkdir()
    with (work.parent / f"{work.name}.log").open("w+b") as log:
        process = subprocess.Popen(
            ["/bin/bash", "-euc", _OUTER, "bash", group, _INNER, tree, work],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
        try:
            yield _wait_until_up(process, Path(log.name))
        finally:
            for child in _children(process.pid):
                os.kill(child, signal.SIGKILL)
            process.kill()
            process.wait(60)
            _remove(group)


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def _wait_until_up(process: subprocess.Popen[bytes], log: Path) -> Booted:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        for child in _children(process.pid):
            if Path(f"/proc/{child}/comm").read_text() == "systemd\n":
                booted = Booted(child)
                if booted.run("systemctl", "is-active", "basic.target", check=False) == "active":
                    return booted
        time.sleep(0.05)
    raise AssertionError(f"systemd did not boot: {log.read_text(errors='replace')}")


def _own_control_group() -> Path:
    """Return this process's folder in the cgroup2 hierarchy, wherever that is mounted."""
    mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    point = next(Path(fields[4]) for fields in mounts if fields[fields.index("-") + 1] == "cgroup2")
    own = next(line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
    return point / own.lstrip("/")


def _remove(group: Path) -> None:
    """Remove the control groups that systemd made, as soon as their processes are gone."""
    end = time.monotonic() + 60
    while group.exists():
        try:
            for folder, _, _ in os.walk(group, topdown=False):
                os.rmdir(folder)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
