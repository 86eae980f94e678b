"""Three real copy tools, each with a large and slow frame; `python -m tests.tools` tries them all, and for longer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.programs import Programs
from tests.tools.sources import Sources
from tests.tools.table import TOOLS
from tests.tools.trial import Trial
from tests.tools.verdicts import Outcome, Pace, Run, Verdict

if TYPE_CHECKING:
    from pathlib import Path

PACE = Pace(quiet=1.0, takes=3.0)
"""Several times quicker than what it stands for, 30 s, and several times the pauses of the tools."""

pytestmark = pytest.mark.timeout(120)


def tried(place: Path, *runs: tuple[str, Run]) -> list[Outcome]:
    """Do all runs of tools at once; raises RuntimeError where one comes to nothing."""
    tools = {tool.name: tool for tool in TOOLS}
    programs = Programs(None)
    with Sources(place / "sources") as sources, ThreadPoolExecutor(len(runs)) as executor:
        trials = []
        for name, run in runs:
            (place / f"{name} {run}").mkdir()
            found = [programs.find(each) for each in tools[name].needs]
            trials.append(Trial(tools[name], found, run, PACE, sources, place / f"{name} {run}"))
        outcomes = list(executor.map(Trial.outcome, trials))
    if failed := [outcome for outcome in outcomes if outcome.verdict in {Verdict.FAILED, Verdict.NOT_RUN}]:
        raise RuntimeError(f"{failed}")
    return outcomes


def test_a_folder_by_a_tool_whose_temporary_names_are_known_is_sent_whole(tmp_path: Path) -> None:
    (outcome,) = tried(tmp_path, ("rsync --partial", Run.PLAIN))
    assert outcome.verdict is Verdict.WHOLE, outcome


def test_a_folder_by_a_tool_whose_temporary_names_are_not_known_is_never_sent_half(tmp_path: Path) -> None:
    runs = ("s5cmd", Run.PLAIN), ("s5cmd", Run.KILLED), ("lftp use-temp-file", Run.PLAIN)
    assert [outcome for outcome in tried(tmp_path, *runs) if not outcome.is_right] == []
