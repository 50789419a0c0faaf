-- The catalog's database as its schema was after step 8, with something in each table. Never changed.
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
insert into schema_migrations (number, name) values (5, 'attestations');
create table attestations (
digest text not null, key text not null, envelope text not null, primary key (digest, key));
insert into attestations (digest, key, envelope) values ('11111111111111111111111111111111', 'demo-1', '{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{"keyid":"demo-1","sig":"AA=="}]}');
insert into schema_migrations (number, name) values (6, 'signed metadata');
create table metadata (
owner text not null, role text not null, version bigint not null, document text not null,
primary key (owner, role, version));
create table name_files (
owner text not null, name text not null, version bigint not null, sha256 text not null,
document text not null, primary key (owner, name, version));
create table name_changes (owner text primary key, changes bigint not null);
insert into metadata (owner, role, version, document) values ('acme', 'root', 1, '{"signatures": [{"keyid": "b1441d2d37d502255b7ac5e622c5a277b0c7e58fe7b63dc5b1c05949bb9cdd3a",
   "sig": "e1f785e4f80b4a3a31fbf1deb6b9c43279fcfe35120e9eba842c1e6a3d1a14ea72212ddb032314570765ed522173bc3ee334cb777c85ee82158eb2ca96e1370e"}],
 "signed": {"_type": "root",
  "consistent_snapshot": true,
  "expires": "2028-01-31T12:00:00Z",
  "keys": {"1ce816bd2b7ea51bb95991829911c7c1d87e56c9e309f4cc1fdfd6f7b942512c": {"keytype": "ed25519",
    "keyval": {"public": "16d201864c1a170094e1845ed1ecad4391f027055620d57a6fa288a00b56dd1a"},
    "name": "catalog-1",
    "scheme": "ed25519"},
   "5ce9d3508aa10ad2d95edef2251999f149c84c8cb57c83ae5ec5b1b21a74f97b": {"keytype": "ed25519",
    "keyval": {"public": "6d6bd611385c5f16bf49047f15377cda4318f6483570badad37db08506025354"},
    "name": "targets-1",
    "scheme": "ed25519"},
   "b1441d2d37d502255b7ac5e622c5a277b0c7e58fe7b63dc5b1c05949bb9cdd3a": {"keytype": "ed25519",
    "keyval": {"public": "0bca8fd19a6c0d0b13f7f8ae589f78b933a97e2e5cffeeb7956819268d31488d"},
    "name": "root-1",
    "scheme": "ed25519"}},
  "owner": "acme",
  "roles": {"root": {"keyids": ["b1441d2d37d502255b7ac5e622c5a277b0c7e58fe7b63dc5b1c05949bb9cdd3a"], "threshold": 1},
   "snapshot": {"keyids": ["1ce816bd2b7ea51bb95991829911c7c1d87e56c9e309f4cc1fdfd6f7b942512c"], "threshold": 1},
   "targets": {"keyids": ["5ce9d3508aa10ad2d95edef2251999f149c84c8cb57c83ae5ec5b1b21a74f97b"], "threshold": 1},
   "timestamp": {"keyids": ["1ce816bd2b7ea51bb95991829911c7c1d87e56c9e309f4cc1fdfd6f7b942512c"], "threshold": 1}},
  "spec_version": "1.0.31",
  "version": 1}}
'), ('acme', 'targets', 1, '{"signatures": [{"keyid": "5ce9d3508aa10ad2d95edef2251999f149c84c8cb57c83ae5ec5b1b21a74f97b",
   "sig": "e56aa255ea25ad50581caa68f63c6233c7f46624c8212e37643f5fbca8c7ef6c07d1cbdf210154bdd7c6e3d943e2818d8ffce7f3f67dc58288eaf5c86b3d3004"}],
 "signed": {"_type": "targets",
  "delegations": {"keys": {"ced9470a99176eae12bdac3610d454547a451a2a0b037fe9ee1de95ed8d481f1": {"keytype": "ed25519",
     "keyval": {"public": "75204e47400dc8aa1c343c646dcbb52311e351c8fb0f32639a439201920056b4"},
     "name": "alice-1",
     "scheme": "ed25519"}},
   "roles": [{"keyids": ["ced9470a99176eae12bdac3610d454547a451a2a0b037fe9ee1de95ed8d481f1"],
     "name": "publishers",
     "paths": ["packages/*", "environments/*"],
     "terminating": false,
     "threshold": 1}]},
  "expires": "2028-01-31T12:00:00Z",
  "owner": "acme",
  "spec_version": "1.0.31",
  "targets": {},
  "version": 1}}
