#include "server/records/registered_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/wildcard.h"

namespace flox::server {
namespace {

constexpr size_t most_attempts = 64;  // signatures of one upload that are verified at all
constexpr size_t longest_key_name = 255;

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const size_t space = text.find_first_of(" \t");
    if (space != 0) words.emplace_back(text.substr(0, space));
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  }
  return words;
}

}  // namespace

RegisteredKeys::RegisteredKeys(const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    std::vector<std::string> words = words_of(text);
    if (words.empty()) fail(ErrorKind::invalid_input, "a trusted key is empty");
    const nix::PublicKey key = nix::PublicKey::parse(words.front());
    Key entry;
    entry.key = key;
    entry.packages.assign(words.begin() + 1, words.end());
    if (!keys_.emplace(key.name, std::move(entry)).second)
      throw Error(ErrorKind::invalid_input, fmt::format("the trusted key '{}' is given twice", key.name),
                  "Give keys different names, and all packages of a key in one setting.");
  }
  for (const auto& [name, key] : keys_) {
    texts_ += name;
    for (const auto& text : texts)
      if (text.starts_with(name + ":")) texts_ += text + "\n";
  }
}

std::vector<std::string> RegisteredKeys::valid_signatures(const std::string& message,
                                                          const std::vector<std::string>& signatures) const {
  std::vector<std::string> valid;
  std::set<std::string> signers;
  size_t attempts = 0;
  for (const std::string& signature : signatures) {
    const std::string name(nix::key_name_of(signature));
    const auto key = keys_.find(name);
    if (key == keys_.end() || signers.contains(name)) continue;
    if (++attempts > most_attempts || valid.size() == most_signatures) break;
    const auto parsed = nix::Signature::parse(signature);
    if (!parsed || !nix::verifies(key->second.key, message, parsed->bytes)) continue;
    signers.insert(name);
    valid.push_back(signature);
  }
  return valid;
}

bool RegisteredKeys::verifies(std::string_view key, std::string_view message,
                              std::string_view signature) const {
  const auto found = keys_.find(key);
  return found != keys_.end() && nix::verifies(found->second.key, message, signature);
}

bool RegisteredKeys::may_sign(std::string_view key, std::string_view package) const {
  const auto found = keys_.find(key);
  if (found == keys_.end()) return false;
  const auto& packages = found->second.packages;
  return packages.empty() || std::ranges::any_of(packages, [&](const auto& pattern) {
           return matches_wildcard(pattern, package);
         });
}

std::string RegisteredKeys::names() const {
  std::string result;
  for (const auto& [name, key] : keys_) result += (result.empty() ? "" : ", ") + name;
  return result;
}

std::string RegisteredKeys::fingerprint() const { return to_hex(bytes_of(sha256(texts_))); }

std::vector<std::string> plausible_signatures(const std::vector<std::string>& signatures) {
  std::vector<std::string> result;
  std::set<std::string> signers;
  for (const std::string& signature : signatures) {
    const auto parsed = nix::Signature::parse(signature);
    if (!parsed || parsed->key_name.size() > longest_key_name) continue;
    if (result.size() == most_signatures) break;
    if (signers.insert(parsed->key_name).second) result.push_back(signature);
  }
  return result;
}

}  // namespace flox::server
