-- What hosts may do. Each function runs with its owner's rights and a search path of its own; who calls is told by
-- session_user, which no caller can change: a host's name belongs to the role that has used it first.
-- SQLSTATEs of ours: FL001 another database or an older copy, FL002 not this role's host, FL003 another version,
-- FL004 refused to a person.

create function fleet_caller(p text, h text) returns fleet_hosts
    language plpgsql stable set search_path = pg_catalog, fleet, pg_temp as $$
declare me fleet_hosts;
begin
    select x.* into me from fleet_hosts x join fleet_budget b on b.id = x.project
        where b.project = p and x.host = h and x.role = session_user;
    if not found then
        raise exception using errcode = 'FL002', message = 'the host is not known under this role';
    end if;
    return me;
end $$;

-- The row's lock, for all that counts or claims; a wait for somebody else's transaction ends.
create function fleet_lock(project_id smallint) returns fleet_budget
    language plpgsql set search_path = pg_catalog, fleet, pg_temp set lock_timeout = '3s' as $$
declare b fleet_budget;
begin
    select * into strict b from fleet_budget where id = project_id for no key update;
    if b.day <> (clock_timestamp() at time zone 'utc')::date then
        b.day := (clock_timestamp() at time zone 'utc')::date; b.jobs := 0; b.frames := 0;
    end if;
    return b;
end $$;

create function fleet_beat(
    p text, h text, seen bigint, trusted text, ours integer, host_version text, host_counts jsonb, host_folder text,
    rate double precision, most_jobs integer, most_frames bigint,
    out database text, out number bigint, out schema integer, out paused boolean, out blocked text,
    out held double precision, out jobs integer, out frames bigint, out clock double precision, out keep boolean,
    out sharing text[]
) language plpgsql security definer set search_path = pg_catalog, fleet, pg_temp set lock_timeout = '3s' as $$
declare m fleet_meta; b fleet_budget; me fleet_hosts; folder_id integer; before bigint := 0; now_ timestamptz;
begin
    select * into strict m from fleet_meta;
    if ours > m.version or ours < m.serves then
        raise exception using errcode = 'FL003', message = format('schema %s, serves %s', m.version, m.serves);
    end if;
    select * into b from fleet_budget x where x.project = p;
    if not found then
        insert into fleet_budget (project) values (p) on conflict do nothing;
        select * into strict b from fleet_budget x where x.project = p;
    end if;
    select * into me from fleet_hosts x where x.project = b.id and x.host = h for no key update;
    if found and me.role <> session_user then
        raise exception using errcode = 'FL002', message = 'another role uses this name of a host';
    end if;
    before := coalesce(me.number, 0);
    if before < seen and trusted = m.database then
        -- The host was told more than this database holds: it is an older copy, and all must tell it what they sent.
        select * into strict m from fleet_meta for update;
        if m.database = trusted then
            update fleet_meta set database = gen_random_uuid()::text, since = clock_timestamp() returning * into m;
        end if;
    end if;
    number := greatest(before, seen) + 1;
    if host_folder <> '' then
        select id into folder_id from fleet_folders x where x.project = b.id and x.folder = host_folder;
        if not found then
            insert into fleet_folders (project, folder) values (b.id, host_folder)
                on conflict (project, folder) do update set folder = excluded.folder returning id into folder_id;
        end if;
    end if;
    now_ := clock_timestamp();
    if me.id is not null then
        update fleet_hosts x set role = session_user, folder = folder_id, number = fleet_beat.number, trusts = trusted,
            heartbeat_at = now_, version = host_version, per_minute = rate, jobs_limit = most_jobs,
            frames_limit = most_frames, counts = host_counts
            where x.id = me.id;
    else
        insert into fleet_hosts (project, host, role, folder, number, trusts, heartbeat_at, version, per_minute,
                jobs_limit, frames_limit, counts)
            values (b.id, h, session_user, folder_id, fleet_beat.number, trusted, now_, host_version, rate, most_jobs,
                most_frames, host_counts)
            returning id into me.id;
    end if;
    database := m.database; schema := m.version;
    paused := b.paused_by is not null; blocked := b.blocked;
    held := case when b.hold_until > now_ then extract(epoch from b.hold_until - now_) else 0 end;
    jobs := case when b.day = (now_ at time zone 'utc')::date then b.jobs else 0 end;
    frames := case when b.day = (now_ at time zone 'utc')::date then b.frames else 0 end;
    clock := extract(epoch from now_);
    -- One connection a host: those that came first may keep theirs, as long as three are left for others, beside those
    -- that are a superuser's. With more left, more hosts make one for every beat, which costs the server most.
    select count(*) filter (where x.id < me.id) + 1 + 3 <= current_setting('max_connections')::integer
                - current_setting('superuser_reserved_connections')::integer,
            array_agg(x.host order by x.host) filter (where x.folder = folder_id and x.host <> h)
        into keep, sharing
        from fleet_hosts x where x.project = b.id and x.heartbeat_at > now_ - interval '60 seconds';
    sharing := coalesce(sharing, '{}');
