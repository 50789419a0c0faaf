-- environments.sqlite of release 0.1. Never changed.
create table environments (owner text not null, name text not null, number integer not null, manifest text not null, lock text not null, pushed_at text not null, primary key (owner, name, number));
insert into environments (owner, name, number, manifest, lock, pushed_at) values ('acme', 'web', 1, 'version = 1', '{"lockfile-version":1,"manifest":{"version":1},"packages":[]}', '2026-11-21T08:00:00Z');
insert into environments (owner, name, number, manifest, lock, pushed_at) values ('acme', 'web', 2, 'version = 2', '{"lockfile-version":1,"manifest":{"version":1},"packages":[]}', '2026-11-22T08:00:00Z');
