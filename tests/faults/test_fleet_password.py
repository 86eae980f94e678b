"""The password of a fleet's database is nowhere that anybody looks, whatever fails.

The long form asks all commands: `python -m tests.soak fleet_password`.
"""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

from tests.faults.test_fleet_agents import count_of, fleet_environ, fleet_trouble
from tests.postgres import PASSWORD
from tests.soak import LONG
from tests.support import Playment, command, command_lines, eventually, image, process, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.postgres import Shared

MARKER = "M4rk3r-n0b0dy-sees"
COMMANDS = [["check"], ["fleet", "status"]]
if LONG:
    COMMANDS += [
        ["status", "--json"],
        ["status"],
        ["fleet", "init"],
        ["fleet", "forget", "cam_b"],
        ["pause", "--fleet"],
    ]
    COMMANDS += [["resume", "--fleet"], ["plan"], ["explain", "inbox/a.jpg"], ["reconcile"]]

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def marked(shared: Shared) -> Iterator[Callable[[str], None]]:
    """Give what sets the password of the role; the role keeps the marker's until the test ends."""

    def let_in(password: str) -> None:
        shared.postgres.sql(f"alter role cam_a password '{password}'")

    let_in(MARKER)
    yield let_in
    let_in(PASSWORD)


def test_the_password_is_seen_by_nobody(tmp_path: Path, shared: Shared, marked: Callable[[str], None]) -> None:
    place = tmp_path / "cam_a"
    write(place / "inbox" / "a.jpg", image(1))
    ledger, seen = place / "ledger.db", list[str]()
    with Playment() as server, told_status(tmp_path / "notify") as status:
        given = fleet_environ(place, server, shared, LOG_LEVEL="debug", NOTIFY_SOCKET=str(tmp_path / "notify"))
        given |= {"FLEET_DSN": shared.postgres.dsn("cam_a", shared.name, password=MARKER)}
        assert MARKER in given["FLEET_DSN"]

        def fails(words: str) -> None:
            eventually(lambda: words in fleet_trouble(ledger), 60.0)
            eventually(lambda: any(words in each for each in status()))
            seen.extend(command_lines())
            for command_line in COMMANDS:
                done = command(*command_line, environ=given, cwd=place)
                seen.extend([done.stdout, done.stderr])

        with process("run", environ=given, cwd=place) as agent:
            eventually(lambda: count_of(ledger, "state = 'submitted'") == 1, 60.0)
            seen.extend(command_lines())
            shared.postgres.crash()
            fails("does not answer")
            shared.postgres.start()
            eventually(lambda: not fleet_trouble(ledger), 60.0)
            marked("another")
            shared.postgres.stop()
            shared.postgres.start()
            fails("refuses the password")
            marked(MARKER)
            eventually(lambda: not fleet_trouble(ledger), 60.0)
            shared.sql("alter schema fleet rename to aside")
            fails("has no tables of ours")
            shared.sql("alter schema aside rename to fleet")
            eventually(lambda: not fleet_trouble(ledger), 60.0)
            agent.terminate()
            assert agent.wait(30) == 0
        for wrong in (f"postgresql://cam_a:{MARKER}@[h", f"host=h password='{MARKER}"):
            for words in [*COMMANDS[-1:], ["run", "--once"]]:
                done = command(*words, environ=given | {"FLEET_DSN": wrong}, cwd=place)
                assert done.returncode != 0
                seen.extend([done.stdout, done.stderr])
        seen.extend(status())
    assert any("refuses the password" in each for each in seen)
    assert MARKER not in "".join(seen)
    assert MARKER not in shared.postgres.log()
    for path in place.rglob("*"):
        assert path.is_dir() or MARKER.encode() not in path.read_bytes(), path


@contextlib.contextmanager
def told_status(path: Path) -> Iterator[Callable[[], list[str]]]:
    """Be who systemd would be; give what returns all that was told until now."""
    told: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        listening.setblocking(False)

        def take() -> list[str]:
            with contextlib.suppress(BlockingIOError):
                while True:
                    told.append(listening.recv(65536).decode(errors="replace"))
            return told

        yield take
