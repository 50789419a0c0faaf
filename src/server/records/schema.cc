#include "server/records/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/data/bytes.h"
#include "base/data/json.h"
#include "base/data/sha256.h"
#include "base/letter_case.h"
#include "server/records/package_index.h"
#include "server/records/stored_values.h"

namespace flox::server {
namespace {

void add_description(Session& session, std::string_view name, std::string_view description) {
  const std::string searched = searched_text(name, description);
  const std::string hash = to_hex(bytes_of(sha256(searched)));
  session.run(
      "insert into descriptions (name, hash, searched) values ($1, $2, $3) on conflict (name, hash) do "
      "nothing",
      {name, hash, searched});
}

// The descriptions of the builds of release 0.1, which searched the records themselves.
void describe_builds(Session& session) {
  constexpr int64_t page = 500;
  std::string name, version, system, variant;
  for (;;) {
    const auto builds = session.rows<std::string, std::string, std::string, std::string, std::string>(
        "select name, version, system, variant, record from builds where (name, version, system, variant) > "
        "($1, $2, $3, $4) order by name, version, system, variant limit $5",
        {name, version, system, variant, page});
    for (const auto& [of, v, s, r, record] : builds) {
      const auto json = parse_json(record, "a record of the catalog");
      add_description(session, of, json.value("description", ""));
    }
    if (builds.size() < page) return;
    std::tie(name, version, system, variant, std::ignore) = builds.back();
  }
}

}  // namespace

std::span<const Migration> catalog_schema() {
  static const std::string tables_of_7 = std::string(package_index_tables) + R"(
    create table removal_marks (digest text primary key, going_since bigint not null);
    create table retention_rules (
      owner text primary key, versions bigint not null, generations bigint not null, days bigint not null);
  )";
  static const Migration all[] = {
      // As release 0.1 had them in SQLite: there, this finds them.
      {1, "packages and environments", R"(
        create table if not exists builds (
          name text not null, version text not null, system text not null, variant text not null,
          record text not null,
          primary key (name, version, system, variant));
        create table if not exists settings (name text primary key, value text not null);
        create table if not exists environments (
          owner text not null, name text not null, number bigint not null,
          manifest text not null, lock text not null, pushed_at text not null,
          primary key (owner, name, number));
      )"},
      {2, "descriptions, for searching", R"(
        create table descriptions (
          name text not null, hash text not null, searched text not null,
          primary key (name, hash));
      )",
       describe_builds},
      {3, "NAR files, for catalogs that share a cache", R"(
        create table nars (
          file text primary key, file_size bigint not null, used_at bigint not null,
          going_since bigint not null, is_named bigint not null,
          nar_hash text not null, nar_size bigint not null);
      )"},
      {4, "owners, members, tokens, and who may see what", R"(
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
      )"},
      {5, "attestations", R"(
        create table attestations (
          digest text not null, key text not null, envelope text not null, primary key (digest, key));
      )"},
      {6, "signed metadata", R"(
        create table metadata (
          owner text not null, role text not null, version bigint not null, document text not null,
          primary key (owner, role, version));
        create table name_files (
          owner text not null, name text not null, version bigint not null, sha256 text not null,
          document text not null, primary key (owner, name, version));
        create table name_changes (owner text primary key, changes bigint not null);
      )"},
      {7, "garbage collection, rules of retention, and the newest build of each package", tables_of_7,
       index_all_packages},
      {8, "which nodes run which environments", R"(
        create table node_reports (
          reporter text not null, node text not null, token text not null, heard_at bigint not null,
          expires_at bigint not null, primary key (reporter, node));
        create table node_environments (
          reporter text not null, node text not null, owner text not null, name text not null,
          generation bigint not null, containers bigint not null,
          primary key (reporter, node, owner, name, generation));
        create index node_environments_by_name on node_environments (owner, name);
      )"},
      {9, "packages in the order in which they are searched", package_index_in_order},
      {10, "start profiles", R"(
        create table start_profiles (
          kind text not null, name text not null, profile text not null, published_at text not null,
          primary key (kind, name));
      )"},
  };
  return all;
}

std::string searched_text(std::string_view name, std::string_view description) {
  return lower_case(fmt::format("{}\n{}", name, description));
}

void note_new_name(Session& session) { count(session, "names"); }

}  // namespace flox::server
