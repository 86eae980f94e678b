"""The ledger's schema, as append-only steps. `PRAGMA user_version` counts the steps that a ledger has behind it.

A step that was released is never edited: a later one changes what it made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import LedgerRefused
from agent.ledger import kept, lean, steps

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable


def m006_unreadable(connection: sqlite3.Connection) -> None:
    """Have what could not be read tried again, and told where that lasts.

    Such a unit settles, with the error_code `unreadable` and as `updated_at` the time since when. Versions before have
    called it `invalid`, or `changed` where it had been sent: these rows go on.
    """
    unread = "reason like '%it may not be read (%' or reason like '%it cannot be read: %'"
    steps.run(
        connection,
        f"""
        create index jobs_unreadable on jobs (updated_at) where error_code = 'unreadable';

        insert into events (at, job, event, detail)
            select strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), id, 'settling', 'an error of reading proves nothing'
            from jobs where (state = 'invalid' or (state = 'held' and error_code = 'changed' and digest is null))
            and unanswered = 0 and ({unread});
        update jobs set state = 'settling', reason = 'to be read again: an error of reading proves nothing',
            error_code = '', reference_id = null, next_attempt_at = null
            where id in (select job from events where detail = 'an error of reading proves nothing');
        """,  # noqa: S608 (our words)
    )


def m007_troubles(connection: sqlite3.Connection) -> None:
    """Have `attention` show what could not be read for two minutes, and what is wrong with the agent's surroundings.

    The latter as one row without a path: no job is to blame.
    """
    steps.run(
        connection,
        """
        drop view attention;
        create view attention as
            select path, state, reason, error_code, attempts, updated_at from jobs
            where state in ('held', 'invalid', 'failed', 'duplicate')
            union all
            select path, state, reason, error_code, attempts, updated_at from jobs
            where +state = 'settling' and error_code = 'unreadable'
            and updated_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-120 seconds')
            union all
            select '', 'trouble', trouble.value, 'publishing', 0, since.value
            from agent as trouble join agent as since on since.key = 'unpublished_since'
            where trouble.key = 'unpublished' and trouble.value <> ''
            order by updated_at;
        """,
    )


def m008_listed(connection: sqlite3.Connection) -> None:
    """Remember the jobs that the project had when its ledger was new, until they are found to be of a row.

    `listed.path` and `listed.digest` are what the reference_id says of the unit, null where the template holds none.
    """
    steps.run(
        connection,
        """
        create table listed (
            reference_id text primary key,
            path text,
            digest text,
            job_id text not null,
            frame_count integer,
            tag text,
            batch_id text not null
        ) strict, without rowid;
        create index listed_digest on listed (digest) where digest is not null;
        """,
    )


def m012_sizes(connection: sqlite3.Connection) -> None:
    """Keep how large a frame is and how it is turned to be seen; null of those that were read before. Writes no row."""
    steps.run(
        connection,
        """
        alter table frame_rows add column width integer;
        alter table frame_rows add column height integer;
        alter table frame_rows add column orientation integer;
        drop view frames;
        create view frames as
            select job, position,
                iif(path is null,
                    (select replace(path, rtrim(path, replace(path, '/', '')), '') from jobs where jobs.id = job),
                    frame_id) as frame_id,
                iif(path is null, (select jobs.path from jobs where jobs.id = job), path) as path, size, mtime_ns,
                iif(path is null, (select jobs.digest from jobs where jobs.id = job), digest) as digest,
                src, width, height, orientation, ctime_ns, inode
            from frame_rows;
        """,
    )


def m013_fleet(connection: sqlite3.Connection) -> None:
    """Have `attention` show that the fleet's database is away, as one row without a path, too."""
    steps.run(
        connection,
        """
        drop view attention;
        create view attention as
            select path, state, reason, error_code, attempts, updated_at from jobs
            where state in ('held', 'invalid', 'failed', 'duplicate')
            union all
            select path, state, reason, error_code, attempts, updated_at from jobs
            where +state = 'settling' and error_code = 'unreadable'
            and updated_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-120 seconds')
            union all
            select '', 'trouble', trouble.value, 'publishing', 0, since.value
            from agent as trouble join agent as since on since.key = 'unpublished_since'
            where trouble.key = 'unpublished' and trouble.value <> ''
            union all
            select '', 'trouble', trouble.value, 'fleet', 0, since.value
            from agent as trouble join agent as since on since.key = 'fleet_since'
            where trouble.key = 'fleet' and trouble.value <> ''
            order by updated_at;
        """,
    )


