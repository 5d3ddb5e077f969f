-- One tag on one branch. Everything here was decided when the session began, so no row ever
-- changes: resuming with another pack or another base is noticed, not written over.
create table session (
    id integer primary key,
    tag text not null unique check (length(tag) > 0),
    task text not null check (length(task) > 0),
    modality text not null check (length(modality) > 0),
    base_commit text not null check (length(base_commit) in (40, 64)),
    pack_hash text not null check (length(pack_hash) > 0),
    repository text not null check (length(repository) > 0),
    settings text not null check (json_valid(settings)),
    created_at_ms integer not null
) strict;

create trigger session_is_never_changed before update on session
begin
    select raise(abort, 'a session is never changed');
end;

create trigger session_is_never_deleted before delete on session
begin
    select raise(abort, 'a session is never deleted');
end;

create trigger session_is_never_replaced before insert on session
when exists (select 1 from session where id = new.id)
begin
    select raise(abort, 'a session is never replaced');
end;

-- What happened, in the order in which it happened: the truth from which branch, results.tsv and
-- STATE.md are derived. Append-only; `autoincrement` because an id is never used twice.
create table entry (
    id integer primary key autoincrement,
    session_id integer not null references session (id),
    experiment integer not null check (experiment between 0 and 4294967295),
    at_ms integer not null,
    kind text not null,
    body text not null check (json_valid(body)),
    check (json_extract(body, '$.entry') is kind)
) strict;

create index entry_by_session on entry (session_id, id);

create trigger entry_is_never_changed before update on entry
begin
    select raise(abort, 'an entry is never changed');
end;

create trigger entry_is_never_deleted before delete on entry
begin
    select raise(abort, 'an entry is never deleted');
end;

-- `insert or replace` deletes without the trigger above.
create trigger entry_is_never_replaced before insert on entry
when exists (select 1 from entry where id = new.id)
begin
    select raise(abort, 'an entry is never replaced');
end;

-- The last sign of life of a session's daemon. The one mutable table: it is written every few
-- seconds, only its newest value means anything, and nothing is ever derived from it.
create table heartbeat (
    session_id integer primary key references session (id),
    pid integer not null check (pid between 0 and 4294967295),
    host text not null,
    boot_id text not null,
    phase text,
    phase_since_ms integer not null,
    experiment integer check (experiment between 0 and 4294967295),
    at_ms integer not null
) strict;
