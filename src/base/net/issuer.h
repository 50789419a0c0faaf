// An OpenID Connect issuer at which somebody logs in, by whichever grant: its configuration, and questions as
// forms. What it answers is untrusted: at most 256 KiB, of bounded depth, one line of 300 characters in
// messages.
#pragma once  // Not fuzzed: its answers are read by parse_json and base/data/jws.h, which are.

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/data/secret.h"
#include "base/net/form.h"
#include "base/net/http_client.h"

namespace flox {

// Of whichever grant.
struct IssuerLogin {
  std::string issuer;  // https, or http on the loopback interface
  std::string client_id;
  std::string scope;          // "openid email"
  Secret client_secret = {};  // of a client that is a server; empty: it has none
};

// Thread-safe.
class Issuer {
 public:
  // Asks for the configuration (OpenID Connect Discovery 1.0, section 4). `url`: https, or http on the
  // loopback interface, where nobody reads along. `timeout` is for each question. Throws Error: untrusted for
  // another URL, or if what answers calls itself another issuer (section 4.3); unavailable if it does not
  // answer.
  explicit Issuer(std::string url, std::chrono::seconds timeout = std::chrono::seconds(60));

  const std::string& url() const noexcept { return url_; }
  // An endpoint by its member. Throws Error: unavailable, with `advice`, if the issuer has none; untrusted if
  // its URL is not one to which a secret may go.
  std::string endpoint(const char* key, const std::string& advice) const;
  // Whether a list of the configuration has the text.
  bool lists(const char* key, std::string_view text) const;
  // A member that is true; false if it is missing.
  bool says(const char* key) const;

  struct Answer {
    bool ok = false;  // 2xx
    nlohmann::json document;
  };
  Answer ask(const std::string& url, const Form& form) const;
  // What an error answer says (RFC 6749, section 5.2; RFC 8628, section 3.5). Throws Error.
  [[noreturn]] static void fail_with(const std::string& error, const std::string& description);
  [[noreturn]] static void fail_with(const nlohmann::json& answer);
  [[noreturn]] static void fail_expired();  // of a code that nobody entered

  // The ID token of a good answer (OpenID Connect Core 1.0, section 3.1.3.7): of this issuer, for this
  // client, and with this nonce; empty: any. Its signature is the catalog's to verify: here it has come from
  // the issuer's own endpoint. Throws Error(untrusted).
  Secret id_token(const nlohmann::json& answer, const std::string& client_id, const std::string& nonce) const;

 private:
  std::string url_;
  std::chrono::seconds timeout_;
  nlohmann::json configuration_;
};

inline constexpr const char* issuer_answer = "the issuer's answer";
inline constexpr size_t longest_issuer_text = 300;  // characters in messages

}  // namespace flox
