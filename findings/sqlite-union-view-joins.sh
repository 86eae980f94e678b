#!/usr/bin/env bash
# SQLite 3.50.4: a view that is a UNION ALL is looked into by its tables' indexes in a join, and gone through as a whole
# in a LEFT JOIN, and by an aggregate in a correlated subquery, of the very same condition.
#
# Who splits a table in two puts such a view in its place, and sees by a query or two that the indexes are still used:
# `where job = 5` is pushed down into both halves, and so is `join parts on parts.job = jobs.id`. That says nothing of
# the other forms. With LEFT JOIN both tables are copied into a temporary one first, for one job as for all; and what
# a subquery with an aggregate takes from its outer row is compared with each row of both tables, though one without an
# aggregate is not. A view on one table that tells its columns by expressions has no such trouble: its indexes are used
# in all these forms.
#
# Seen with SQLite 3.50.4 (apsw 3.50.4.0), 100,000 rows in all, one of them asked for; thousands of steps of SQLite's
# machine:
#   where job = 5       union: SEARCH, 0      one table: SEARCH, 0
#   join                union: SEARCH, 0      one table: SEARCH, 0
#   left join           union: SCAN,   1100   one table: SEARCH, 0
#   subquery            union: SEARCH, 0      one table: SEARCH, 0
#   with an aggregate   union: SCAN,   1000   one table: SEARCH, 0
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
trap 'exit 1' HUP INT TERM # what runs now ends first, and writes no more into it
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-cache-dir apsw==3.50.4.0

"$place/venv/bin/python" - <<'PYTHON'
import sys

import apsw

sql = apsw.Connection(":memory:")
sql.execute(
    """
    create table jobs (id integer primary key);
    create table odd (job integer, size integer);
    create table even (job integer, size integer);
    create table every (job integer, size integer, is_odd integer);
    create index odd_job on odd (job);
    create index even_job on even (job);
    create index every_job on every (job);
    create view halves as select job, size, 'odd' as half from odd union all select job, size, 'even' from even;
    create view whole as select job, size, iif(is_odd, 'odd', 'even') as half from every;

    with recursive n (i) as (select 1 union all select i + 1 from n where i < 100000) insert into jobs select i from n;
    insert into odd select id, 1 from jobs where id % 2;
    insert into even select id, 1 from jobs where not id % 2;
    insert into every select id, 1, id % 2 from jobs;
    analyze;
    """
)
FORMS = {
    "where job = 5": "select half from {view} where job = 5",
    "join": "select half from jobs join {view} as parts on parts.job = jobs.id where id = 5",
    "left join": "select half from jobs left join {view} as parts on parts.job = jobs.id where id = 5",
    "subquery": "select (select half from {view} as parts where parts.job = jobs.id) from jobs where id = 5",
    "with an aggregate": "select (select max(half) from {view} as parts where parts.job = jobs.id) from jobs where id = 5",
}
TABLES = {f"SCAN {table}" for table in ("odd", "even", "every")}


def asked(query: str) -> tuple[str, int]:
    plan = [step for *_, step in sql.execute(f"explain query plan {query}")]
    steps = 0

    def counted() -> bool:
        nonlocal steps
        steps += 1
        return False

    sql.set_progress_handler(counted, 1000)
    rows = sql.execute(query).fetchall()
    sql.set_progress_handler(None)
    assert rows == [("odd",)], rows
    return "SCAN" if any(step in TABLES for step in plan) else "SEARCH", steps


print(f"SQLite {apsw.sqlite_lib_version()}")
seen = {}
for form, query in FORMS.items():
    union, one = asked(query.format(view="halves")), asked(query.format(view="whole"))
    seen[form] = (union[0], one[0], union[1] >= 100, one[1] == 0)
    print(f"  {form:18}  union: {union[0] + ',':7} {union[1]:<6} one table: {one[0]}, {one[1]}")
searched, gone_through = ("SEARCH", "SEARCH", False, True), ("SCAN", "SEARCH", True, True)
expected = dict(zip(FORMS, (searched, searched, gone_through, searched, gone_through), strict=True))
sys.exit(0 if seen == expected else "this has changed")
PYTHON
