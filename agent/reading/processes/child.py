"""A process that looks at files for the agent: `python -m agent.reading.processes.child CODE`. I/O.

It reads pickles from its standard input, a Scanner with ImageRules and then requests, and writes an answer to each on
its standard output (None for the first: it is ready), with the number of the request. It has no key and no ledger, and
changes nothing.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.core.fingerprints import fingerprint_of
from agent.errors import FileChanged, FolderUnavailable
from agent.reading.check import decoded
from agent.reading.examiner import FileExaminer

if TYPE_CHECKING:
    from agent.core.image_rules import ImageRules
    from agent.folder.scanner import Scanner
    from agent.model import File
    from agent.reading.formats.source import Finding, Source

NOT_DECODED = "only decoding can tell"
"""The problem of a file which is left to the agent: decoding takes up to 358 MB, so one process does it."""
MOST_PIXELS = 24_000_000
"""What is decoded here, where every picture is: 96 MB."""

Request = tuple[str, "list[File] | str | None"]
"""A folder and files in it: asks for the fields of each file's `Image`, in order (a bare tuple is pickled in a quarter
of the time). Or a folder and its ready marker: asks for the `fingerprint_of` its image files, None where it is gone."""

Answer = list[tuple[Any, ...]] | bytes | FileChanged | FolderUnavailable | None


def code() -> str:
    """Return what tells this code from any other: an agent may be replaced while it runs."""
    files = sorted(Path(__file__).parents[2].rglob("*.py"))
    told = [(file.name, status.st_size, status.st_mtime_ns) for file in files for status in (file.stat(),)]
    return sha256(repr(told).encode()).hexdigest()[:16]


def decoded_here(source: Source, form: str, finding: Finding, rules: ImageRules) -> str | None:
    """Decode no doubtful picture, and no large one."""
    width, height = finding.pixels or (0, 0)
    is_large = max(4 * width * height, finding.held_bytes) > 4 * MOST_PIXELS
    if not rules.decodes or finding.doubt or is_large:
        return NOT_DECODED
    return decoded(source, form, finding, rules)


def answer(scanner: Scanner, files: FileExaminer, request: Request) -> Answer:
    """Do what is asked; an error that is the agent's to handle is an answer, too."""
    folder, what = request
    try:
        if isinstance(what, list):
            return [tuple(image) for _, image in files.images(folder, what)]
        listing = scanner.list(folder, what)
    except (FileChanged, FolderUnavailable) as error:
        return error
    return None if listing is None else fingerprint_of(listing.files)


def main() -> None:
    """Answer until the standard input ends, which it does with the agent, however that ends."""
    for each in (signal.SIGINT, signal.SIGTERM):  # these go to the whole service: the agent says when it is over
        signal.signal(each, signal.SIG_IGN)
    _same_code()
    # The answers end with the process and no sooner: whoever finds that they have may kill it while it says why.
    with open(sys.stdin.fileno(), "rb", closefd=False) as requests, open(os.dup(1), "wb", closefd=False) as answers:
        os.dup2(2, 1)  # whatever else might be printed is no answer
        with contextlib.suppress(EOFError, BrokenPipeError):
            given: tuple[Scanner, ImageRules] = pickle.load(requests)  # noqa: S301 - from the agent
            scanner, rules = given
            imported = len(sys.modules)
            files = FileExaminer(scanner, decode=decoded_here, rules=rules)
            number, found = 0, None  # that it is ready
            while True:
                pickle.dump((number, found), answers, pickle.HIGHEST_PROTOCOL)
                answers.flush()
                number, request = pickle.load(requests)  # noqa: S301
                found = answer(scanner, files, request)
                if len(sys.modules) != imported:  # what looked at files of another format, or decoded the first one
                    _same_code()
                    imported = len(sys.modules)


def _same_code() -> None:
    """End the process where what it has imported may be another version's than the agent's."""
    if sys.argv[1:] != [code()]:
        sys.exit("the playment-agent that runs is not the one that is installed now: restart it")


if __name__ == "__main__":
    main()
