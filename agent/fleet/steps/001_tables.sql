-- What all hosts share: one budget a project, who may send what, who reads what, and how each host stands.
-- Nobody but the owner touches the tables: hosts call the functions of 002, which tell them apart by their roles.

create table fleet_meta (
    one boolean primary key default true check (one),
    database text not null default gen_random_uuid()::text,  -- another one, once hosts know more than this database
    since timestamptz not null default now(),                -- when it got that id
    version integer not null default 0,                      -- steps behind it
    serves integer not null default 1                        -- the oldest version of ours that may still call
);
insert into fleet_meta default values;

-- The row's lock is the fleet's only one. A row that is written often leaves room for itself in its page.
create table fleet_budget (
    id smallint generated always as identity primary key,
    project text not null unique,
    next_start timestamptz not null default '-infinity',     -- the rate: before it nothing starts, but for the burst
    day date not null default '-infinity',                   -- UTC; what follows was counted on it
    jobs integer not null default 0,
    frames bigint not null default 0,
    hold_until timestamptz not null default '-infinity',     -- a Retry-After, for all
    blocked text not null default '',
    blocked_by text not null default '',
    paused_by text                                           -- null where it is not paused
) with (fillfactor = 10);

create table fleet_folders (
    id integer generated always as identity primary key,
    project smallint not null references fleet_budget,
    folder text not null,
    unique (project, folder)
);

create table fleet_hosts (
    id smallint generated always as identity primary key,
    project smallint not null references fleet_budget,
    host text not null,
    role text,                                               -- who may speak for it; null once it is forgotten
    folder integer references fleet_folders,
    number bigint not null,                                  -- of its beats: an older copy of this database has a lower one
    trusts text not null default '',                         -- the id of the database that it has told all it sent
    heartbeat_at timestamptz not null,
    joined_at timestamptz not null default now(),
    version text not null default '',
    per_minute double precision,
    jobs_limit integer,
    frames_limit bigint,
    counts jsonb not null default '{}',
    unique (project, host)
) with (fillfactor = 50);

-- A claim for each job, kept for ever, so narrow: whether it was counted is told by its being there.
create table fleet_claims (
    lease_until timestamptz not null,
    claimed_at timestamptz not null,
    project smallint not null,
    host smallint not null,
    attempts smallint not null default 1,                    -- how often it was granted
    reference_id text not null,
    job_id text,
    primary key (project, reference_id)
) with (autovacuum_vacuum_scale_factor = 0.02);
create index fleet_claims_open on fleet_claims (project, lease_until) where job_id is null;

-- Who reads a unit of a folder that several hosts see, before anybody has read it.
create table fleet_units (
    lease_until timestamptz not null,
    folder integer not null,
    host smallint not null,
    path text not null,
    sizes text not null,
    stamps text not null,
    reference_id text,                                       -- once it was read
    digest text,
    primary key (folder, path)
) with (autovacuum_vacuum_scale_factor = 0.02);

create function fleet_count(counts jsonb, variadic states text[]) returns bigint
    language sql immutable set search_path = pg_catalog
    as $$ select coalesce(sum((counts ->> state)::bigint), 0)::bigint from unnest(states) as state $$;

create view fleet_status as
    select b.project, h.host, round(extract(epoch from now() - h.heartbeat_at))::integer as silent_s, h.version,
        fleet_count(h.counts, 'settling') as settling,
        fleet_count(h.counts, 'pending', 'submitting') as waiting,
        fleet_count(h.counts, 'submitted', 'completed') as sent,
        fleet_count(h.counts, 'held', 'invalid', 'failed', 'duplicate') as attention,
        f.folder
    from fleet_hosts h join fleet_budget b on b.id = h.project left join fleet_folders f on f.id = h.folder
    where h.role is not null
    order by b.project, h.host;

create view fleet_today as
    select b.project, today as day,
        case when b.day = today then b.jobs else 0 end as jobs, l.jobs_limit,
        case when b.day = today then b.frames else 0 end as frames, l.frames_limit, l.per_minute, l.hosts,
        (select count(*) from fleet_claims c where c.project = b.id and c.job_id is null and c.lease_until > now())
            as claims_open,
        b.paused_by is not null as paused, b.blocked,
        ceil(greatest(0, extract(epoch from
            case when b.hold_until > now() then b.hold_until - now() else interval '0' end)))::integer as held_s
    from fleet_budget b
    cross join (select (now() at time zone 'utc')::date as today) as clock
    left join lateral (
        select count(*) as hosts, min(jobs_limit) as jobs_limit, min(frames_limit) as frames_limit,
            min(per_minute) as per_minute
        from fleet_hosts h where h.project = b.id and h.role is not null
    ) as l on true
    order by b.project;

create view fleet_attention as
    select project, '' as host, 'blocked' as what, blocked as why from fleet_budget where blocked <> ''
    union all
    select project, '', 'paused', 'by ' || paused_by from fleet_budget where paused_by is not null
    union all
    select project, host, 'silent', 'no sign of life for ' || silent_s || ' s' from fleet_status where silent_s > 60
    union all
    select project, host, 'jobs', attention || ' of its jobs need a person: "playment-agent status" there'
    from fleet_status where attention > 0
    union all
    select b.project, '', 'limits', 'hosts have different limits or rates: each keeps to its own'
    from fleet_hosts h join fleet_budget b on b.id = h.project where h.role is not null
    group by b.project having count(distinct (h.jobs_limit, h.frames_limit, h.per_minute)) > 1
    order by 1, 2, 3;
