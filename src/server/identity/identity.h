// Finds out who makes a request, by the token that it brings.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/data/secret.h"
#include "base/net/server/http_server.h"
#include "server/identity/caller.h"
#include "server/identity/page_cookie.h"
#include "server/records/owners.h"
#include "server/records/tokens.h"

namespace flox::server {

// Thread-safe.
class Identity {
 public:
  // `operator_token` may do everything; empty: there is none. The records must outlive it. `cookie_name`:
  // that of the pages' sessions, a literal.
  Identity(Secret operator_token, OwnerRecords& owners, TokenRecords& tokens,
           std::string_view cookie_name = secure_cookie_name)
      : operator_token_(std::move(operator_token)),
        owners_(owners),
        tokens_(tokens),
        cookie_name_(cookie_name) {}

  // By "Authorization: Bearer TOKEN", or Basic with the token as password, which netrc files give; at the
  // pages by a cookie (page_sessions.h). What does
  // not count makes nobody of the caller, with the problem. What it has found out holds for a second, so that
  // it seldom waits for the database, and that a token which another catalog of the same database revoked is
  // good for no longer than that.
  std::shared_ptr<const Caller> caller_of(const ServerRequest& request) const;
  // Notes that the token was used, at most once a minute.
  void note_use(const Caller& caller);
  // Makes a token and records it.
  Secret create(Token& token);
  bool revoke(const std::string& id);
  // To be called when members or their roles have changed.
  void forget();

 private:
  struct Known {
    std::shared_ptr<const Caller> caller;
    std::chrono::steady_clock::time_point until;
  };
  std::shared_ptr<const Caller> look_up(const std::string& token) const;

  Secret operator_token_;
  OwnerRecords& owners_;
  TokenRecords& tokens_;
  std::string_view cookie_name_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, Known> known_;  // by the token's SHA-256
  mutable uint64_t changes_ = 0;                // calls of forget()
  std::map<std::string, int64_t> used_;         // when that was noted, by id
};

}  // namespace flox::server
