from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.errors import AlreadyRunning, FolderUnavailable, LedgerUnavailable
from agent.host import inotify_limits, locks, mounts
from agent.host.mounts import FilesystemKind
from agent.host.systemd import Notifier

if TYPE_CHECKING:
    from collections.abc import Iterator

HOLD = """
import sys
from pathlib import Path
from agent.host import locks
lock = getattr(locks, sys.argv[1])(Path(sys.argv[2]))
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def holder(function: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run another process that holds the lock."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, function, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_agent_on_the_ledger_is_refused_with_the_firsts_pid(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db.lock"
    with holder("lock_file", path) as first, pytest.raises(AlreadyRunning, match=rf"with id {first.pid}\b"):
        locks.lock_file(path)


def test_a_second_agent_on_the_folder_is_refused_with_the_firsts_pid(tmp_path: Path) -> None:
    with holder("lock_folder", tmp_path) as first, pytest.raises(AlreadyRunning, match=rf"with id {first.pid}\b"):
        locks.lock_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("depth", ["in", "in/a/b/c"])
def test_an_agent_above_or_below_another_is_refused_whichever_comes_first(tmp_path: Path, depth: str) -> None:
    upper, lower = tmp_path / "up", tmp_path / "up" / depth
    lower.mkdir(parents=True)
    with holder("lock_folder", upper) as first:
        with pytest.raises(AlreadyRunning, match=rf"lies in {upper}, which the process with id {first.pid} watches"):
            locks.lock_folder(lower)
        first.kill()
        first.wait(10)
        locks.lock_folder(lower).release()  # the killed one's lock is no obstacle
    with holder("lock_folder", lower) as first:
        with pytest.raises(AlreadyRunning, match=rf"holds a folder that the process with id {first.pid} watches"):
            locks.lock_folder(upper)
        first.kill()
        first.wait(10)
        locks.lock_folder(upper).release()


def test_neighbours_do_not_disturb_each_other(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for name in ("a", "b", "b2"):
        (tmp_path / "inboxes" / name).mkdir(parents=True)
    with holder("lock_folder", tmp_path / "inboxes" / "a"), locks.lock_folder(tmp_path / "inboxes" / "b") as ours:
        locks.lock_folder(tmp_path / "inboxes" / "b2").release()
        ours.release()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_link_is_no_way_round(tmp_path: Path) -> None:
    (tmp_path / "up" / "in").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "up" / "in")
    with holder("lock_folder", tmp_path / "up"), pytest.raises(AlreadyRunning, match="lies in"):
        locks.lock_folder(tmp_path / "link")


def test_a_folder_above_that_cannot_be_locked_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some network file systems have no locks, and some folders can be passed through and not opened."""
    (tmp_path / "up" / "in").mkdir(parents=True)
    before, flock, opened = len(os.listdir("/proc/self/fd")), fcntl.flock, os.open

    def no_lock(descriptor: int, operation: int) -> None:
        if operation & fcntl.LOCK_SH:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
        flock(descriptor, operation)

    def no_right(path: Path, flags: int, mode: int = 0o777) -> int:
        if path == tmp_path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opened(path, flags, mode)

    monkeypatch.setattr(fcntl, "flock", no_lock)
    monkeypatch.setattr(os, "open", no_right)
    with locks.lock_folder(tmp_path / "up" / "in"):
        pass
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(("function", "name"), [("lock_file", "ledger.db.lock"), ("lock_folder", ".")])
def test_a_killed_agents_lock_is_no_obstacle(tmp_path: Path, function: str, name: str) -> None:
    with holder(function, tmp_path / name) as first:
        first.send_signal(signal.SIGKILL)
        first.wait(10)
        with getattr(locks, function)(tmp_path / name):
            pass


def test_a_lock_is_free_again_after_release_and_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "l.lock"
    with locks.lock_file(path) as lock:
        assert path.read_text() == f"{os.getpid()}\n"
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(AlreadyRunning):
            locks.lock_file(path)
        lock.release()
        locks.lock_file(path).release()
    assert path.exists()


