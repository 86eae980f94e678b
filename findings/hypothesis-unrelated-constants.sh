#!/usr/bin/env bash
# Hypothesis 6.170.17: a string in a module that the test never uses changes what the test draws, derandomize=True or not.
#
# derandomize=True is for tests that draw the same in every run, until Hypothesis or the test itself is another. But
# strategies draw now and then from the literals of all modules of one's own that are imported by then. So a test of one
# function may begin to fail when somebody adds a word to a table elsewhere; and that a long word "never comes up by
# chance" is no reason to leave it out of account. Here the test draws 1,000 texts and looks at none. The word stands in
# another module, once; nothing but an import leads there.
#
# Seen with Hypothesis 6.170.17:
#   the module holds no word:   the same 1,000 texts twice: True, one of them is the word: False
#   the module holds the word:  the same 1,000 texts twice: True, one of them is the word: True
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
trap 'exit 1' HUP INT TERM # what runs now ends first, and writes no more into it
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-cache-dir hypothesis==6.170.17

cat >"$place/draw.py" <<'PYTHON'
import json

import unrelated  # noqa: F401
from hypothesis import given, settings
from hypothesis import strategies as st

drawn = []


@settings(max_examples=1000, derandomize=True, database=None)
@given(st.text())
def draw(text):
    drawn.append(text)


draw()
print(json.dumps(drawn))
PYTHON

cd "$place"
"$place/venv/bin/python" - <<'PYTHON'
import json
import subprocess
import sys
from pathlib import Path

WORD = "".join(map(chr, (114, 101, 99, 121, 99, 108, 101, 114)))


def drawn(source: str) -> list[str]:
    Path("unrelated.py").write_text(source)
    return json.loads(subprocess.run([sys.executable, "-B", "draw.py"], check=True, capture_output=True).stdout)


seen = []
for what, source in (("no word: ", "TABLE = {}\n"), ("the word:", f"TABLE = {{{WORD!r}: 1}}\n")):
    first, second = drawn(source), drawn(source)
    seen.append((len(first), first == second, WORD in first))
    print(f"the module holds {what}  the same {len(first):,} texts twice: {first == second}, one of them is the word: {WORD in first}")
sys.exit(0 if seen == [(1000, True, False), (1000, True, True)] else "this has changed")
PYTHON
