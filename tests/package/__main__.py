"""The life of a package in a real systemd, its bytes, and the ways past it: `python -m tests.package`. Needs root.

What takes half a minute of it is in every run of the tests: `tests/integration/test_package.py`.
"""

from __future__ import annotations

import os
import sys

os.execv(
    sys.executable, [sys.executable, "-m", "pytest", "tests/package", "--timeout=1200", "-p", "no:xdist", *sys.argv[1:]]
)
