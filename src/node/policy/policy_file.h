// The node's policy.toml while floxd runs: read again when it changes.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "node/policy/rules.h"

namespace flox::policy {

inline constexpr const char* default_policy_file = "/etc/flox/policy.toml";

// Thread-safe.
class PolicyFile {
 public:
  // Nanoseconds since 1970, as the times of files are.
  using Clock = std::function<int64_t()>;
  static int64_t now();

  // `named`: the file that the setting names, which must be there; empty: the default one if it is there.
  // Throws Error as load_policy() does, not_found for a named file that is missing.
  PolicyFile(const std::filesystem::path& named, const Defaults& defaults,
             const std::filesystem::path& otherwise = default_policy_file, Clock clock = now);

  // What is in force; reads the file anew if it is another one than before, which a stat(2) tells (about 1
  // us); one that was changed in place, a quarter of a second after its last change. A file that is bad, or
  // that has gone, changes nothing: what was in force stays, and the log says so. Never null.
  std::shared_ptr<const Policy> current();
  // The same, but reads the file in any case (SIGHUP).
  void reload();

  // Why the file that is there now is not in force; empty: it is.
  std::string trouble() const;

 private:
  // What tells one content of the file from another.
  struct Stamp {
    bool exists = false;
    uint64_t device = 0, inode = 0, size = 0;
    int64_t changed = 0, modified = 0;  // nanoseconds
    bool operator==(const Stamp&) const = default;
  };
  Stamp stamp() const;
  bool is_being_written(const Stamp& now) const;
  // Under the mutex.
  void read_again(const Stamp& now);

  std::filesystem::path path_;
  Defaults defaults_;
  Clock clock_;
  mutable std::mutex mutex_;
  Stamp read_;  // of what was read last
  std::shared_ptr<const Policy> policy_;
  std::string trouble_;
};

}  // namespace flox::policy
