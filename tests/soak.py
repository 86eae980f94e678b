"""The long forms of the tests: `python -m tests.soak [NAME…]` runs those whose file's or test's name holds a NAME.

`python -m tests.soak year` lives a year and prints it: see `tests/year/__main__.py`.
Tests ask `LONG` how much to do, so that a normal run does a short form of the same.
"""

from __future__ import annotations

import os
import sys

LONG = os.environ.get("SOAK") == "1"


def main(names: list[str]) -> None:
    """Become a pytest that runs the long forms; a time limit per test is the tests' own business then."""
    if names[:1] == ["year"]:
        os.execv(sys.executable, [sys.executable, "-m", "tests.year", *names[1:]])
    chosen = ["-k", " or ".join(names)] if names else []
    arguments = [sys.executable, "-m", "pytest", "tests/faults", "--timeout=3600", "-s", *chosen]
    os.execve(sys.executable, arguments, {**os.environ, "SOAK": "1"})


if __name__ == "__main__":
    main(sys.argv[1:])
