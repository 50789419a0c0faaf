// Exchanges tokens of OpenID Connect issuers for tokens of the catalog (RFC 8693): those of people, who log
// in, and those of workloads, by rules.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/data/secret.h"
#include "server/identity/exchange_rules.h"
#include "server/identity/identity.h"
#include "server/identity/issuer_keys.h"

namespace flox::server {

inline constexpr const char* login_scope = "openid email profile";

struct LoginOptions {
  std::string issuer;     // empty: nobody can log in
  std::string client_id;  // of flox, at the issuer; the audience of its tokens
  std::string user_claim = "email";
  std::chrono::hours lasts{30 * 24};
};

// Thread-safe. exchange() may wait for an issuer (IssuerKeys).
class Exchange {
 public:
  // Throws Error(invalid_input) for an issuer that is no https URL. `identity` must outlive it.
  Exchange(Identity& identity, LoginOptions login, std::vector<ExchangeRule> rules);

  const LoginOptions& login() const noexcept { return login_; }

  struct Made {
    Secret secret;
    Token token;
  };
  // `is_login`: the token says who somebody is (an ID token), and the result is that person's, for all owners
  // that they are members of; otherwise it is a workload's, and of the owner that the first rule that admits
  // it names. Throws Refusal ("exchange") for what is not valid or not admitted, Error(unavailable) if the
  // issuer cannot be asked.
  Made exchange(const std::string& subject_token, bool is_login);
  // The same for an ID token that the issuer gave to `client_id`, for somebody who only reads, for a while.
  Made sign_in(const std::string& id_token, const std::string& client_id, std::chrono::seconds lasts);

 private:
  // What a login's token allows.
  struct Session {
    std::string client_id;
    Role role = Role::admin;
    std::chrono::seconds lasts;
    const char* description;
  };
  Made log_in(const Jwt& token, const Session& wanted);
  Made admit_workload(const Jwt& token);

  Identity& identity_;
  LoginOptions login_;
  std::vector<ExchangeRule> rules_;
  IssuerKeys keys_;
};

}  // namespace flox::server
