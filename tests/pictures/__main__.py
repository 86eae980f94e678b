"""The proof of the pictures: `python -m tests.pictures [ENCODER…]` has the encoders that are named make files, or all.

Every whole file must pass. Then a sample of each format is damaged in every way, and what is found is told as a table.
Encoders that are not installed come from PyPI and Debian into a temporary folder; those that cannot be had are said to
be NOT RUN. The exit code is 1 where a whole file is refused, or less is found than must be.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from tests.pictures import table
from tests.pictures.damage import shows_holes
from tests.pictures.encoders import ENCODERS, Encoder
from tests.pictures.judging import Verdict, damaged, judged, sample
from tests.pictures.made import Failed, Making, write_sources
from tests.programs import Missing, Programs


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.pictures", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="ENCODER", help=", ".join(encoder.name for encoder in ENCODERS))
    parser.add_argument("--missed", action="store_true", help="name every damage that is not found")
    told = "keep the programs and the pictures here; the programs are taken again by the next run"
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help=told)
    chosen = parser.parse_args()
    unknown = ", ".join(name for name in chosen.names if name not in {encoder.name for encoder in ENCODERS})
    if unknown:
        parser.error(f"no such encoder: {unknown}")
    return chosen


def made(encoders: list[Encoder], folder: Path, log: Console) -> tuple[list[Verdict], dict[str, str]]:
    """Have the encoders make their files, and judge these; return what is not to be had, with the reason, too."""
    programs, verdicts, missing = Programs(folder / "programs"), list[Verdict](), dict[str, str]()
    sources = folder / "sources"
    if not sources.exists():
        write_sources(sources)
    for encoder in encoders:
        out = folder / encoder.name
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        try:
            with log.status(encoder.name):
                found = tuple(programs.find(each) for each in encoder.needs)
                goods = encoder.make(Making(encoder.name, found, sources, out))
                verdicts += [judged(good) for good in goods]
        except (Missing, Failed) as error:
            missing[encoder.name] = str(error)
        else:
            log.print(f"{encoder.name}: {len(goods)} files", highlight=False)
    return verdicts, missing


def told(verdicts: list[Verdict], missing: dict[str, str], folder: Path, out: Console, *, name_missed: bool) -> bool:
    """Print the tables and what is wrong; return whether nothing is."""
    out.print(table.good(verdicts, missing))
    refused = [verdict for verdict in verdicts if verdict.is_refused]
    for verdict in refused:
        out.print(f"REFUSED: {verdict.good}: {verdict.problem}", highlight=False, soft_wrap=True)
    sparse = shows_holes(str(folder))
    if not sparse:
        out.print("NOT RUN: sparse: this file system does not tell of holes", highlight=False)
    shares = damaged(sample(verdicts), folder, sparse=sparse)
    out.print(table.found(shares))
    for missed in shares.missed if name_missed else ():
        out.print(f"not found: {missed}", highlight=False, soft_wrap=True)
    for short in shares.short():
        out.print(f"TOO FEW: {short}", highlight=False, soft_wrap=True)
    for name, reason in missing.items():
        out.print(f"NOT RUN: {name}: {reason}", highlight=False, soft_wrap=True)
    return not refused and not shares.short()


def main() -> int:
    """Make them, judge them, damage them."""
    chosen = arguments()
    encoders = [encoder for encoder in ENCODERS if not chosen.names or encoder.name in chosen.names]
    log, out = Console(stderr=True), Console(width=None if sys.stdout.isatty() else 200)
    with tempfile.TemporaryDirectory(prefix="playment-pictures-") as temporary:
        folder = (chosen.keep or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        verdicts, missing = made(encoders, folder, log)
        is_right = told(verdicts, missing, folder, out, name_missed=chosen.missed)
    return int(not is_right)


if __name__ == "__main__":
    sys.exit(main())
