#!/usr/bin/env bash
# SQLite 3.50.4: a trigger whose condition says `new.state in ('a', 'b', 'c')` makes a table of the words at each run.
#
# In a query the words behind `in` are put into a small table once, however many rows are looked at. A trigger is a
# program that is begun anew for each row, and `once` means once in each run: three words cost an update that changes
# nothing else more than all the rest of it. The same condition with `or` makes no table, and neither does one of two
# words, which is turned into `or` by itself: what was cheap becomes dear as a third word is added.
#
# Seen with SQLite 3.50.4 (apsw 3.50.4.0), a row updated by its id with three triggers that are not to run; tables that
# the update makes, by the steps of its program, and the time beside no trigger at all:
#   no trigger          0 tables
#   in, two words       0 tables, 1.4 times
#   in, three words     3 tables, 4.9 times
#   or, three words     0 tables, 1.4 times
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
trap 'exit 1' HUP INT TERM # what runs now ends first, and writes no more into it
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-cache-dir apsw==3.50.4.0

"$place/venv/bin/python" - <<'PYTHON'
import sys
import time

import apsw

CONDITIONS = {
    "no trigger": None,
    "in, two words": "new.state in ('held', 'invalid')",
    "in, three words": "new.state in ('held', 'invalid', 'failed')",
    "or, three words": "new.state = 'held' or new.state = 'invalid' or new.state = 'failed'",
}
TRIGGERS, UPDATES = 3, 20_000
found, seconds = {}, {}
for name, condition in CONDITIONS.items():
    sql = apsw.Connection(":memory:")
    sql.execute("create table jobs (id integer primary key, state text, tries integer); create table told (id integer)")
    sql.execute("insert into jobs values (1, 'pending', 0)")
    for number in range(TRIGGERS if condition else 0):
        sql.execute(
            f"create trigger told_{number} after update on jobs when {condition} "
            "begin insert into told values (new.id); end"
        )
    update = "update jobs set tries = tries + 1 where id = 1"
    runs = []
    for _ in range(5):
        before = time.process_time()
        with sql:
            for _ in range(UPDATES):
                sql.execute(update)
        runs.append(time.process_time() - before)
    seconds[name] = min(runs)
    # The programs of triggers follow the update's own in EXPLAIN, each from address 0.
    found[name] = sum(row[1] == "OpenEphemeral" for row in sql.execute("explain " + update))
    print(f"{name:18}  {found[name]} tables, {seconds[name] / seconds['no trigger']:.1f} times")

print("SQLite", apsw.sqlite_lib_version())
expected = {"no trigger": 0, "in, two words": 0, "in, three words": TRIGGERS, "or, three words": 0}
sys.exit(found != expected or seconds["in, three words"] < 1.5 * seconds["or, three words"])
PYTHON