end $$;

-- One round trip for a batch: `n` counts the ids from 1. `jobs` and `frames` are the day's, where a limit is reached.
create function fleet_grant(
    p text, h text, seen bigint, trusted text, refs text[], sizes integer[], rate double precision,
    most_jobs integer, most_frames bigint, lease double precision
) returns table (n bigint, say text, job text, seconds double precision, jobs integer, frames bigint, why text)
    language plpgsql security definer set search_path = pg_catalog, fleet, pg_temp as $$
declare
    me fleet_hosts; b fleet_budget; m fleet_meta; r record; now_ timestamptz; burst double precision; apart interval;
    waits double precision := 0; hosts_wait text; go text[] := '{}'; has_counted boolean := false;
begin
    me := fleet_caller(p, h);
    select * into strict m from fleet_meta;
    if m.database <> trusted or me.number < seen then
        raise exception using errcode = 'FL001', message = 'another database, or an older copy';
    end if;
    if me.trusts <> trusted then  -- it asks this one: nobody has to wait for its next beat
        update fleet_hosts x set trusts = trusted where x.id = me.id;
    end if;
    b := fleet_lock(me.project);
    now_ := clock_timestamp();
    if rate is not null then
        -- A fifth of a second's worth may be made up for at once: with what comes in the second after, 1.2 of it.
        burst := greatest(0.2, 60 / rate); apart := make_interval(secs => 60 / rate);
        b.next_start := greatest(b.next_start, now_ - make_interval(secs => burst));
    end if;
    if m.since > now_ - interval '2 minutes' then
        select min(x.host) into hosts_wait from fleet_hosts x
            where x.project = me.project and x.id <> me.id and x.role is not null and x.trusts <> m.database
            and x.heartbeat_at > now_ - interval '60 seconds';
    end if;
    for r in
        select u.n, u.ref, u.size, c.reference_id is not null as known, c.job_id, c.host, c.lease_until
        from unnest(refs, sizes) with ordinality as u (ref, size, n)
        left join fleet_claims c on c.project = me.project and c.reference_id = u.ref
        order by u.n
    loop
        n := r.n; job := ''; seconds := 0; why := ''; jobs := b.jobs; frames := b.frames;
        if r.job_id is not null then
            say := 'theirs'; job := r.job_id;
        elsif r.host <> me.id and r.lease_until > now_ then
            say := 'taken';
            seconds := greatest(0.1, least(5, extract(epoch from r.lease_until - now_)));
        elsif b.blocked <> '' or b.paused_by is not null then
            say := 'shut';
            why := case when b.blocked <> '' then b.blocked else 'paused by ' || b.paused_by end;
        elsif b.hold_until > now_ then
            say := 'wait'; seconds := extract(epoch from b.hold_until - now_);
        elsif hosts_wait is not null then
            say := 'wait'; seconds := 1;
            why := format('the host %s has not told this database yet what it sent', hosts_wait);
        elsif not r.known and r.size > most_frames then
            say := 'never';
        elsif not r.known and (b.jobs >= most_jobs or b.frames + r.size > most_frames) then
            say := 'tomorrow';
            seconds := extract(epoch from (b.day + 1)::timestamp at time zone 'utc' - now_);
        elsif rate is not null and b.next_start + apart > now_ then
            say := 'wait'; waits := extract(epoch from b.next_start + apart - now_);
            -- Hosts take turns, so that a hundred that wait do not ask ten times a second each.
            seconds := greatest(waits, 0.05, 0.01 * (select count(*) from fleet_hosts x
                where x.project = me.project and x.heartbeat_at > now_ - interval '60 seconds'));
        else
            say := 'go'; go := go || r.ref;
            b.next_start := b.next_start + apart;
            if not r.known then b.jobs := b.jobs + 1; b.frames := b.frames + r.size; end if;
        end if;
        return next;
    end loop;
    if go <> '{}' then
        insert into fleet_claims as c (lease_until, claimed_at, project, host, reference_id)
            select now_ + make_interval(secs => lease), now_, me.project, me.id, g.ref from unnest(go) as g (ref)
            on conflict (project, reference_id) do update
            set host = me.id, attempts = least(c.attempts + 1, 32000), lease_until = excluded.lease_until;
        update fleet_budget x set next_start = coalesce(b.next_start, x.next_start), day = b.day, jobs = b.jobs,
            frames = b.frames where x.id = me.project;
    end if;
