"""Two agents on one ledger or folder, what a killed one leaves, and commands beside a running service."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.support import Playment, command, environ, eventually, image, process, query, write

if TYPE_CHECKING:
    from pathlib import Path

OBEYED_SECONDS = 2.0


def scanned(ledger: Path, pid: int) -> bool:
    if not ledger.exists():
        return False
    try:
        agent = {row["key"]: row["value"] for row in query(ledger, "select key, value from agent")}
    except Exception:  # noqa: BLE001 (its tables are being made)
        return False
    return agent.get("pid") == str(pid) and agent.get("last_scan_at", "") >= agent["started_at"]


def test_the_second_is_refused_with_the_firsts_pid(tmp_path: Path) -> None:
    with Playment() as playment:
        surroundings = environ(tmp_path, playment.url)
        ledger = tmp_path / "ledger.db"
        other_place = tmp_path / "other"
        other_place.mkdir()
        (other_place / "inbox").mkdir()
        seconds = {
            "the service again": (("run",), surroundings),
            "by hand": (("run", "--once"), surroundings),
            "its own ledger": (("run", "--once"), {**surroundings, "LEDGER_PATH": str(other_place / "ledger.db")}),
            "its own folder": (("run", "--once"), {**surroundings, "WATCH_DIR": str(other_place / "inbox")}),
            "an archive": (("baseline",), surroundings),
        }
        with process("run", environ=surroundings, cwd=tmp_path) as first:
            eventually(lambda: scanned(ledger, first.pid))
            write(tmp_path / "inbox" / "a.jpg", image(1))
            with ThreadPoolExecutor() as pool:
                refused = dict(
                    zip(
                        seconds,
                        pool.map(lambda call: command(*call[0], environ=call[1], cwd=tmp_path), seconds.values()),
                        strict=True,
                    )
                )
            for name, second in refused.items():
                assert second.returncode == 2, (name, second.stderr)
                assert f"the process with id {first.pid}" in second.stderr, (name, second.stderr)
                assert len(second.stderr.splitlines()) == 1, second.stderr
            eventually(lambda: playment.paths() == ["a.jpg"])
            first.send_signal(signal.SIGKILL)
            first.wait(timeout=10)
        assert (tmp_path / "ledger.db.lock").read_text() == f"{first.pid}\n"
        # The dead one's lock is not in the way, not even where its pid is another process's now.
        (tmp_path / "ledger.db.lock").write_text("1\n")
        write(tmp_path / "inbox" / "b.jpg", image(2))
        after = command("run", "--once", environ=surroundings, cwd=tmp_path)
        assert after.returncode == 0, after.stderr
        assert playment.paths() == ["a.jpg", "b.jpg"]


def test_commands_work_beside_a_running_service_and_are_obeyed(tmp_path: Path) -> None:
    with Playment() as playment:
        surroundings = environ(tmp_path, playment.url, SEQUENCE_GAPS="hold")
        inbox, ledger = tmp_path / "inbox", tmp_path / "ledger.db"

        def run(*arguments: str, code: int = 0) -> float:
            done = command(*arguments, environ=surroundings, cwd=tmp_path)
            assert done.returncode == code, done.stdout + done.stderr
            return time.monotonic()

        def becomes(path: str, state: str, since: float) -> None:
            """Wait for a state; by the ledger's own times the order was obeyed in time."""
            eventually(
                lambda: (
                    [row["state"] for row in query(ledger, "select state from jobs where path = ?", path)] == [state]
                )
            )
            assert time.monotonic() - since < 10 * OBEYED_SECONDS

        for number in (*range(1, 12), 13):
            write(inbox / "gap" / f"frame_{number}.jpg", image(number))
        write(inbox / "broken.jpg", image(20)[:300])
        write(inbox / "unwanted.jpg", image(21)[:300])
        with process("run", environ=surroundings, cwd=tmp_path) as service:
            eventually(lambda: scanned(ledger, service.pid))
            becomes("gap", "held", time.monotonic())
            becomes("broken.jpg", "invalid", time.monotonic())
            for arguments, code in (
                (("status",), 1),
                (("plan",), 0),
                (("explain", "inbox/gap"), 0),
                (("status", "--json"), 1),
            ):
                run(*arguments, code=code)

            ordered = run("pause")
            time.sleep(OBEYED_SECONDS)  # what the agent may take, no more
            write(inbox / "waits.jpg", image(30))
            becomes("waits.jpg", "pending", ordered)
            ordered = run("retry", "gap")
            becomes("gap", "pending", ordered)
            ordered = run("dismiss", "unwanted.jpg")
            becomes("unwanted.jpg", "ignored", ordered)
            assert playment.paths() == []
            resumed = run("resume")
            becomes("waits.jpg", "submitted", resumed)
            becomes("gap", "submitted", resumed)
            first = min(receipt.at for receipt in playment.receipts)
            assert first - resumed < 10 * OBEYED_SECONDS
            assert playment.paths() == ["gap", "waits.jpg"]

            # Made whole without an event that would tell (the folder's times stay as they were): retry looks again.
            ordered = run("retry", "broken.jpg")
            becomes("broken.jpg", "invalid", ordered)
            service.terminate()
            assert service.wait(timeout=25) == 0
        assert "Traceback" not in (tmp_path / "agent.log").read_text()


@pytest.mark.parametrize("first", ["upper", "lower"])
def test_of_two_agents_one_inside_the_other_the_second_is_refused(tmp_path: Path, first: str) -> None:
    """A plain unit's /srv/inbox and another's /srv/inbox/NAME: every image was paid for twice. Who only reads may."""
    with Playment() as playment:
        upper = environ(tmp_path, playment.url, IMAGE_FOLDERS="*")
        lower = {**upper, "WATCH_DIR": str(tmp_path / "inbox" / "cam-1"), "LEDGER_PATH": str(tmp_path / "lower.db")}
        write(tmp_path / "inbox" / "cam-1" / "a.jpg", image(1))
        runs, second = (upper, lower) if first == "upper" else (lower, upper)
        with process("run", environ=runs, cwd=tmp_path) as running:
            eventually(lambda: playment.jobs)
            for arguments in (("run",), ("run", "--once"), ("baseline",)):
                refused = command(*arguments, environ=second, cwd=tmp_path)
                assert refused.returncode == 2, refused.stderr
                assert f"the process with id {running.pid} watches" in refused.stderr
                assert len(refused.stderr.splitlines()) == 1
            assert command("plan", environ=second, cwd=tmp_path).returncode == 0
            assert len(playment.jobs) == 1
