// The keys of OpenID Connect issuers: from a file, or found at the issuer (OpenID Connect Discovery 1.0,
// section 4) and kept for an hour.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "server/identity/jwt.h"

namespace flox::server {

// Throws Error(invalid_input) unless it is an https URL without login, query and fragment; http is enough on
// the loopback interface.
void check_issuer(const std::string& issuer);

// Thread-safe. One call at a time asks an issuer, which may take 20 s; others that need its answer fail.
class IssuerKeys {
 public:
  // `file`: a JSON Web Key Set that is read instead of asking, now and whenever it has changed. Throws Error.
  void add(const std::string& issuer, const std::filesystem::path& file = {});

  // Verifies the signature by a key of the token's issuer, which must have been added. For a key that is not
  // known the issuer is asked again, at most once a minute: it may have new ones. Throws Error: untrusted if
  // the signature is not valid or no key is known, unavailable if the issuer cannot be asked.
  void verify(const Jwt& token);

 private:
  struct Issuer {
    std::filesystem::path file;
    std::mutex mutex;
    std::shared_ptr<const JsonWebKeys> keys;
    std::chrono::steady_clock::time_point asked_at{};
    bool is_being_asked = false;
    std::filesystem::file_time_type file_time{};
  };
  static std::shared_ptr<const JsonWebKeys> keys_of(const std::string& name, Issuer& issuer,
                                                    const Jwt& token);
  static std::shared_ptr<const JsonWebKeys> keys_in_file(Issuer& issuer);

  std::map<std::string, std::unique_ptr<Issuer>> issuers_;  // by URL; complete before the first verify()
};

}  // namespace flox::server
