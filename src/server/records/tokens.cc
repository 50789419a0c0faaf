#include "server/records/tokens.h"

#include <algorithm>

#include "base/data/bytes.h"
#include "base/data/random.h"
#include "base/data/sha256.h"
#include "base/error.h"

namespace flox::server {
namespace {

constexpr std::string_view prefix = "flox_";
constexpr size_t id_bytes = 6;
constexpr size_t secret_bytes = 32;
constexpr size_t token_size = prefix.size() + 2 * id_bytes + 1 + 2 * secret_bytes;

#define COLUMNS \
  "id, member, owner, role, description, created_at, created_by, expires_at, last_used_at, revoked_at"

std::string hash_of(std::string_view token) { return to_hex(bytes_of(sha256(token))); }

std::string random_hex(size_t bytes) { return to_hex(random_bytes(bytes)); }

std::vector<Token> tokens_in(Database& database, const std::string& sql, const Values& values) {
  return database.transact(Access::statement, [&](Session& session) {
    std::vector<Token> result;
    session.each(sql, values, [&](const Row& row) {
      result.push_back({.id = row.get<std::string>(0),
                        .user = row.get<std::string>(1),
                        .owner = row.get<std::string>(2),
                        .role = role_of(row.text(3)).value_or(Role::none),
                        .description = row.get<std::string>(4),
                        .created_at = row.number(5),
                        .created_by = row.get<std::string>(6),
                        .expires_at = row.number(7),
                        .last_used_at = row.number(8),
                        .revoked_at = row.number(9)});
    });
    return result;
  });
}

std::optional<Token> token_in(Database& database, const std::string& sql, const std::string& key) {
  auto found = tokens_in(database, sql, {key});
  return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

}  // namespace

bool is_token(std::string_view text) noexcept {
  return text.size() == token_size && text.starts_with(prefix);
}

Secret TokenRecords::create(Token& token) {
  token.id = std::string(prefix) + random_hex(id_bytes);
  Secret secret(token.id + "_" + random_hex(secret_bytes));
  const std::string hash = hash_of(secret.reveal());
  database_.write([&](Session& session) {
    session.run("insert into tokens (hash, " COLUMNS ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0)",
                {hash, token.id, token.user, token.owner, to_text(token.role), token.description,
                 token.created_at, token.created_by, token.expires_at});
  });
  return secret;
}

std::optional<Token> TokenRecords::find(std::string_view token) const {
  return token_in(database_, "select " COLUMNS " from tokens where hash = $1", hash_of(token));
}

std::optional<Token> TokenRecords::find_by_id(const std::string& id) const {
  return token_in(database_, "select " COLUMNS " from tokens where id = $1", id);
}

std::vector<Token> TokenRecords::list(const std::string& user, const std::string& owner, size_t most,
                                      const std::optional<Place>& after) const {
  const Place from = after.value_or(Place());
  return tokens_in(
      database_,
      "select " COLUMNS
      " from tokens where ($1 = '' or member = $1) and ($2 = '' or owner = $2) "
      "and ($3 = 0 or created_at < $4 or (created_at = $4 and id > $5)) "
      "order by created_at desc, id limit $6",
      {user, owner, int64_t{after.has_value()}, from.created_at, from.id, static_cast<int64_t>(most)});
}

bool TokenRecords::revoke(const std::string& id, int64_t now) {
  return database_.write([&](Session& session) {
    return session.run("update tokens set revoked_at = $1 where id = $2 and revoked_at = 0", {now, id}) == 1;
  });
}

void TokenRecords::used(const std::string& id, int64_t now) {
  database_.write([&](Session& session) {
    session.run("update tokens set last_used_at = $1 where id = $2", {now, id});
  });
}

int TokenRecords::remove_expired(int64_t before) {
  return database_.write([&](Session& session) {
    return static_cast<int>(
        session.run("delete from tokens where expires_at <> 0 and expires_at < $1", {before}));
  });
}

#undef COLUMNS

}  // namespace flox::server
