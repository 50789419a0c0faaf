// The tokens that the catalog has given out, without the tokens themselves: what is kept is a token's
// SHA-256.
//
// A plain hash is enough, and right: a token is 256 bits from the system's random numbers, so nobody finds it
// by trying, and neither salt nor a slow function (which passwords need, since people choose them) would make
// that harder. It would only make each request slower.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/data/secret.h"
#include "server/database/database.h"
#include "server/records/role.h"

namespace flox::server {

// Of a user, of an owner, or of a user for one owner.
struct Token {
  std::string id;  // "flox_0123456789ab": the token's beginning, which may be shown
  std::string user;
  std::string owner;
  Role role = Role::read;  // the most that it allows
  std::string description;
  int64_t created_at = 0;  // seconds since 1970, UTC; so are the others
  std::string created_by;
  int64_t expires_at = 0;    // 0: never
  int64_t last_used_at = 0;  // 0: never; of a minute's accuracy
  int64_t revoked_at = 0;    // 0: it is not
};

// Thread-safe.
class TokenRecords {
 public:
  // The database (records/database.h) must outlive it.
  explicit TokenRecords(Database& database) : database_(database) {}

  // Makes a token and records it; sets its id. The token is in no other place than the result.
  Secret create(Token& token);
  // By the token; expired and revoked ones, too.
  std::optional<Token> find(std::string_view token) const;
  std::optional<Token> find_by_id(const std::string& id) const;
  // A token's place among those that list() gives.
  struct Place {
    int64_t created_at = 0;
    std::string id;
  };
  // Of the user (its own), or of the owner; both empty: all. The newest first, at most `most`; those after
  // that place.
  std::vector<Token> list(const std::string& user, const std::string& owner, size_t most,
                          const std::optional<Place>& after = {}) const;
  // False if there is none, or it is revoked already.
  bool revoke(const std::string& id, int64_t now);
  void used(const std::string& id, int64_t now);
  // Forgets those that expired before. How many.
  int remove_expired(int64_t before);

 private:
  Database& database_;
};

// Whether it looks like a token of ours: whoever brings another text costs no look-up.
bool is_token(std::string_view text) noexcept;

}  // namespace flox::server
