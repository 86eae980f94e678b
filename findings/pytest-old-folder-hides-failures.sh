#!/usr/bin/env bash
# pytest 9.2.0: where warnings are errors, a folder that an earlier run has left hides which tests of this one failed.
#
# pytest keeps the `tmp_path` folders of three runs, and deletes the one before them as a run ends. What it cannot delete
# it warns of; that is no failure of any test, and is told at the end, below all else. With `-W error` (or
# `filterwarnings = error`, as many projects have it) the warning is raised instead, and in the session's finish, before
# the failures are told: there is a traceback about a folder of long ago, and no FAILURES, no summary, no count. The
# test's `F` is all that is left. It takes no more than a server that a test has forgotten, which goes on writing in its
# folder: the run that suffers is the third after it, and the next one is fine again.
#
# Seen with pytest 9.2.0, the same failing test in the third run after one that left such a process:
#   warnings as they are       the failure is told: yes, exit 1
#   warnings as errors         the failure is told: no,  exit 1
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
trap 'exit 1' HUP INT TERM # what runs now ends first, and writes no more into it
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-cache-dir pytest==9.2.0

cat >"$place/test_old.py" <<'PYTHON'
def test_a_server_is_forgotten(tmp_path):
    (tmp_path / "here").mkdir()
PYTHON
cat >"$place/test_new.py" <<'PYTHON'
def test_this_fails(tmp_path):
    assert tmp_path.name == "another"
PYTHON
cat >"$place/server.py" <<'PYTHON'
import os
import random
import sys

os.chdir(sys.argv[1])
while True:
    with open(str(random.randrange(5000)), "w"):
        pass
PYTHON

# told FOLDER OPTION...: whether the third run after the one with the server tells its failure, and its exit code.
told() {
    mkdir "$1"
    export TMPDIR=$1
    shift
    run=("$place/venv/bin/python" -m pytest -q -p no:cacheprovider --rootdir "$place" "$@")
    "${run[@]}" "$place/test_old.py" >/dev/null
    "$place/venv/bin/python" "$place/server.py" "$TMPDIR"/pytest-of-*/pytest-0/test_a_server_is_forgotten0/here 2>/dev/null &
    trap "kill $! 2>/dev/null || true" EXIT # of the subshell that this runs in
    for _ in 1 2; do
        "${run[@]}" "$place/test_old.py" >/dev/null
    done
    code=0
    "${run[@]}" "$place/test_new.py" >"$TMPDIR/said" 2>&1 || code=$?
    if grep -q "^FAILED .*test_this_fails" "$TMPDIR/said"; then echo "yes, exit $code"; else echo "no,  exit $code"; fi
}

plain=$(told "$place/plain")
errors=$(told "$place/errors" -W error)
echo "warnings as they are       the failure is told: $plain"
echo "warnings as errors         the failure is told: $errors"
"$place/venv/bin/pip" list 2>/dev/null | grep '^pytest '
[ "$plain" = "yes, exit 1" ] && [ "$errors" = "no,  exit 1" ]
