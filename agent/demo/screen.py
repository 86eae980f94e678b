"""Shows the demo: a live table on a terminal, plain lines in a pipe; and the report at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from agent.core.states import AT_TARGET, WAITING, State
from agent.model.text import printable
from agent.terminal.bar import Bar
from agent.terminal.tables import STYLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from rich.console import Console

    from agent.demo.proof import Receipt
    from agent.demo.script import Drop
    from agent.demo.stage import Look
    from agent.terminal.bar import Far


class Screen:
    """Tells of drops and looks as they come. A context manager: the live table is there while it is entered."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._bar = Bar(console)
        self._told: set[str] = set()
        if console.is_terminal:
            self._live = Live(console=console, refresh_per_second=12, transient=True)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def tell(self, at: float, drop: Drop) -> None:
        """Say what was dropped."""
        if drop.says:
            self._line(at, "drop", drop.says, "bold")

    def show(self, look: Look) -> None:
        """Show how the jobs stand."""
        if self._live is not None:
            self._live.update(self._table(look))
        else:
            self._changes(look)

    def _line(self, at: float, what: str, text: str, style: str = "") -> None:
        self._console.print(
            Text.assemble((f"{at:5.1f} s  ", "dim"), (f"{what:<10} ", style or STYLES.get(what, "")), printable(text)),
            soft_wrap=not self._console.is_terminal,
        )

    def _changes(self, look: Look) -> None:
        """Print a line for each unit that was noticed, and for each change of state."""
        for job in look.jobs:
            if job["path"] not in self._told:
                self._told.add(job["path"])
                self._line(look.at, "settling", f"{_name(job)} (noticed)")
        names = {job["path"]: _name(job) for job in look.jobs}
        for event in look.events:
            job_id = "job " if event["event"] == State.SUBMITTED else ""
            detail = f": {job_id}{event['detail']}" if event["detail"] else ""
            self._line(look.at, event["event"], f"{names[event['path']]}{detail}")

    def _table(self, look: Look) -> Group:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold dim", expand=True)
        table.add_column("in the ledger", no_wrap=True)
        table.add_column("frames", justify="right", no_wrap=True)
        table.add_column("state", no_wrap=True)
        table.add_column("", ratio=1, style="dim")
        for job in look.jobs:
            note = f"job {job['job_id']}" if job["job_id"] else job["reason"]
            table.add_row(
                printable(_name(job)),
                str(job["frame_count"]),
                Text(job["state"], STYLES.get(job["state"], "")),
                Text(printable(note)),
            )
        busy = Spinner("dots", Text(f"the agent is at work, {look.at:.0f} s", "dim"), style="cyan")
        self._bar.show("sending", *(_far(look, count) for count in (lambda _job: 1, _frames, _bytes)))
        return Group(Text(), table, Text(), self._bar.progress.get_renderable(), busy)


def _far(look: Look, count: Callable[[Mapping[str, Any]], int]) -> Far:
    """Return how many are sent, and how many of those that were noticed are to be."""
    sent = sum(count(job) for job in look.jobs if job["state"] in AT_TARGET)
    return sent, sent + sum(count(job) for job in look.jobs if job["state"] in WAITING)


def _frames(job: Mapping[str, Any]) -> int:
    return int(job["frame_count"])


def _bytes(job: Mapping[str, Any]) -> int:
    return int(job["bytes"])


def _name(job: Mapping[str, Any]) -> str:
    return f"{job['path']}/" if job["kind"] == "sequence" else str(job["path"])


def opening(console: Console, inbox: str, who: str, where: str) -> None:
    """Say what is about to be seen: where files are dropped, who takes the jobs, and where that is."""
    console.print(Text("playment-agent: the whole job, on this machine alone", "bold"))
    console.print(Text.assemble((f"{'inbox':<{len(who)}} ", "dim"), inbox), soft_wrap=True)
    console.print(Text.assemble((f"{who} ", "dim"), f"{where}\n"))


def report(
    console: Console,
    status: Sequence[Mapping[str, Any]],
    rows: Iterable[Mapping[str, Any]],
    got: Iterable[Receipt],
    who: str = "the sandbox Playment",
) -> None:
    """Show what arrived, the reason of each refused file, and the status table."""
    _heading(console, f"What {who} received")
    for receipt in got:
        good, bad = Text("✓", "bold green"), Text("✗", "bold red")
        what = "1 image" if receipt.frames == 1 else f"{receipt.frames} frames in order"
        told = receipt.problem or f"one job, {what}, every byte equal"
        _say(console, bad if receipt.problem else good, receipt.path, told)
    _heading(console, "Refused, and why")
    for row in rows:
        if row["state"] == State.INVALID:
            _say(console, Text("✗", "red"), row["path"], row["reason"])
    _heading(console, "The ledger's status")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold dim")
    for column in status[0] if status else ():
        table.add_column(
            f" {column}" if column == "state" else column, justify="right" if column in {"jobs", "frames"} else "left"
        )
    for row in status:
        state, *others = row.values()
        table.add_row(Text(f" {state}", STYLES.get(state, "")), *(str(value) for value in others))
    console.print(table)


def listed(console: Console, what: str, addresses: Iterable[str]) -> None:
    """Show where something is, under the heading `what`."""
    _heading(console, what)
    for address in addresses:
        console.print(Text(f" {printable(address)}"), soft_wrap=True)


def _heading(console: Console, text: str) -> None:
    console.print()
    console.print(Text(text, "bold"))


def _say(console: Console, mark: Text, path: str, told: str) -> None:
    """Print a line that is not broken in a pipe, and broken within its column on a terminal."""
    if not console.is_terminal:
        console.print(Text.assemble(" ", mark, f" {printable(path)}: {printable(told)}"), soft_wrap=True)
        return
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=2, justify="right")
    grid.add_column(width=12)
    grid.add_column()
    grid.add_row(mark, Text(printable(path)), Text(printable(told)))
    console.print(grid)
