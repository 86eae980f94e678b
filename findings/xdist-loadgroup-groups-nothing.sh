#!/usr/bin/env bash
# pytest 9.2.0 with pytest-xdist 3.8.0: `--dist=loadgroup` keeps no group together, and does not say so.
#
# Tests of one `xdist_group` are to run in one process, as for a server that they share. pytest-xdist writes the group
# behind a test's node id by setting `_nodeid`; pytest 9.2's `nodeid` does not show that, so what is scheduled has no
# group, and each test goes to whoever is free. The run says "scheduling tests via LoadGroupScheduling", and passes: what
# a group was for (one start of a server, no two at one file) is lost in silence. With pytest 9.1.1 it is kept.
#
# Seen with pytest 9.2.0 and pytest-xdist 3.8.0 on Python 3.11, 2 processes, 6 tests of one group that take 0.1 s each:
#   scheduling tests via LoadGroupScheduling
#   tests of the group ran in 2 processes
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
trap 'exit 1' HUP INT TERM # what runs now ends first, and writes no more into it
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-cache-dir pytest==9.2.0 pytest-xdist==3.8.0

cat > "$place/test_group.py" <<'PYTHON'
import os
import time

import pytest


@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(6))
def test_one(number):
    time.sleep(0.1)
    with open(os.environ["SEEN"], "a") as seen:
        seen.write(os.environ["PYTEST_XDIST_WORKER"] + "\n")
PYTHON

cd "$place"
SEEN="$place/seen" venv/bin/pytest -p no:cacheprovider -n 2 --dist=loadgroup -v test_group.py > log || { cat log >&2; exit 1; }
grep -o "scheduling tests via LoadGroupScheduling" log
processes=$(sort -u seen | wc -l)
echo "tests of the group ran in $processes processes"
[ "$processes" -eq 2 ] || { echo "this has changed" >&2; exit 1; }
