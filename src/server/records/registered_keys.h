// The public keys that the catalog trusts, and the packages that each may sign.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "nix/signature.h"

namespace flox::server {

// Immutable once made, so thread-safe.
class RegisteredKeys {
 public:
  RegisteredKeys() = default;
  // Each "NAME:BASE64", optionally followed by the packages that the key may sign: names, or patterns with
  // '*', with spaces between. Throws Error(invalid_input), also for a name that is there twice.
  explicit RegisteredKeys(const std::vector<std::string>& texts);

  // Without keys nothing can be verified: development mode.
  bool empty() const noexcept { return keys_.empty(); }
  // Of the path's signatures those that are valid and of a registered key, one per key.
  std::vector<std::string> valid_signatures(const nix::PathInfo& info) const {
    return valid_signatures(info.fingerprint(), info.signatures);
  }
  // The same of the signatures of any message.
  std::vector<std::string> valid_signatures(const std::string& message,
                                            const std::vector<std::string>& signatures) const;
  // Whether the signature of the message is valid and of the registered key of that name.
  bool verifies(std::string_view key, std::string_view message, std::string_view signature) const;
  // May the key of that name sign this package?
  bool may_sign(std::string_view key, std::string_view package) const;
  // "demo-1, ops-1"
  std::string names() const;
  // Another one if the keys or what they may sign are others.
  std::string fingerprint() const;

 private:
  struct Key {
    nix::PublicKey key;
    std::vector<std::string> packages;  // empty: all
  };
  std::map<std::string, Key, std::less<>> keys_;
  std::string texts_;
};

// Without keys: signatures of the form "NAME:BASE64", the first of each name, at most most_signatures.
std::vector<std::string> plausible_signatures(const std::vector<std::string>& signatures);
inline constexpr size_t most_signatures = 16;  // of one path

}  // namespace flox::server
