"""A step of the schema that has triggers keep what people look at: sums by folder, by day, and what is in trouble.

Each is what a `group by` over `jobs` would find, which takes a second at a million jobs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.ledger import steps

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

AWAY = "'gone', 'ignored'"
WAITING = "'settling', 'pending', 'submitting'"
TROUBLED = "'held', 'invalid', 'failed', 'duplicate'"
CODES = "'twins', 'unreadable'"
TROUBLE = f"(state in ({TROUBLED}) or error_code in ({CODES}))"
"""That a job waits for a person, or for what a person may have to mend; the index's own words."""
SUMS = ("jobs", "frames", "waiting", "submitted", "completed", "attention")


def m017_kept(connection: sqlite3.Connection) -> None:
    """Keep how each top folder stands, what was sent on each day, and how many jobs are in trouble by what."""
    steps.run(
        connection,
        f"""
        create table folder_sums (
            folder text primary key,
            {", ".join(f"{name} integer not null" for name in SUMS)}
        ) strict, without rowid;
        create index folder_sums_attention on folder_sums (folder) where attention > 0;
        insert into folder_sums
            select rtrim(substr(folder, 1, instr(folder || '/', '/')), '/'),
                {", ".join(f"sum({name})" for name in SUMS)}
            from (
                select folder, {", ".join(f"sum({value}) as {name}" for name, value in _named_values())}
                from jobs indexed by jobs_folder where state not in ({AWAY}) group by folder
            ) group by 1 order by 1;
        create trigger folder_sums_insert after insert on jobs when not {_is_away("new.")} begin
            {_more_in_folder()};
        end;
        create trigger folder_sums_delete after delete on jobs when not {_is_away("old.")} begin
            {_less_in_folder()};
        end;
        create trigger folder_sums_update after update of state, error_code, frame_count on jobs
        when old.path is new.path and old.kind is new.kind and not {_is_away("old.")} and not {_is_away("new.")}
        and {_differs("frame_count", *_values("{}")[2:])} begin
            update folder_sums set {_changed_sums()} where folder = {_top("new.")};
        end;
        create trigger folder_sums_move after update of state, path, kind on jobs
        when {_differs("path", "kind", _is_away("{}"))} begin
            {_less_in_folder()};
            {_more_in_folder()};
        end;

        create table sent_days (
            day text primary key,
            images integer not null,
            sequences integer not null,
            frames integer not null
        ) strict, without rowid;
        insert into sent_days
            select {_day("")}, {", ".join(f"sum({value})" for value in _sent(""))}
            from jobs where submitted_at is not null group by 1 order by 1;
        create trigger sent_days_insert after insert on jobs when new.submitted_at is not null begin
            {_more_on_day()};
        end;
        create trigger sent_days_delete after delete on jobs when old.submitted_at is not null begin
            {_less_on_day()};
        end;
        create trigger sent_days_first after update of submitted_at on jobs
        when old.submitted_at is null and new.submitted_at is not null begin
            {_more_on_day()};
        end;
        create trigger sent_days_update after update of submitted_at, frame_count, kind on jobs
        when old.submitted_at is not null and {_differs("submitted_at", "frame_count", "kind")} begin
            {_less_on_day()};
            {_more_on_day()};
        end;

        create index jobs_trouble on jobs (state, error_code, updated_at) where {TROUBLE};
        create table troubles (
            state text not null,
            error_code text not null,
            jobs integer not null,
            primary key (state, error_code)
        ) strict, without rowid;
        insert into troubles
            select state, error_code, count(*) from jobs indexed by jobs_trouble where {TROUBLE} group by 1, 2;
        create trigger troubles_insert after insert on jobs when {_trouble("new.")} begin
            {_more_trouble()};
        end;
        create trigger troubles_delete after delete on jobs when {_trouble("old.")} begin
            {_less_trouble()};
        end;
        create trigger troubles_update after update of state, error_code on jobs
        when ({_trouble("old.")} or {_trouble("new.")}) and {_differs("state", "error_code")} begin
            {_less_trouble()};
            {_more_trouble()};
        end;
        """,  # noqa: S608 (our words)
    )


