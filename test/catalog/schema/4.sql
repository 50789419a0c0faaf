-- The catalog's database as its schema was after step 4, with something in each table. Never changed.
create table schema_migrations (number bigint primary key, name text not null);
insert into schema_migrations (number, name) values (1, 'packages and environments');
create table if not exists builds (
name text not null, version text not null, system text not null, variant text not null,
record text not null,
primary key (name, version, system, variant));
create table if not exists settings (name text primary key, value text not null);
create table if not exists environments (
owner text not null, name text not null, number bigint not null,
manifest text not null, lock text not null, pushed_at text not null,
primary key (owner, name, number));
insert into builds (name, version, system, variant, record) values ('web', '1.0', 'x86_64-linux', '', '{"closure_size":5000,"description":"Serves the Web","license":"MIT","name":"web","outputs":{"out":"/nix/store/11111111111111111111111111111111-web"},"published_at":"2026-11-21T08:00:00Z","signer":"not verified (claims demo-1)","system":"x86_64-linux","variant":"","version":"1.0"}');
insert into builds (name, version, system, variant, record) values ('web', '2.0', 'x86_64-linux', '', '{"closure_size":5000,"description":"Serves the Web","license":"MIT","name":"web","outputs":{"out":"/nix/store/22222222222222222222222222222222-web"},"published_at":"2026-11-22T08:00:00Z","signer":"not verified (claims demo-1)","system":"x86_64-linux","variant":"","version":"2.0"}');
insert into environments (owner, name, number, manifest, lock, pushed_at) values ('acme', 'web', 1, 'version = 1', '{"lockfile-version":1,"manifest":{"version":1},"packages":[]}', '2026-11-21T08:00:00Z');
insert into environments (owner, name, number, manifest, lock, pushed_at) values ('acme', 'web', 2, 'version = 2', '{"lockfile-version":1,"manifest":{"version":1},"packages":[]}', '2026-11-22T08:00:00Z');
insert into settings (name, value) values ('keys', 'of before');
insert into schema_migrations (number, name) values (2, 'descriptions, for searching');
create table descriptions (
name text not null, hash text not null, searched text not null,
primary key (name, hash));
insert into descriptions (name, hash, searched) values ('web', 'c3cd85f2777fd005c9a4522ed043a876e024907603ea408838f1abcb8e1ac06b', 'web
serves the web');
insert into schema_migrations (number, name) values (3, 'NAR files, for catalogs that share a cache');
create table nars (
file text primary key, file_size bigint not null, used_at bigint not null,
going_since bigint not null, is_named bigint not null,
nar_hash text not null, nar_size bigint not null);
insert into nars (file, file_size, used_at, going_since, is_named, nar_hash, nar_size) values ('nar/1111111111111111111111111111111111111111111111111111.nar', 5000, 1795000000, 0, 0, '', 0);
insert into schema_migrations (number, name) values (4, 'owners, members, tokens, and who may see what');
create table owners (name text primary key, is_private bigint not null, created_at text not null);
create table members (
owner text not null, member text not null, role text not null, primary key (owner, member));
create index members_by_name on members (member);
create table tokens (
hash text primary key, id text not null unique, member text not null, owner text not null,
role text not null, description text not null, created_at bigint not null, created_by text not null,
expires_at bigint not null, last_used_at bigint not null, revoked_at bigint not null);
create index tokens_by_member on tokens (member);
create index tokens_by_owner on tokens (owner);
create table holdings (
kind text not null, name text not null, owner text not null, is_private bigint not null,
since text not null, primary key (kind, name));
create index holdings_private on holdings (kind, is_private);
create table cache_readers (name text not null, reader text not null, primary key (name, reader));
insert into owners (name, is_private, created_at) values ('acme', 0, '2026-11-21T08:00:00Z'), ('secret', 1, '2026-11-21T08:00:00Z');
insert into members (owner, member, role) values ('acme', 'alice@example.org', 'admin');
insert into tokens (hash, id, member, owner, role, description, created_at, created_by, expires_at, last_used_at, revoked_at) values ('a64784943751c96e91f1cf1e2e971d4e7780b057dc80e75ce05600fee75abbd7', 'flox_0123456789ab', '', 'acme', 'admin', 'of a test', 1795000000, 'operator', 0, 0, 0);
insert into holdings (kind, name, owner, is_private, since) values ('package', 'web', 'acme', 0, '2026-11-21T08:00:00Z'), ('package', 'hidden', 'secret', 1, '2026-11-21T08:00:00Z');
insert into builds (name, version, system, variant, record) values ('hidden', '1.0', 'x86_64-linux', '', '{"closure_size":5000,"description":"Serves the Web","license":"MIT","name":"hidden","outputs":{"out":"/nix/store/11111111111111111111111111111111-web"},"published_at":"2026-11-21T08:00:00Z","signer":"not verified (claims demo-1)","system":"x86_64-linux","variant":"","version":"1.0"}');
insert into cache_readers (name, reader) values ('33333333333333333333333333333333.narinfo', 'secret');