def m014_twins(connection: sqlite3.Connection) -> None:
    """Keep when to look again at a job that a target may have twice; have `attention` show twins that are left.

    `look_again_at` is null wherever duplicates are refused. Writes no row.
    """
    steps.run(
        connection,
        """
        alter table jobs add column look_again_at text;
        create index jobs_look_again on jobs (look_again_at) where look_again_at is not null;
        create index jobs_twins on jobs (error_code, updated_at) where error_code = 'twins';
        create index jobs_skipped on jobs (error_code) where error_code = 'skipped';

        drop view attention;
        create view attention as
            select path, state, reason, error_code, attempts, updated_at from jobs
            where state in ('held', 'invalid', 'failed', 'duplicate')
            union all
            select path, state, reason, error_code, attempts, updated_at from jobs
            where +state = 'settling' and error_code = 'unreadable'
            and updated_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-120 seconds')
            union all
            select path, state, reason, error_code, attempts, updated_at from jobs
            where error_code = 'twins' and +state in ('submitted', 'completed')
            union all
            select '', 'trouble', trouble.value, 'publishing', 0, since.value
            from agent as trouble join agent as since on since.key = 'unpublished_since'
            where trouble.key = 'unpublished' and trouble.value <> ''
            union all
            select '', 'trouble', trouble.value, 'fleet', 0, since.value
            from agent as trouble join agent as since on since.key = 'fleet_since'
            where trouble.key = 'fleet' and trouble.value <> ''
            order by updated_at;
        """,
    )


def m015_counters(connection: sqlite3.Connection) -> None:
    """Keep what the agent counts; find sequences that are open without looking at all that settles.

    `jobs_open` holds no image: one more index that each of them passes through would cost what sending can do.
    """
    steps.run(
        connection,
        """
        create table counters (
            name text not null,
            label text not null,
            value real not null,
            primary key (name, label)
        ) strict, without rowid;
        create index jobs_open on jobs (id) where state = 'settling' and kind = 'sequence';
        """,
    )


def m016_news(connection: sqlite3.Connection) -> None:
    """Find what has begun to wait for a person since an event. Writes no row."""
    connection.execute(
        "create index events_attention on event_log (id) "
        "where event in ('held', 'invalid', 'failed', 'duplicate', 'twins')"
    )


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    steps.m001_jobs,
    steps.m002_results_and_spend,
    steps.m003_seen,
    steps.m004_order,
    steps.m005_deleted_and_taken_before,
    m006_unreadable,
    m007_troubles,
    m008_listed,
    lean.m009_events,
    lean.m010_frames,
    lean.m011_jobs,
    m012_sizes,
    m013_fleet,
    m014_twins,
    m015_counters,
    m016_news,
    kept.m017_kept,
    lean.m018_paths,
)


def version_of(connection: sqlite3.Connection) -> int:
    """Return how many steps a ledger has behind it, 0 for an empty file.

    Raises LedgerRefused for a ledger that a newer version of this package has made, and for another program's file.
    """
    # In one statement: between two, another process may make the ledger.
    # What litestream adds to a file as soon as it is there is no program's own.
    others = "select 1 from sqlite_master where name not glob '_litestream_*'"
    asked = f"select user_version, exists ({others}) from pragma_user_version"  # noqa: S608 (our words)
    version: int
    version, has_tables = connection.execute(asked).fetchone()
    if version > len(MIGRATIONS):
        raise LedgerRefused(
            f"the ledger has schema version {version}, this playment-agent knows versions up to {len(MIGRATIONS)}: "
            "it was written by a newer playment-agent. Upgrade this one, or name another LEDGER_PATH",
        )
    if version == 0 and has_tables:
        raise LedgerRefused("the file is another program's database, not a ledger: name another LEDGER_PATH")
    return version
