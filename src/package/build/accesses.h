// What a build used of this machine that a pure build would not have had: collected, and told to people.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace flox::package {

// In the order of what weighs more.
enum class AccessKind { executed, read, wrote, connected, listed, examined };

struct Access {
  AccessKind kind = AccessKind::examined;  // the weightiest
  std::string program;                     // path of the first program that did; may be empty
  uint64_t times = 0;
};

// Bounded, whatever a build does: paths beyond the first 4,096 are only counted.
class Accesses {
 public:
  static constexpr size_t most = 4096;

  // `path` as the machine has it, without links.
  void add(const std::string& path, AccessKind kind, const std::string& program);
  // One that could not be looked at.
  void add_unseen() { ++unseen_; }

  bool empty() const noexcept { return by_path_.empty() && unseen_ == 0; }
  const std::map<std::string, Access>& by_path() const noexcept { return by_path_; }

  // Packages of the machine by files that belong to one (Debian::owners()).
  using Owners = std::function<std::map<std::filesystem::path, std::string>(
      const std::set<std::filesystem::path>& files)>;
  void find_packages(const Owners& owners);

  // Lines for people, safe for a terminal: one for each package of the machine or directory, at most
  // `most_lines` of them, what weighs more first.
  std::vector<std::string> lines(size_t most_lines = 15) const;
  // Packages that have what was used, those of programs first, at most 8.
  std::vector<std::string> packages() const;
  // A path that sandbox-allow could name, the weightiest; empty if there is none.
  std::string example() const;
  // {"accesses": [{"path", "how", "times", "program", "package"}], "leftOut", "unseen"}; texts that are not
  // UTF-8 have U+FFFD in them.
  nlohmann::json to_json() const;

 private:
  struct Group;
  std::vector<Group> groups() const;

  std::map<std::string, Access> by_path_;
  std::map<std::string, std::string> packages_;  // by path
  uint64_t left_out_ = 0, unseen_ = 0;           // accesses
};

}  // namespace flox::package
