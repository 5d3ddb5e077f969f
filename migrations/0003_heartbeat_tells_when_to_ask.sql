-- When the endpoint may be asked again, where it named a time: a restart is no reason to ask before.
alter table heartbeat add column asks_at_ms integer;
