"""Large ledgers as version 0.1.0 left them: by its own schema, filled by SQL."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from typing import TYPE_CHECKING

from agent.ledger.migrations import MIGRATIONS

if TYPE_CHECKING:
    from pathlib import Path

VERSION = 3
"""The schema's version in 0.1.0: its steps were never changed."""
PART = 100_000
FILES_OF_SEQUENCE = 5
# Of a hundred units one is a sequence; one each waits, is held, may have been sent, or is gone; all others are sent.
# Paths have 40 bytes.
JOBS = """
    insert into jobs (id, reference_id, path, kind, state, reason, error_code, frame_count, bytes, digest, edition, tag,
        job_id, attempts, next_attempt_at, first_seen_at, settled_at, submitted_at, updated_at, folder, unanswered,
        trying_since, spent_for)
    with recursive n (i) as (select ?1 union all select i + 1 from n where i < ?2),
    unit as materialized (
        select i, i % 100 as of, strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000 + i / 10.0, 'unixepoch') as at,
            printf('camera_%02d/2026-11-21/frame_%09d', i % 10, i) as stem, lower(hex(randomblob(32))) as digest from n
    ),
    row as (
        select *, iif(of = 0, stem, stem || '.jpg') as path, of = 3 as asks,
            case of when 1 then 'pending' when 2 then 'held' when 3 then 'pending' when 4 then 'gone'
                else 'submitted' end as state
        from unit
    )
    select i, iif(state <> 'gone', path || '~' || substr(digest, 1, 12), null), path, iif(of = 0, 'sequence', 'image'),
        state, iif(of = 2, 'its content changed', ''), iif(of = 2, 'changed', ''), iif(of = 0, ?3, 1), 20000, digest,
        iif(state = 'submitted', 'v0', null), iif(state = 'submitted', 'boxes', null),
        iif(state = 'submitted', printf('%036x', i), null), state = 'submitted' or asks,
        iif(state = 'pending', at, null), at, at, iif(state = 'submitted', at, null), at,
        iif(of = 0, path, substr(path, 1, 20)), asks,
        iif(state = 'submitted' or asks, at, null),
        iif(state = 'submitted' or asks, path || '~' || substr(digest, 1, 12), null)
    from row
"""
FRAMES = """
    insert into frames (job, position, frame_id, path, size, mtime_ns, digest, src, ctime_ns, inode)
    select id, 0, substr(path, 22), path, 20000, 1700000000123456789 + 17 * id, digest,
        'https://example.org/inbox/' || path, 1700000000123456789 + 17 * id, 30000000 + id
    from jobs where kind = 'image' and id between ?1 and ?2 union all
    select jobs.id, value, printf('f_%d.jpg', value), printf('%s/f_%d.jpg', jobs.path, value), 4000,
        1700000000123456789, lower(hex(randomblob(32))),
        printf('https://example.org/inbox/%s/f_%d.jpg', jobs.path, value), 1700000000123456789, 90000000 + jobs.id
    from jobs join json_each(?3) on kind = 'sequence' where jobs.id between ?1 and ?2
"""
SEEN = "insert into seen select id, randomblob(16) from jobs where kind = 'sequence' and id between ?1 and ?2"
EVENTS = """
    insert into events (at, job, event, detail)
    select updated_at, jobs.id, value ->> 0, case value ->> 0 when 'submitted' then job_id else value ->> 1 end
    from jobs join json_each('[["pending", ""], ["submitting", "try 1"], ["submitted", ""], ["gone", "deleted"]]')
    on value ->> 0 in (state, 'pending') or (value ->> 0 = 'submitting' and attempts > 0)
    where jobs.id between ?1 and ?2 order by jobs.id, key
"""


def make(path: Path, jobs: int) -> None:
    """Make a ledger of 0.1.0 with so many jobs."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as sql:
        sql.execute("pragma journal_mode = wal")
        sql.execute("pragma synchronous = off")
        for step in MIGRATIONS[:VERSION]:
            step(sql)
        sql.execute(f"pragma user_version = {VERSION}")
        sql.execute("insert into events (at, event, detail) values ('2026-11-21T22:20:08.123Z', 'started', '0.1.0')")
        sql.execute("insert into agent values ('started_at', '2026-11-21T22:20:08.123Z')")
        for first in range(1, jobs + 1, PART):
            span = (first, min(first + PART - 1, jobs))
            sql.execute("begin")
            sql.execute(JOBS, (*span, FILES_OF_SEQUENCE))
            sql.execute(FRAMES, (*span, json.dumps([*range(FILES_OF_SEQUENCE)])))
            sql.execute(SEEN, span)
            sql.execute(EVENTS, span)
            sql.execute("commit")
