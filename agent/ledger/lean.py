"""Steps of the schema that keep nothing twice: what can be told from what stands beside it is told by a view.

An image job took 1,190 bytes before them, and takes 825 after them (20,000 of them, paths of 40 bytes).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3


def m009_events(connection: sqlite3.Connection) -> None:
    """Keep the times of events as milliseconds, and no job_id in them: that stands in `jobs`."""
    for statement in (
        """
        create table event_log (
            id integer primary key,
            at integer not null,
            job integer references jobs (id),
            event text not null,
            detail text not null default ''
        ) strict
        """,
        """
        insert into event_log
            select events.id, strftime('%s', at) * 1000 + substr(at, 21, 3), job, event,
                case when event = 'submitted' and detail = job_id then '' else detail end
            from events left join jobs on jobs.id = job order by events.id
        """,
        "drop table events",
        "create index events_job on event_log (job)",
        "create index events_submitted on event_log (id) where event = 'submitted'",
        """
        create view events as
            select id, strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') as at, job, event,
                case when event = 'submitted' and detail = ''
                    then coalesce((select job_id from jobs where jobs.id = event_log.job), '') else detail end as detail
            from event_log
        """,
    ):
        connection.execute(statement)


def m010_frames(connection: sqlite3.Connection) -> None:
    """Keep no copy of what an image's frame has of its job: a row without a path is such a frame.

    The view asks `jobs` in its columns, and joins nothing: so it is looked into by the indexes of `frame_rows` wherever
    it stands, in a left join and under a `group by`, too (a union of two tables is not).
    """
    for statement in (
        """
        create table frame_rows (
            job integer not null references jobs (id) on delete cascade,
            position integer not null,
            frame_id text,
            path text,
            size integer not null,
            mtime_ns integer not null,
            digest text,
            src text,
            ctime_ns integer not null,
            inode integer not null,
            primary key (job, position)
        ) strict, without rowid
        """,
        """
        insert into frame_rows
            select job, position, iif(is_copy, null, frame_id), iif(is_copy, null, path), size, mtime_ns,
                iif(is_copy, null, digest), src, ctime_ns, inode
            from (
                select frames.*, kind = 'image' and frames.path = jobs.path and frames.digest is jobs.digest as is_copy
                from frames join jobs on jobs.id = job
            ) order by job, position
        """,
        "drop table frames",
        "create index frames_inode on frame_rows (inode)",
        "create index frames_digest on frame_rows (substr(digest, 1, 8)) where position > 0",
        """
        create view frames as
            select job, position,
                iif(path is null,
                    (select replace(path, rtrim(path, replace(path, '/', '')), '') from jobs where jobs.id = job),
                    frame_id) as frame_id,
                iif(path is null, (select jobs.path from jobs where jobs.id = job), path) as path, size, mtime_ns,
                iif(path is null, (select jobs.digest from jobs where jobs.id = job), digest) as digest,
                src, ctime_ns, inode
            from frame_rows
        """,
    ):
        connection.execute(statement)


def m011_jobs(connection: sqlite3.Connection) -> None:
    """Tell the folder from the path; keep nothing that only sending asks for once a job is sent; index few digits.

    `digest` is found by its first digits, as those of frames are: whoever finds one compares the rest.
    """
    for statement in (
        "drop index jobs_folder",
        "drop index jobs_digest",
        """
        update jobs set trying_since = null, spent_for = null
            where state in ('submitted', 'completed') and coalesce(trying_since, spent_for) is not null
        """,
        "alter table jobs drop column folder",
        """
        alter table jobs add column folder text generated always as
            (iif(kind = 'sequence', path, rtrim(rtrim(path, replace(path, '/', '')), '/'))) virtual
        """,
        "create index jobs_folder on jobs (folder, path)",
        "create index jobs_digest on jobs (substr(digest, 1, 8)) where digest is not null",
    ):
        connection.execute(statement)


def m018_paths(connection: sqlite3.Connection) -> None:
    """Find a job by its path alone: people ask so. The index takes 49 bytes a job, and others pay 23 of them.

    That on `folder` holds names in place of whole paths, that on `digest` six digits: of 10,000,000 jobs every second
    shares them with another one, whose digest is compared whole.
    """
    for statement in (
        "drop index jobs_folder",
        "drop index jobs_digest",
        """
        alter table jobs add column name text generated always as
            (iif(kind = 'sequence', '', replace(path, rtrim(path, replace(path, '/', '')), ''))) virtual
        """,
        "create index jobs_path on jobs (path)",
        "create index jobs_folder on jobs (folder, name)",
        "create index jobs_digest on jobs (substr(digest, 1, 6)) where digest is not null",
    ):
        connection.execute(statement)
