"""One trial: a tool copies a folder into that of a running agent, and what the agent orders is compared with it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.benchmarks.running import Running
from tests.programs import Missing
from tests.support import Playment, query
from tests.tools.copying import Copying
from tests.tools.seen import Seen
from tests.tools.sources import DRIVE, LARGE, MARKED, MARKER, WAVES, Sources
from tests.tools.verdicts import GRACE_SECONDS, Outcome, Pace, Run, Tool, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from agent.sandbox.server import Answer, Request
    from tests.programs import Program


class Failed(Exception):
    """The trial cannot be judged; the text says why."""


class Orders(Playment):
    """A Playment that compares the folder of each order, when it comes, with what was to be copied."""

    def __init__(self, source: Path, names: list[str], inbox: Path) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self._source, self._names, self._inbox = source, names, inbox

    def _call(self, call: str, request: Request) -> Answer:
        answer = super()._call(call, request)
        if call == "create_job":
            receipt = self.receipts[-1]
            if wrong := self._compared(receipt.path, receipt.names):
                self.wrong.append(wrong)
        return answer

    def _compared(self, path: str, names: Sequence[str]) -> str:
        if path != "drive" or len(self.receipts) > 1:
            return f"a further job, for {path}"
        if list(names) != self._names:
            lacking = sorted(set(self._names) - set(names))
            return f"{len(names)} of {len(self._names)} frames, without {', '.join(lacking[:3])}"
        changed = [name for name in names if not _is_same(self._source / name, self._inbox / path / name)]
        return f"other bytes in {', '.join(changed)}" if changed else ""


class Trial:
    """A tool, a run, and a `place` of its own; `outcome` does it."""

    def __init__(
        self, tool: Tool, programs: Sequence[Program], run: Run, pace: Pace, sources: Sources, place: Path
    ) -> None:
        self._tool, self._programs, self._run, self._pace, self._sources = tool, programs, run, pace, sources
        self._place, self._inbox = place, place / "inbox"
        self._name = {Run.MARKER: MARKED, Run.WAVES: WAVES}.get(run, DRIVE)
        self._names = sources.names(self._name)
        self._source = sources.folder / self._name

    def outcome(self) -> Outcome:
        """Copy, wait and judge."""
        started = time.monotonic()
        base = Outcome(self._tool.name, self._run, self._tool.expected[self._run], Verdict.FAILED)
        try:
            outcome = self._judged(base)
        except Missing as missing:
            outcome = replace(base, verdict=Verdict.NOT_RUN, reason=str(missing))
        except (Failed, RuntimeError, subprocess.TimeoutExpired) as failed:
            outcome = replace(base, reason=str(failed))
        version = self._programs[0].version(*self._tool.version)
        return replace(outcome, version=version, seconds=time.monotonic() - started)

    def _judged(self, base: Outcome) -> Outcome:
        sizes = {path.name: path.stat().st_size for path in self._source.iterdir()}
        with (
            Orders(self._source, self._names, self._inbox) as orders,
            Running(self._place, orders.url, **self._settings()) as agent,
        ):
            self._orders, self._agent = orders, agent
            agent.until(agent.has_scanned)
            with Seen(self._inbox, sizes) as self._seen:
                verdict, reason = self._killed() if self._run is Run.KILLED else self._copied(self._rate())
            again = None
            if self._run is Run.KILLED and verdict is not Verdict.HALF:
                again, told = self._copied(None)
                reason = "; then: ".join(filter(None, (reason, told)))
            return replace(base, verdict=verdict, reason=reason, seen=self._seen.patterns, again=again)

    def _settings(self) -> dict[str, str]:
        quiet = {"SETTLE_SECONDS": "0.2", "SEQUENCE_SETTLE_SECONDS": str(self._pace.quiet)}
        marker = {"SEQUENCE_READY_MARKER": MARKER, "SEQUENCE_SETTLE_SECONDS": "30"}
        return quiet | (marker if self._run is Run.MARKER else {})

    def _rate(self) -> float:
        """The bytes a second at which the large frame takes its time, or ten frames come together once in a while.

        A tool that gives a small file its bytes at once shows nothing between two waves: only its pace does.
        """
        if self._run is Run.WAVES:
            return self._sources.size(WAVES) / len(self._names) * 10 / (1.5 * self._pace.quiet)
        return (self._source / LARGE).stat().st_size / self._pace.takes

    def _brisk(self) -> float:
        """The bytes of two waves: from pauses within the quiet time the agent learns of longer ones."""
        return self._sources.size(WAVES) / len(self._names) * 20 if self._run is Run.WAVES else 0.0

    def _copied(self, rate: float | None) -> tuple[Verdict, str]:
        """Let the tool come to its end, and wait for the job."""
        longest = 10 * self._pace.takes + 3 * GRACE_SECONDS
        with self._copying(rate) as process:
            if not self._await(lambda: self._orders.wrong or process.poll() is not None, longest):
                raise Failed(f"the tool did not end within {longest:g} s")
            if process.poll():
                raise Failed(f"the tool ended with {process.poll()}: {self._said()}")
            if process.poll() == 0 and (lacking := [name for name in self._names if not self._has_come(name)]):
                raise Failed(f"the tool has ended well, without {', '.join(lacking)}: {self._said()}")
            self._await(lambda: self._orders.receipts, self._pace.longest)
            # It is as good as another job when the folder is held for a change once it is sent.
            if self._orders.receipts and not self._orders.wrong:
                self._await(lambda: self._orders.wrong, self._pace.quiet + 1)
        return self._verdict()

    def _killed(self) -> tuple[Verdict, str]:
        """Kill the tool when half of the large frame's time is over, and watch for as long as a folder may wait."""
        with self._copying(self._rate()) as process:
            half = self._pace.takes / 2
            self._await(lambda: process.poll() is not None or self._seen.seconds() > half, half + 3 * GRACE_SECONDS)
            if process.poll() is not None or self._has_come(LARGE):
                raise Failed(f"it was over before it could be killed: {self._said()}")
            self._kill(process)
            self._await(lambda: self._orders.receipts, self._pace.watched)
        return self._verdict()

    def _verdict(self) -> tuple[Verdict, str]:
        stopped = "select * from jobs where state in ('held', 'invalid', 'failed', 'duplicate', 'gone')"
        rows = query(self._place / "ledger.db", stopped)
        told = "; ".join(f"{row['path']} {row['state']} ({row['error_code']}): {row['reason']}" for row in rows)
        if self._orders.wrong:
            return Verdict.HALF, "; ".join((*self._orders.wrong, *filter(None, (told,))))
        if self._orders.receipts:
            return (Verdict.HALF, f"sent, and then {told}") if told else (Verdict.WHOLE, "")
        return (Verdict.HELD, told) if told else (Verdict.WAITING, "")

    @contextlib.contextmanager
    def _copying(self, rate: float | None) -> Iterator[subprocess.Popen[bytes]]:
        """Run the tool until the block ends, with all processes that it starts."""
        with ExitStack() as stack:
            copying = Copying(
                self._programs, self._sources, self._name, self._inbox, self._place, rate, self._brisk(), stack
            )
            command = self._tool.command(copying)
            environ = {"PATH": os.environ["PATH"], "HOME": str(self._place), "LC_ALL": "C.UTF-8", **command.environ}
            log = stack.enter_context(open(self._place / "tool.log", "ab"))
            process = subprocess.Popen(
                command.argv,
                env=environ,
                cwd=self._place,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            with process:
                try:
                    yield process
                finally:
                    if process.poll() is None:
                        self._kill(process)

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a tool that runs, with all processes that it has started; how it is cleared up after is not its way."""
        self._seen.end()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _await(self, condition: Callable[[], object], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        self._agent.until(lambda: condition() or time.monotonic() > deadline)
        return bool(condition())

    def _has_come(self, name: str) -> bool:
        return _is_same(self._source / name, self._inbox / "drive" / name)

    def _said(self) -> str:
        return (self._place / "tool.log").read_text(errors="replace").strip()[-300:]


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.read_bytes() == other.read_bytes()
    except FileNotFoundError:
        return False