end $$;

-- What a host has sent, also before there was this database. Those that are new here and were counted today are
-- counted; returned is what another host's lease keeps: to be told again.
create function fleet_mirror(
    p text, h text, refs text[], job_ids text[], sizes integer[], are_open boolean[], days date[], lease double precision
) returns setof text
    language plpgsql security definer set search_path = pg_catalog, fleet, pg_temp as $$
declare me fleet_hosts; b fleet_budget; now_ timestamptz; new_jobs integer; new_frames bigint;
begin
    me := fleet_caller(p, h);
    b := fleet_lock(me.project);
    now_ := clock_timestamp();
    select count(*), coalesce(sum(u.size), 0) into new_jobs, new_frames
        from unnest(refs, sizes, days) as u (ref, size, day)
        where u.day = b.day and not exists (
            select 1 from fleet_claims c where c.project = me.project and c.reference_id = u.ref);
    insert into fleet_claims as c (lease_until, claimed_at, project, host, reference_id, job_id)
        select case when u.is_open then now_ + make_interval(secs => lease) else now_ end, now_, me.project, me.id,
            u.ref, nullif(u.job, '')
        from unnest(refs, job_ids, are_open) as u (ref, job, is_open)
        on conflict (project, reference_id) do update
        set host = me.id, job_id = excluded.job_id, lease_until = excluded.lease_until
        where c.job_id is null and (c.host = me.id or c.lease_until <= now_);
    if new_jobs > 0 then
        update fleet_budget x set day = b.day, jobs = b.jobs + new_jobs, frames = b.frames + new_frames
            where x.id = me.project;
    end if;
    return query select u.ref from unnest(refs, job_ids) as u (ref, job)
        join fleet_claims c on c.project = me.project and c.reference_id = u.ref
        where c.job_id is null and u.job <> '';
end $$;

create function fleet_jobs(p text, h text, refs text[]) returns table (ref text, job text)
    language plpgsql stable security definer set search_path = pg_catalog, fleet, pg_temp as $$
declare me fleet_hosts;
begin
    me := fleet_caller(p, h);
    return query select c.reference_id, c.job_id from unnest(refs) as u (ref)
        join fleet_claims c on c.project = me.project and c.reference_id = u.ref where c.job_id is not null;
end $$;

create function fleet_block(p text, h text, reason text) returns void
    language plpgsql security definer set search_path = pg_catalog, fleet, pg_temp set lock_timeout = '3s' as $$
declare me fleet_hosts;
begin
    me := fleet_caller(p, h);
    update fleet_budget x set blocked = reason, blocked_by = case when reason = '' then '' else h end
        where x.id = me.project and (x.blocked <> reason or x.blocked_by <> h);
end $$;

create function fleet_hold(p text, h text, seconds double precision) returns void
    language plpgsql security definer set search_path = pg_catalog, fleet, pg_temp set lock_timeout = '3s' as $$
declare me fleet_hosts; until timestamptz := clock_timestamp() + make_interval(secs => least(seconds, 86400));
begin
    me := fleet_caller(p, h);
    update fleet_budget x set hold_until = until where x.id = me.project and x.hold_until < until;
end $$;

-- A person's word, from whichever host; returned is whether it was paused before.
create function fleet_pause(p text, is_paused boolean) returns boolean
    language plpgsql security definer set search_path = pg_catalog, fleet, pg_temp set lock_timeout = '3s' as $$
declare was boolean;
begin
    select x.paused_by is not null into was from fleet_budget x where x.project = p for no key update;
    if not found then
        insert into fleet_budget (project) values (p) on conflict do nothing;
        was := false;
    end if;
    if was <> is_paused then
        update fleet_budget x set paused_by = case when is_paused then session_user end where x.project = p;
    end if;
    return was;
