#include "server/records/tokens.h"

#include <openssl/rand.h>

#include <algorithm>
#include <mutex>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "server/records/database.h"

namespace flox::server {
namespace {

constexpr std::string_view prefix = "flox_";
constexpr size_t id_bytes = 6;
constexpr size_t secret_bytes = 32;
constexpr size_t token_size = prefix.size() + 2 * id_bytes + 1 + 2 * secret_bytes;

constexpr const char* token_schema = R"(
  create table if not exists tokens (
    hash text not null primary key,  -- SHA-256 of the token, hexadecimal
    id text not null unique, member text not null, owner text not null, role text not null, description text not null,
    created_at bigint not null, created_by text not null, expires_at bigint not null, last_used_at bigint not null,
    revoked_at bigint not null);
  create index if not exists tokens_by_member on tokens (member);
  create index if not exists tokens_by_owner on tokens (owner);
)";
#define COLUMNS \
  "id, member, owner, role, description, created_at, created_by, expires_at, last_used_at, revoked_at"

std::string hash_of(std::string_view token) { return to_hex(bytes_of(sha256(token))); }

std::string random_hex(size_t bytes) {
  std::string random(bytes, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(random.data()), static_cast<int>(bytes)) != 1)
    fail(ErrorKind::internal, "OpenSSL gives no random bytes");
  return to_hex(random);
}

Token token_in(const sqlite::Query& query) {
  return {.id = query.text(0),
          .user = query.text(1),
          .owner = query.text(2),
          .role = role_of(query.view(3)).value_or(Role::none),
          .description = query.text(4),
          .created_at = query.number(5),
          .created_by = query.text(6),
          .expires_at = query.number(7),
          .last_used_at = query.number(8),
          .revoked_at = query.number(9)};
}

}  // namespace

bool is_token(std::string_view text) noexcept {
  return text.size() == token_size && text.starts_with(prefix);
}

struct TokenRecords::State {
  explicit State(const std::filesystem::path& file) : db(open_database(file)) {}
  sqlite::Connection db;
  mutable std::mutex mutex;
};

TokenRecords::TokenRecords(const std::filesystem::path& file) : state_(std::make_unique<State>(file)) {
  state_->db.execute(token_schema);
}
TokenRecords::~TokenRecords() = default;

Secret TokenRecords::create(Token& token) {
  token.id = std::string(prefix) + random_hex(id_bytes);
  Secret secret(token.id + "_" + random_hex(secret_bytes));
  const std::scoped_lock lock(state_->mutex);
  sqlite::Query insert(state_->db,
                       "insert into tokens (hash, " COLUMNS ") values (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)");
  insert.bind(hash_of(secret.reveal()))
      .bind(token.id)
      .bind(token.user)
      .bind(token.owner)
      .bind(to_text(token.role))
      .bind(token.description)
      .bind(token.created_at)
      .bind(token.created_by)
      .bind(token.expires_at)
      .run();
  return secret;
}

std::optional<Token> TokenRecords::find(std::string_view token) const {
  const std::scoped_lock lock(state_->mutex);
  sqlite::Query query(state_->db, "select " COLUMNS " from tokens where hash = ?");
  query.bind(hash_of(token));
  return query.next() ? std::optional(token_in(query)) : std::nullopt;
}

std::optional<Token> TokenRecords::find_by_id(const std::string& id) const {
  const std::scoped_lock lock(state_->mutex);
  sqlite::Query query(state_->db, "select " COLUMNS " from tokens where id = ?");
  query.bind(id);
  return query.next() ? std::optional(token_in(query)) : std::nullopt;
}

std::vector<Token> TokenRecords::list(const std::string& user, const std::string& owner, size_t most) const {
  const std::scoped_lock lock(state_->mutex);
  std::string sql = "select " COLUMNS " from tokens";
  if (!user.empty()) sql += " where member = ?";
  if (!owner.empty()) sql += user.empty() ? " where owner = ?" : " and owner = ?";
  sqlite::Query query(state_->db, sql + " order by created_at desc, id limit ?");
  if (!user.empty()) query.bind(user);
  if (!owner.empty()) query.bind(owner);
  query.bind(static_cast<int64_t>(most));
  std::vector<Token> result;
  while (query.next()) result.push_back(token_in(query));
  return result;
}

bool TokenRecords::revoke(const std::string& id, int64_t now) {
  const std::scoped_lock lock(state_->mutex);
  sqlite::Query update(state_->db, "update tokens set revoked_at = ? where id = ? and revoked_at = 0");
  return update.bind(now).bind(id).run() == 1;
}

void TokenRecords::used(const std::string& id, int64_t now) {
  const std::scoped_lock lock(state_->mutex);
  sqlite::Query update(state_->db, "update tokens set last_used_at = ? where id = ?");
  update.bind(now).bind(id).run();
}

int TokenRecords::remove_expired(int64_t before) {
  const std::scoped_lock lock(state_->mutex);
  sqlite::Query remove(state_->db, "delete from tokens where expires_at <> 0 and expires_at < ?");
  return remove.bind(before).run();
}

#undef COLUMNS

}  // namespace flox::server