def _top(row: str) -> str:
    """Return the first part of the path of a row's folder, '' for the watch folder itself."""
    first = f"rtrim(substr({row}path, 1, instr({row}path || '/', '/')), '/')"
    return f"iif({row}kind = 'sequence' or instr({row}path, '/'), {first}, '')"


def _day(row: str) -> str:
    return f"substr({row}submitted_at, 1, 10)"


def _is_one_of(column: str, words: str) -> str:
    """Return that a column is one of some words.

    SQLite makes a table of what stands behind `in` each time that a trigger runs: a job's two moves took 53 us, not 34.
    """
    return "(" + " or ".join(f"{column} = {word}" for word in words.split(", ")) + ")"


def _trouble(row: str) -> str:
    return f"({_is_one_of(f'{row}state', TROUBLED)} or {_is_one_of(f'{row}error_code', CODES)})"


def _is_away(row: str) -> str:
    return _is_one_of(f"{row}state", AWAY)


def _values(row: str) -> tuple[str, ...]:
    """Return what a row adds to the sums of its folder."""
    return (
        "1",
        f"{row}frame_count",
        _is_one_of(f"{row}state", WAITING),
        f"{row}state = 'submitted'",
        f"{row}state = 'completed'",
        _trouble(row),
    )


def _named_values() -> Iterator[tuple[str, str]]:
    return zip(SUMS, _values(""), strict=True)


def _sent(row: str) -> tuple[str, ...]:
    """Return what a row adds to the sums of the day on which it was sent."""
    is_image = f"{row}kind = 'image'"
    return is_image, f"not ({is_image})", f"iif({is_image}, 0, {row}frame_count)"


def _differs(*expressions: str) -> str:
    """Return that one of some expressions is another one now; `{}` in it stands for the row, else it is a column."""
    pairs = [
        (text.replace("{}", "old."), text.replace("{}", "new.")) if "{}" in text else (f"old.{text}", f"new.{text}")
        for text in expressions
    ]
    return "(" + " or ".join(f"({old}) is not ({new})" for old, new in pairs) + ")"


def _changed_sums() -> str:
    """Return what is set where a row stays in its folder: of what is most frequent, as little as can be."""
    pairs = zip(SUMS[1:], _values("new.")[1:], _values("old.")[1:], strict=True)
    return ", ".join(f"{name} = {name} + ({now}) - ({before})" for name, now, before in pairs)


def _more_in_folder() -> str:
    added = ", ".join(f"{name} = {name} + excluded.{name}" for name in SUMS)
    return (
        f"insert into folder_sums select {_top('new.')}, {', '.join(_values('new.'))} "
        f"where not {_is_away('new.')} on conflict (folder) do update set {added}"
    )


def _less_in_folder() -> str:
    taken = ", ".join(f"{name} = {name} - ({value})" for name, value in zip(SUMS, _values("old."), strict=True))
    return (
        f"update folder_sums set {taken} where folder = {_top('old.')} and not {_is_away('old.')}; "  # noqa: S608
        f"delete from folder_sums where folder = {_top('old.')} and jobs = 0"
    )


def _more_on_day() -> str:
    names = ("images", "sequences", "frames")
    added = ", ".join(f"{name} = {name} + excluded.{name}" for name in names)
    return (
        f"insert into sent_days select {_day('new.')}, {', '.join(_sent('new.'))} "
        f"where new.submitted_at is not null on conflict (day) do update set {added}"
    )


def _less_on_day() -> str:
    images, sequences, frames = _sent("old.")
    return (
        f"update sent_days set images = images - ({images}), sequences = sequences - ({sequences}), "  # noqa: S608
        f"frames = frames - {frames} where day = {_day('old.')}"
    )


def _more_trouble() -> str:
    return (
        f"insert into troubles select new.state, new.error_code, 1 where {_trouble('new.')} "
        "on conflict (state, error_code) do update set jobs = jobs + 1"
    )


def _less_trouble() -> str:
    return (
        f"update troubles set jobs = jobs - 1 "  # noqa: S608 (our words)
        f"where state = old.state and error_code = old.error_code and {_trouble('old.')}; "
        "delete from troubles where state = old.state and error_code = old.error_code and jobs = 0"
    )
