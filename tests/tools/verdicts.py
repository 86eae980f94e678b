"""What is tried with a tool, and what may come of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.programs import Command, Debian, PyPI
    from tests.tools.copying import Copying

GRACE_SECONDS = 10.0
"""How long a busy machine may take for what takes no time."""


class Run(enum.StrEnum):
    """What is done with a tool."""

    PLAIN = "plain"
    """A folder of four frames, of which the third is large and slow."""
    KILLED = "killed"
    """The same; the tool is killed half way, and run once more when it was seen that nothing is sent."""
    MARKER = "marker"
    """The same with a ready marker among the files, at SEQUENCE_SETTLE_SECONDS' own default."""
    WAVES = "waves"
    """A folder of sixty frames of one size on a slow link."""


class Verdict(enum.StrEnum):
    """What became of the folder."""

    WHOLE = "whole"
    """One job with all frames, of the bytes that the source has."""
    HELD = "held"
    """No job; a row says why."""
    WAITING = "waiting"
    """No job, and nothing is said: it still waits for more."""
    HALF = "HALF"
    """A job without all frames, with other bytes, or more than one job."""
    FAILED = "failed"
    """The trial itself came to nothing."""
    NOT_RUN = "NOT RUN"
    """The tool is not to be had here."""


class Expected(enum.Enum):
    """Which verdicts are right."""

    WHOLE = "whole", frozenset({Verdict.WHOLE})
    KEPT = "held or waiting; run again: whole", frozenset({Verdict.HELD, Verdict.WAITING})
    ELSEWHERE = "bytes lie elsewhere: may be half, the README says so", frozenset(Verdict) - {Verdict.FAILED}

    def __init__(self, told: str, verdicts: frozenset[Verdict]) -> None:
        self.told = told
        self.verdicts = verdicts


@dataclass(frozen=True, slots=True)
class Tool:
    """A copy tool: how it is called, which programs that needs (itself first), and what is right for each run."""

    name: str
    needs: tuple[PyPI | Debian, ...]
    command: Callable[[Copying], Command]
    expected: Mapping[Run, Expected]
    version: tuple[str, ...] = ("--version",)


@dataclass(frozen=True, slots=True)
class Pace:
    """How time is scaled: `quiet` for the 30 s of SEQUENCE_SETTLE_SECONDS, `takes` that the large frame takes."""

    quiet: float
    takes: float

    @property
    def longest(self) -> float:
        """The longest that a folder may wait when all is there: four times the longest pause between arrivals."""
        return 4 * self.takes + 2 * self.quiet + GRACE_SECONDS

    @property
    def watched(self) -> float:
        """How long it is watched that nothing is sent: that, where the tool was killed after half of its time."""
        return 4 * self.takes / 2 + 2 * self.quiet + 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a trial; `seen` are the names that the tool wrote under."""

    tool: str
    run: Run
    expected: Expected
    verdict: Verdict
    reason: str = ""
    version: str = ""
    seen: str = ""
    again: Verdict | None = None
    seconds: float = 0.0

    @property
    def is_right(self) -> bool:
        """Whether it is as expected, or could not be tried."""
        return self.verdict is Verdict.NOT_RUN or (
            self.verdict in self.expected.verdicts
            and (self.expected is Expected.ELSEWHERE or self.again in {None, Verdict.WHOLE})
        )

    @property
    def told(self) -> str:
        """The verdict in words."""
        return f"{self.verdict}, then {self.again}" if self.again else str(self.verdict)
