-- What the loop waits for, if it waits, and how long its daemon has lived on the monotonic clock.
alter table heartbeat add column paused text;
alter table heartbeat add column lived_s real not null default 0;
