"""`playment-agent demo`: the whole job with nothing configured, while you look."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from agent.commands import shell
from agent.demo import screen
from agent.demo.label_studio.play import ENDS, play
from agent.demo.proof import of_sandbox, receipts
from agent.demo.script import script
from agent.demo.stage import Stage
from agent.errors import AgentError
from agent.ledger.reports import STATUS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from agent.demo.proof import Receipt
    from agent.demo.script import Expected


@click.command(short_help="See the whole job in ten seconds, nothing to configure.")
@click.option("--keep", is_flag=True, help="Leave the folder with the ledger, the images and the log.")
@click.option("--s3", is_flag=True, help="Upload the images to an S3 server on this machine.")
@click.option("--label-studio", "at_label_studio", is_flag=True, help="Send to a real Label Studio, made on the spot.")
@click.option(
    "--complete-after",
    type=click.FloatRange(0, 10),
    metavar="SECONDS",
    help="Have the sandbox annotate each job so soon, and bring the results home.",
)
def demo(*, keep: bool, s3: bool, at_label_studio: bool, complete_after: float | None) -> None:
    """See the whole job in ten seconds: nothing to configure, no key, no network.

    A sandbox Playment and the real agent run on this machine, in a temporary folder, while images are dropped into
    it. The exit code is 0 only if every job came to the sandbox once, with its frames in order and the right bytes.
    With --s3 the images are uploaded to a SeaweedFS on this machine, and fetched by signed URLs. With --complete-after
    it goes on until every job's annotations are here.

    With --label-studio the jobs go to a real Label Studio on this machine: pip puts it (1 GB) into an environment of
    its own in ~/.cache/playment-agent, once, in 3 to 6 minutes. With --keep all goes on until Ctrl+C, and it says where
    to look.

    Example: playment-agent demo --keep
    """
    if at_label_studio and (s3 or complete_after is not None):
        raise click.UsageError("--label-studio goes with --keep alone.")
    console = Console(highlight=False)
    # Also where a shell started us with Ctrl-C ignored.
    for number in ENDS:
        signal.signal(number, _end)
    folder = Path(os.path.realpath(tempfile.mkdtemp(prefix="playment-demo-")))
    try:
        if at_label_studio:
            clean = play(console, folder, partial(_conclude, console, keep=keep), keep=keep)
        else:
            clean = _demo(console, Stage(folder, s3=s3, complete_after=complete_after), keep=keep, s3=s3)
    except AgentError as error:
        shell.fail(error)
    finally:
        if not keep:
            shutil.rmtree(folder)
    sys.exit(0 if clean else 1)


def _demo(console: Console, stage: Stage, *, keep: bool, s3: bool) -> bool:
    """Play the demo and report; return whether all came as it must."""
    if s3:
        console.print(Text("starting an S3 server, which takes some seconds …", "dim"))
    with stage:
        screen.opening(
            console, str(stage.inbox), "Playment", f"{stage.sandbox_url} (a sandbox, which fetches what is published)"
        )
        drops, expected = script(stage.inbox, stage.outside)
        with screen.Screen(console) as shown:
            stage.play(drops, len(expected), shown.tell, shown.show)
        # What is still on its way when all seems done would be sent twice or wrongly: it counts too.
        stage.close()
    rows = stage.rows()
    got = receipts(expected, rows, of_sandbox(stage.received), stage.annotations())
    screen.report(console, stage.status(), rows, got)
    if s3:
        screen.listed(console, "Uploaded, among others", stage.sources())
    if stage.results is not None:
        screen.listed(console, "Annotations, as files", map(str, stage.annotations() or ()))
    return _conclude(console, stage, expected, got, keep=keep)


def _conclude(
    console: Console, stage: Stage, expected: Sequence[Expected], got: Sequence[Receipt], *, keep: bool
) -> bool:
    """Say how to look again, and whether all came as it must, which is returned."""
    _to_repeat(console, stage, keep=keep)
    return _verdict(console, stage, expected, got, keep=keep)


def _end(number: int, _frame: FrameType | None) -> None:
    """Exit plainly, so that all that was started is ended and the folder removed; nothing disturbs that."""
    for each in ENDS:
        signal.signal(each, lambda *_: None)  # not SIG_IGN: of one that has come already Python would complain
    sys.exit(128 + number)


def _to_repeat(console: Console, stage: Stage, *, keep: bool) -> None:
    """Say how to ask the ledger for the same."""
    ledger = shlex.quote(str(stage.ledger))
    commands = [f"sqlite3 {ledger} '{STATUS}'"]
    if not shutil.which("sqlite3"):
        commands.append(f"{shlex.quote(sys.executable)} -m sqlite_utils query {ledger} '{STATUS}' --table")
    if keep:
        settings = shlex.quote(str(stage.env_file))
        commands.append(f"{_program()} --env-file {settings} explain drive")
    console.print(Text("\nTo look again" + ("" if keep else " (with --keep, which leaves the folder)"), "bold"))
    for command in commands:
        console.print(Text(f" {command}", "cyan"), soft_wrap=True)


def _program() -> str:
    """Return how this program was called, for a command that can be repeated."""
    if os.path.basename(sys.argv[0]) == "playment-agent":
        return shlex.quote(sys.argv[0])
    return f"{shlex.quote(sys.executable)} -m agent"


def _verdict(
    console: Console, stage: Stage, expected: Sequence[Expected], got: Sequence[Receipt], *, keep: bool
) -> bool:
    problems = [receipt for receipt in got if receipt.problem]
    console.print()
    if problems:
        console.print(Text(f"{len(problems)} of these are not as they must be.", "bold red"))
        warnings = [line for line in stage.log.read_text("utf-8").splitlines() if " INFO " not in line]
        for line in warnings[-20:]:
            console.print(Text(f" {line}", "dim"), soft_wrap=True)
    else:
        refused = sum(not unit.frames for unit in expected)
        told = f"All as it must be: {len(got)} jobs sent, each once; {refused} files refused."
        console.print(Text(told, "bold green"))
    console.print(
        Text(f"The folder {stage.folder} is left." if keep else "The folder is removed.", "dim"), soft_wrap=True
    )
    return not problems