def test_a_shorter_pid_leaves_nothing_of_a_longer_one(tmp_path: Path) -> None:
    path = tmp_path / "l.lock"
    path.write_text("99999999999\n")
    with locks.lock_file(path):
        assert path.read_text() == f"{os.getpid()}\n"


def test_a_lock_is_not_inherited_by_a_program_that_is_started(tmp_path: Path) -> None:
    path = tmp_path / "l.lock"
    with (
        locks.lock_file(path),
        subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False) as child,
    ):
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"started\n")
        child.stdin.flush()
        assert child.stdout.readline() == b"started\n"
        opened = [os.readlink(f"/proc/{child.pid}/fd/{number}") for number in os.listdir(f"/proc/{child.pid}/fd")]
        child.kill()
    assert opened
    assert str(path) not in opened


def test_a_lock_that_cannot_be_made_says_why_and_leaves_no_descriptor(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(LedgerUnavailable, match="No such file or directory"):
        locks.lock_file(tmp_path / "no" / "l.lock")
    with pytest.raises(LedgerUnavailable):
        locks.lock_file(tmp_path / "link")
    with pytest.raises(LedgerUnavailable, match="Invalid argument"):
        locks.lock_file(Path("/dev/full"))
    with pytest.raises(FolderUnavailable, match="No such file or directory"):
        locks.lock_folder(tmp_path / "no")
    with locks.lock_folder(tmp_path), pytest.raises(AlreadyRunning):
        locks.lock_folder(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.fixture
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """What systemd listens on, as it stands in $NOTIFY_SOCKET, and the socket."""
    abstract = f"playment-agent-test-{os.getpid()}"
    address, shown = ("\0" + abstract, "@" + abstract) if request.param else (str(tmp_path / "n"), str(tmp_path / "n"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address)
        listening.settimeout(5)
        yield shown, listening


@pytest.mark.parametrize("listener", [False, True], indirect=True, ids=["path", "abstract"])
def test_systemd_is_told(listener: tuple[str, socket.socket]) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": listener[0]})
    notifier.ready()
    notifier.status("1,204 submitted,\n3 waiting, \udcff")
    notifier.watchdog()
    notifier.stopping()
    assert [listener[1].recv(1000) for _ in range(4)] == [
        b"READY=1",
        b"STATUS=1,204 submitted, 3 waiting, \\udcff",
        b"WATCHDOG=1",
        b"STOPPING=1",
    ]


def test_without_systemd_nothing_is_told_and_nothing_fails(caplog: pytest.LogCaptureFixture) -> None:
    Notifier({}).ready()
    assert caplog.text == ""


def test_a_systemd_that_is_gone_is_logged_and_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).watchdog()
    assert "systemd was not told 'WATCHDOG=1'" in caplog.text


def test_the_watchdogs_time_is_for_this_process_only() -> None:
    assert Notifier({}).watchdog_seconds is None
    assert Notifier({"WATCHDOG_USEC": "1500000"}).watchdog_seconds == 1.5
    assert Notifier({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": str(os.getpid())}).watchdog_seconds == 1.5
    assert Notifier({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "1"}).watchdog_seconds is None


MOUNTS = r"""21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
22 21 0:21 / /proc rw - proc proc rw
30 21 0:50 / /mnt/in\040box rw shared:1 - nfs4 host:/in rw
31 21 0:51 / /mnt/a rw - ext4 /dev/sdb1 rw
32 31 0:52 / /mnt/a rw - cifs //host/a rw
33 21 0:53 / /mnt/fuse rw - fuse.sshfs host: rw
34 21 8:2 / /mnt/usb rw - fuseblk /dev/sdc1 rw
35 21 0:54 / /mnt/mfs rw - fuse.mergerfs a:b rw
36 21 0:55 / /mnt/plain rw - fuse x rw
37 21 0:56 / /mnt/back\134slash rw - 9p x rw
"""


@pytest.mark.parametrize(
    ("path", "name", "network", "fuse"),
    [
        ("/home/x", "ext4", False, False),
        ("/", "ext4", False, False),
        ("/proc", "proc", False, False),
        ("/procedures", "ext4", False, False),
        ("/mnt/in box", "nfs4", True, False),
        ("/mnt/in box/deep/er", "nfs4", True, False),
        ("/mnt/in boxes", "ext4", False, False),
        ("/mnt/a/b", "cifs", True, False),
        ("/mnt/fuse", "fuse.sshfs", True, True),
        ("/mnt/usb/x", "fuseblk", False, False),
        ("/mnt/mfs/x", "fuse.mergerfs", False, True),
        ("/mnt/plain", "fuse", False, True),
        ("/mnt/back\\slash/x", "9p", True, False),
    ],
)
def test_the_kind_of_a_mount_is_read_from_mountinfo(path: str, name: str, network: bool, fuse: bool) -> None:
    assert mounts.kind_in(MOUNTS, path) == FilesystemKind(name, network=network, fuse=fuse)


def test_the_real_kinds_of_this_machine_are_those_that_stat_names(tmp_path: Path) -> None:
    assert mounts.filesystem_kind(Path("/proc/self")).name == "proc"
    for path in (tmp_path, Path("/dev/shm")):
        named = subprocess.run(["df", "--output=fstype", path], capture_output=True, text=True, check=True, timeout=10)
        assert mounts.filesystem_kind(path / "not" / "there").name == named.stdout.split()[1]


def test_a_link_is_followed_to_its_file_system(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/proc/sys")
    assert mounts.filesystem_kind(tmp_path / "link").name == "proc"


def test_a_folder_made_again_has_another_identity(tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    first = mounts.identity(folder)
    folder.rename(tmp_path / "old")
    assert mounts.identity(tmp_path / "old") == first
    with pytest.raises(FolderUnavailable, match="is not there"):
        mounts.identity(folder)
    folder.mkdir()
    assert mounts.identity(folder) != first


def test_inotifys_limits_are_the_kernels() -> None:
    limits = inotify_limits.inotify_limits()
    assert limits.max_user_instances == int(Path("/proc/sys/fs/inotify/max_user_instances").read_text())
    assert limits.max_user_watches > limits.max_user_instances > 0
    assert limits.max_queued_events > 0


SERVICE_MOUNTS = (
    "170 1 0:41 / / ro - overlay overlay rw\n"
    "185 170 0:46 / /tmp rw - tmpfs tmpfs rw\n"
    "186 170 0:45 /systemd/inaccessible/dir /home ro - tmpfs tmpfs rw,mode=755\n"
    "187 170 0:45 /systemd/inaccessible/dir /srv/secret ro - tmpfs tmpfs rw,mode=755\n"
    "195 185 0:46 /systemd-private-06b97-playment-agent.service-dEbitC/tmp /tmp rw - tmpfs tmpfs rw\n"
)


@pytest.mark.parametrize(
    ("path", "setting"),
    [
        ("/home/alice/inbox", "ProtectHome=yes"),
        ("/home", "ProtectHome=yes"),
        ("/srv/secret/inbox", "InaccessiblePaths=/srv/secret"),
        ("/tmp/inbox", "PrivateTmp=yes"),
        ("/srv/inbox", ""),
        ("/homes/inbox", ""),
    ],
)
def test_what_the_units_sandbox_hides_is_known(path: str, setting: str) -> None:
    assert mounts.hidden_in(SERVICE_MOUNTS, path) == setting


def test_homes_of_which_only_parts_are_bound() -> None:
    bound = "170 1 0:41 / / ro - overlay o rw\n254 170 0:63 / /home rw - tmpfs tmpfs rw\n"
    bound += "255 254 0:41 /home/alice /home/alice ro - overlay o rw\n"
    assert mounts.hidden_in(bound, "/home/bob/inbox") == "ProtectHome=tmpfs"
    assert mounts.hidden_in(bound, "/home/alice/inbox") == ""
    assert mounts.hidden(Path("/proc/self")) == ""