end $$;

-- Units, before they are read. What was read and sent is 'done', for whoever sees the same sizes and stamps; what was
-- read and waits to be sent is kept for its host as long as that lives.
create function fleet_is_alive(id smallint, lease double precision) returns boolean
    language sql stable set search_path = pg_catalog, fleet, pg_temp as $$
    select exists (select 1 from fleet_hosts x where x.id = $1 and x.role is not null
        and x.heartbeat_at > clock_timestamp() - make_interval(secs => $2)) $$;

create function fleet_claim(
    p text, h text, paths text[], all_sizes text[], all_stamps text[], lease double precision
) returns table (n bigint, say text, seconds double precision, ref text, digest text, job text)
    language plpgsql security definer set search_path = pg_catalog, fleet, pg_temp set lock_timeout = '3s' as $$
declare me fleet_hosts; now_ timestamptz; won text[];
begin
    me := fleet_caller(p, h);
    if me.folder is null then
        raise exception using errcode = 'FL002', message = 'the host has told no folder';
    end if;
    now_ := clock_timestamp();
    with ours as (
        insert into fleet_units as f (lease_until, folder, host, path, sizes, stamps)
        select now_ + make_interval(secs => lease), me.folder, me.id, u.path, u.sizes, u.stamps
        from unnest(paths, all_sizes, all_stamps) as u (path, sizes, stamps) order by u.path
        on conflict (folder, path) do update
        set lease_until = excluded.lease_until, host = me.id, sizes = excluded.sizes, stamps = excluded.stamps,
            reference_id = null, digest = null
        where case
            when f.reference_id is null then f.host = me.id or f.lease_until <= now_
            when f.sizes <> excluded.sizes or f.stamps <> excluded.stamps then true
            when exists (select 1 from fleet_claims c where c.project = me.project
                and c.reference_id = f.reference_id and c.job_id is not null) then false
            else f.host = me.id or not fleet_is_alive(f.host, lease)
        end
        returning f.path
    )
    select coalesce(array_agg(o.path), '{}') into won from ours o;
    return query
        select u.n,
            case when u.path = any (won) then 'ours' when c.job_id is not null then 'done' else 'taken' end,
            case when u.path = any (won) or c.job_id is not null then 0::float8
                else greatest(0.1::float8, least(5, extract(epoch from
                    case when f.lease_until > now_ then f.lease_until - now_ else interval '5 seconds' end)))::float8 end,
            coalesce(f.reference_id, ''), coalesce(f.digest, ''), coalesce(c.job_id, '')
        from unnest(paths) with ordinality as u (path, n)
        left join fleet_units f on f.folder = me.folder and f.path = u.path
        left join fleet_claims c on c.project = me.project and c.reference_id = f.reference_id
        order by u.n;
end $$;

-- Rows are locked in one order by all: a claim locks also those that it does not win.
create function fleet_lock_units(me fleet_hosts, paths text[]) returns void
    language sql set search_path = pg_catalog, fleet, pg_temp as $$
    select from fleet_units f where f.folder = me.folder and f.path = any (paths) and f.host = me.id
        order by f.path for update $$;

-- Returned are those that are still the host's.
create function fleet_renew(p text, h text, paths text[], lease double precision) returns setof text
    language plpgsql security definer set search_path = pg_catalog, fleet, pg_temp set lock_timeout = '3s' as $$
declare me fleet_hosts;
begin
    me := fleet_caller(p, h);
    perform fleet_lock_units(me, paths);
    return query update fleet_units f set lease_until = clock_timestamp() + make_interval(secs => lease)
        where f.folder = me.folder and f.path = any (paths) and f.host = me.id and f.reference_id is null
        returning f.path;
end $$;

create function fleet_finish(p text, h text, paths text[], refs text[], digests text[]) returns setof text
    language plpgsql security definer set search_path = pg_catalog, fleet, pg_temp set lock_timeout = '3s' as $$
declare me fleet_hosts;
begin
    me := fleet_caller(p, h);
    perform fleet_lock_units(me, paths);
    return query update fleet_units f set reference_id = u.ref, digest = u.digest, lease_until = clock_timestamp()
        from unnest(paths, refs, digests) as u (path, ref, digest)
        where f.folder = me.folder and f.path = u.path and f.host = me.id
        returning f.path;