');
insert into name_files (owner, name, version, sha256, document) values ('acme', 'packages/hello', 3, '6890d26d7d7f5b403dff32ad14bce9080debd05c8bcedc6c516456bae339bf58', '{"signatures": [{"keyid": "ced9470a99176eae12bdac3610d454547a451a2a0b037fe9ee1de95ed8d481f1",
   "sig": "4e6218293a095bb5d7189655c5ca3a6df9a5411624f194c36acf4cbca91eb8e297a9a8f8e7b2844ca34316f2460048f9991e3bcc161d202b5822e9482148370b"}],
 "signed": {"_type": "targets",
  "expires": "2028-01-31T12:00:00Z",
  "name": "packages/hello",
  "owner": "acme",
  "spec_version": "1.0.31",
  "targets": {"2.12/x86_64-linux/any": {"custom": {"outputs": {"out": "/nix/store/i9pmrzmpshapij2kin22pff6fc2adavx-hello-2.12"}},
    "hashes": {"sha256": "bdd34448e4c4cd3b15ea83c62eaf71495c2b995529d34bf48876b206b86a7c09"},
    "length": 145}},
  "version": 3}}
');
insert into name_changes (owner, changes) values ('', 1), ('acme', 1);
insert into schema_migrations (number, name) values (7, 'garbage collection, rules of retention, and the newest build of each package');
alter table builds add column owner text not null default '';
alter table builds add column is_yanked bigint not null default 0;
drop table descriptions;
create table packages (
  system text not null, name text not null, version text not null, built_for text not null,
  variant text not null, owner text not null, license text not null, searched text not null,
  primary key (system, name));
create index packages_by_name on packages (name);
insert into packages (system, name, version, built_for, variant, owner, license, searched) values ('', 'hidden', '1.0', 'x86_64-linux', '', '', 'MIT', 'hidden
serves the web');
insert into packages (system, name, version, built_for, variant, owner, license, searched) values ('', 'web', '2.0', 'x86_64-linux', '', '', 'MIT', 'web
serves the web');
insert into packages (system, name, version, built_for, variant, owner, license, searched) values ('x86_64-linux', 'hidden', '1.0', 'x86_64-linux', '', '', 'MIT', 'hidden
serves the web');
insert into packages (system, name, version, built_for, variant, owner, license, searched) values ('x86_64-linux', 'web', '2.0', 'x86_64-linux', '', '', 'MIT', 'web
serves the web');
create table removal_marks (digest text primary key, going_since bigint not null);
insert into removal_marks (digest, going_since) values ('44444444444444444444444444444444', 0);
create table retention_rules (
  owner text primary key, versions bigint not null, generations bigint not null, days bigint not null);
insert into retention_rules (owner, versions, generations, days) values ('acme', 5, 10, 30);
insert into schema_migrations (number, name) values (8, 'which nodes run which environments');
create table node_reports (
  reporter text not null, node text not null, token text not null, heard_at bigint not null,
  expires_at bigint not null, primary key (reporter, node));
create table node_environments (
  reporter text not null, node text not null, owner text not null, name text not null,
  generation bigint not null, containers bigint not null,
  primary key (reporter, node, owner, name, generation));
create index node_environments_by_name on node_environments (owner, name);
insert into node_reports (reporter, node, token, heard_at, expires_at) values ('acme', 'node-1', 'abcdefabcdef', 1764000000, 4102444800);
insert into node_environments (reporter, node, owner, name, generation, containers) values ('acme', 'node-1', 'acme', 'web', 2, 3);
insert into schema_migrations (number, name) values (9, 'packages in the order in which they are searched');
create table packages_in_order (
  system text not null, name text not null, version text not null, built_for text not null,
  variant text not null, owner text not null, license text not null, searched text not null,
  primary key (system, name)) without rowid;
insert into packages_in_order (system, name, version, built_for, variant, owner, license, searched)
  select system, name, version, built_for, variant, owner, license, searched from packages;
drop table packages;
alter table packages_in_order rename to packages;
create index packages_by_name on packages (name);
