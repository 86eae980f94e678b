"""The first steps of the ledger's schema, and how the statements of a step are run."""

from __future__ import annotations

import sqlite3


def run(connection: sqlite3.Connection, script: str) -> None:
    """Run a script's statements within the open transaction (`executescript` would commit it first)."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""


def m001_jobs(connection: sqlite3.Connection) -> None:
    """Make jobs, frames, batches, events, agent, and the views that people read.

    Beyond the public columns of `jobs`: `folder` is the folder whose listing shows the unit, so that a listing is
    compared by one query; `unanswered` counts the tries whose outcome is unknown; `trying_since` is the first try's
    time; `lookup` says why the job must be looked up in the target's lists before anything else (`duplicate`,
    `changed`, `given-up`). `frames.ctime_ns` and `inode` complete the stamp that tells an untouched file.
    `counts` is kept by triggers: counting a million rows takes 120 ms, reading eleven takes 0.2 ms.
    """
    run(
        connection,
        """
        create table jobs (
            id integer primary key,
            reference_id text unique,
            path text not null,
            kind text not null check (kind in ('image', 'sequence')),
            state text not null,
            reason text not null default '',
            error_code text not null default '',
            frame_count integer not null default 0,
            bytes integer not null default 0,
            digest text,
            edition text,
            tag text,
            batch_id text,
            priority_weight integer,
            job_id text,
            attempts integer not null default 0,
            next_attempt_at text,
            first_seen_at text not null,
            settled_at text,
            submitted_at text,
            completed_at text,
            updated_at text not null,
            result_path text,
            folder text not null,
            unanswered integer not null default 0,
            trying_since text,
            lookup text
        ) strict;
        create index jobs_folder on jobs (folder, path);
        create index jobs_state on jobs (state, updated_at);
        create index jobs_digest on jobs (digest) where digest is not null;
        create index jobs_pending on jobs (next_attempt_at, id) where state = 'pending' and lookup is null;
        create index jobs_lookup on jobs (next_attempt_at, id) where state = 'pending' and lookup is not null;

        create table frames (
            job integer not null references jobs (id) on delete cascade,
            position integer not null,
            frame_id text not null,
            path text not null,
            size integer not null,
            mtime_ns integer not null,
            digest text,
            src text,
            ctime_ns integer not null,
            inode integer not null,
            primary key (job, position)
        ) strict, without rowid;

        create index frames_inode on frames (inode);

        create table batches (
            name text primary key,
            batch_id text not null,
            created_at text not null
        ) strict;

        create table events (
            id integer primary key,
            at text not null,
            job integer references jobs (id),
            event text not null,
            detail text not null default ''
        ) strict;
        create index events_job on events (job);
        create index events_submitted on events (id) where event = 'submitted';

        create table agent (
            key text primary key,
            value text not null
        ) strict;

        create table counts (
            state text primary key,
            jobs integer not null,
            frames integer not null
        ) strict;
        create trigger jobs_insert after insert on jobs begin
            insert into counts values (new.state, 1, new.frame_count)
                on conflict (state) do update set jobs = jobs + 1, frames = frames + new.frame_count;
        end;
        create trigger jobs_delete after delete on jobs begin
            update counts set jobs = jobs - 1, frames = frames - old.frame_count where state = old.state;
        end;
        create trigger jobs_update after update of state, frame_count on jobs
        when old.state is not new.state or old.frame_count is not new.frame_count begin
            update counts set jobs = jobs - 1, frames = frames - old.frame_count where state = old.state;
            insert into counts values (new.state, 1, new.frame_count)
                on conflict (state) do update set jobs = jobs + 1, frames = frames + new.frame_count;
        end;

        create view status as
            select state, jobs, frames,
                (select min(updated_at) from jobs where jobs.state = counts.state) as oldest,
                (select max(updated_at) from jobs where jobs.state = counts.state) as newest
            from counts where jobs > 0
            order by case state
                when 'settling' then 1 when 'pending' then 2 when 'submitting' then 3 when 'submitted' then 4
                when 'completed' then 5 when 'held' then 6 when 'invalid' then 7 when 'failed' then 8
                when 'duplicate' then 9 when 'gone' then 10 else 11 end;
        create view attention as
            select path, state, reason, error_code, attempts, updated_at from jobs
            where state in ('held', 'invalid', 'failed', 'duplicate') order by updated_at;
        create view recent as
            select events.at, events.event, jobs.path, events.detail, jobs.state, jobs.reference_id
            from events left join jobs on jobs.id = events.job order by events.id desc limit 100;
        """,
    )


def m002_results_and_spend(connection: sqlite3.Connection) -> None:
    """Remember how often a result could not be fetched, and what was spent on each UTC day.

    `jobs.fetches` counts failed tries to fetch the result; `jobs.spent_for` is the reference_id under which the job
    was counted in `spend`: a retry is not counted again, other content under another id is.
    """
    run(
        connection,
        """
        alter table jobs add column fetches integer not null default 0;
        alter table jobs add column spent_for text;
        update jobs set spent_for = reference_id where edition is not null;
        create index jobs_unfetched on jobs (id) where state = 'completed' and result_path is null;
        create index jobs_result on jobs (result_path) where result_path is not null;

        create table spend (
            day text primary key,
            jobs integer not null,
            frames integer not null
        ) strict;
        """,
    )


def m003_seen(connection: sqlite3.Connection) -> None:
    """Remember what the files of a sequence looked like, so that a restart reads one row of it instead of all frames.

    `seen.fingerprint` is `plan.fingerprint` of the frames; jobs of before have none. Not in `jobs`: a row that was sent
    never changes, and a file that was written again with the same bytes looks different.
    """
    run(
        connection,
        """
        create table seen (
            job integer primary key references jobs (id) on delete cascade,
            fingerprint blob not null
        ) strict;
        """,
    )


def m004_order(connection: sqlite3.Connection) -> None:
    """Have sequences that were never sent read again: frames are ordered by other rules than those that ordered them.

    What was sent, may have been, or is to be sent since a person said so keeps its order.
    """
    run(
        connection,
        """
        delete from seen where job in (select id from jobs where state = 'held' and unanswered = 0);
        insert into events (at, job, event, detail)
            select strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), id, 'settling', 'its order is looked at by this version'
            from jobs where kind = 'sequence' and state = 'pending' and unanswered = 0 and lookup is null
            and reason not like 'to be sent%, as asked';
        update jobs set state = 'settling', reason = 'to be read again: its order is looked at by this version',
            error_code = '', reference_id = null, next_attempt_at = null
            where id in (select job from events where detail = 'its order is looked at by this version');
        """,
    )


def m005_deleted_and_taken_before(connection: sqlite3.Connection) -> None:
    """Remember which files of sent units were seen deleted, and find frames that were sent before by their bytes.

    `jobs.deleted_at` is when a listing showed no file of a unit that was sent or dismissed; null where that is back.
    `frames_digest` finds the sequences that hold a frame. A single image has one frame, at position 0, and is found by
    `jobs_digest`; so that it takes no byte for this, the first frames of sequences are in `seen`. Each entry has a page
    of its own written (1,000 frames: 17 MiB in place of 1.6, measured beside 3 million others): a job costs more.
    """
    run(
        connection,
        """
        alter table jobs add column deleted_at text;

        create index frames_digest on frames (substr(digest, 1, 8)) where position > 0;
        alter table seen add column first_digest text;
        update seen set first_digest =
            (select substr(digest, 1, 8) from frames where frames.job = seen.job and position = 0);
        create index seen_first_digest on seen (first_digest);
        """,
    )