end $$;

create function fleet_release(p text, h text, paths text[]) returns void
    language plpgsql security definer set search_path = pg_catalog, fleet, pg_temp set lock_timeout = '3s' as $$
declare me fleet_hosts;
begin
    me := fleet_caller(p, h);
    perform fleet_lock_units(me, paths);
    delete from fleet_units f where f.folder = me.folder and f.path = any (paths) and f.host = me.id
        and f.reference_id is null;
end $$;

create function fleet_told(p text) returns jsonb
    language sql stable security definer set search_path = pg_catalog, fleet, pg_temp as $$
    select jsonb_build_object(
        'today', (select to_jsonb(t) from fleet_today t where t.project = p),
        'hosts', coalesce((select jsonb_agg(to_jsonb(s) - 'project') from fleet_status s where s.project = p), '[]'),
        'attention', coalesce((select jsonb_agg(to_jsonb(a) - 'project') from fleet_attention a where a.project = p), '[]')
    ) $$;

-- For a person who tries the set-up: nothing is changed by it.
create function fleet_check(p text, h text, host_folder text) returns jsonb
    language sql stable security definer set search_path = pg_catalog, fleet, pg_temp as $$
    select jsonb_build_object(
        'server', current_setting('server_version'), 'schema', m.version, 'serves', m.serves,
        'clock', extract(epoch from clock_timestamp()), 'role', session_user,
        'is_taken', exists (select 1 from fleet_hosts x join fleet_budget b on b.id = x.project
            where b.project = p and x.host = h and x.role <> session_user),
        'is_too_mighty', has_table_privilege(session_user, 'fleet_claims', 'insert'),
        'is_told_apart', not exists (select 1 from fleet_hosts x join fleet_budget b on b.id = x.project
            where b.project = p and x.host <> h and x.role = session_user),
        'sharing', (select coalesce(jsonb_agg(x.host order by x.host), '[]') from fleet_hosts x
            join fleet_budget b on b.id = x.project join fleet_folders f on f.id = x.folder
            where b.project = p and f.folder = host_folder and x.host <> h and x.role is not null),
        'attention', coalesce((select jsonb_agg(to_jsonb(a) - 'project') from fleet_attention a where a.project = p), '[]')
    ) from fleet_meta m $$;

-- For the owner alone: what a dead host has claimed is free at once; should it come back, it is known again.
create function fleet_forget(p text, h text) returns void
    language plpgsql set search_path = pg_catalog, fleet, pg_temp set lock_timeout = '3s' as $$
declare who fleet_hosts;
begin
    select x.* into who from fleet_hosts x join fleet_budget b on b.id = x.project
        where b.project = p and x.host = h and x.role is not null for no key update of x;
    if not found then
        raise exception using errcode = 'FL004', message = 'the fleet has no such host';
    elsif who.heartbeat_at > clock_timestamp() - interval '60 seconds' then
        raise exception using errcode = 'FL004', message = 'the host is alive: stop its agent first, and wait a minute';
    end if;
    update fleet_hosts x set role = null, counts = '{}', folder = null where x.id = who.id;
    update fleet_claims c set lease_until = clock_timestamp()
        where c.project = who.project and c.job_id is null and c.lease_until > clock_timestamp() and c.host = who.id;
    update fleet_units f set lease_until = clock_timestamp() where f.host = who.id and f.lease_until > clock_timestamp();
end $$;

revoke all on all tables in schema fleet from public;
revoke all on all functions in schema fleet from public;
grant execute on function fleet_count(jsonb, text[]) to public;  -- who may read the views calls it with their own rights
grant usage on schema fleet to playment_agent;
grant execute on function
    fleet_beat(text, text, bigint, text, integer, text, jsonb, text, double precision, integer, bigint),
    fleet_grant(text, text, bigint, text, text[], integer[], double precision, integer, bigint, double precision),
    fleet_mirror(text, text, text[], text[], integer[], boolean[], date[], double precision),
    fleet_jobs(text, text, text[]), fleet_block(text, text, text), fleet_hold(text, text, double precision),
    fleet_pause(text, boolean), fleet_claim(text, text, text[], text[], text[], double precision),
    fleet_renew(text, text, text[], double precision), fleet_finish(text, text, text[], text[], text[]),
    fleet_release(text, text, text[]), fleet_told(text), fleet_check(text, text, text)
    to playment_agent;
