-- catalog.sqlite of release 0.1. Never changed.
create table builds (
  name text not null, version text not null, system text not null, variant text not null,
  record text not null,
  primary key (name, version, system, variant));
create table settings (name text primary key, value text not null);
pragma user_version = 1;
insert into builds (name, version, system, variant, record) values ('web', '1.0', 'x86_64-linux', '', '{"closure_size":5000,"description":"Serves the Web","license":"MIT","name":"web","outputs":{"out":"/nix/store/11111111111111111111111111111111-web"},"published_at":"2026-11-21T08:00:00Z","signer":"not verified (claims demo-1)","system":"x86_64-linux","variant":"","version":"1.0"}');
insert into builds (name, version, system, variant, record) values ('web', '2.0', 'x86_64-linux', '', '{"closure_size":5000,"description":"Serves the Web","license":"MIT","name":"web","outputs":{"out":"/nix/store/22222222222222222222222222222222-web"},"published_at":"2026-11-22T08:00:00Z","signer":"not verified (claims demo-1)","system":"x86_64-linux","variant":"","version":"2.0"}');
