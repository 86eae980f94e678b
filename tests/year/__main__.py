"""A year of the agent in fast motion: `python -m tests.soak year [--seed SEED] [--months COUNT]`.

Real processes, a real ledger on a small disk, files, HTTP on loopback and a clock that goes on by a day a second; it
begins with a ledger of 0.1.0. The year is printed as a table, and what was wrong with it; the exit code is 1 then.
Needs libfaketime, and a kernel that lets anybody mount in a namespace of his own.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from tests.faults.test_clocks import LIBRARIES
from tests.faults.watching import NAMESPACE, namespaces
from tests.year.calendar import MONTHS, SHORT
from tests.year.life import Life
from tests.year.process import Ended
from tests.year.table import table, told

if TYPE_CHECKING:
    from collections.abc import Iterator

INSIDE = "YEAR_INSIDE"
DISK_MIB = 96


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak year", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000), help="to live it again")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="copy the agent's log and ledger there")
    parser.add_argument("--months", type=int, default=12, choices=range(13), help="fewer of them; 0: a short one")
    return parser.parse_args()


def why_not() -> str:
    """Say what is missing here, '' where nothing is."""
    if not LIBRARIES:
        return "libfaketime is not installed (apt-get install faketime)"
    if not namespaces():
        return "user namespaces cannot be made here: no disk can be mounted that gets full"
    return ""


@contextlib.contextmanager
def small_disk(point: Path) -> Iterator[None]:
    """Mount a disk that can be filled."""
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "disk", str(point)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(point)], check=True)


def main() -> int:
    """Live it and print it."""
    chosen = arguments()
    out = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    months = MONTHS[: chosen.months] or SHORT
    out.print(f"seed {chosen.seed}: {sum(months)} days", soft_wrap=True)
    log = Console(stderr=True, highlight=False)
    with tempfile.TemporaryDirectory(prefix="playment-year-") as folder, small_disk(Path(folder) / "disk"):
        life = Life(
            Path(folder),
            Path(folder) / "disk",
            months,
            chosen.seed,
            lambda month: log.print(told(month), soft_wrap=True),
        )
        try:
            year = life.live()
        except Ended as ended:
            out.print(f"day {life.day}: {ended}", soft_wrap=True, markup=False)
            return 1
        finally:
            if chosen.keep:
                shutil.copytree(folder, chosen.keep, dirs_exist_ok=True)
    out.print(table(year))
    for problem in year.problems:
        out.print(f"WRONG: {problem}", soft_wrap=True, markup=False)
    out.print(f"{year.seconds:.0f} s, {len(year.problems)} problems (seed {year.seed})")
    return int(bool(year.problems))


def enter() -> None:
    """Become the same program where anybody may mount."""
    if missing := why_not():
        sys.exit(missing)
    command = [*NAMESPACE, "--mount", sys.executable, "-m", "tests.year", *sys.argv[1:]]
    os.execvpe(command[0], command, {**os.environ, INSIDE: "1"})


if __name__ == "__main__":
    if INSIDE not in os.environ:
        enter()
    sys.exit(main())
