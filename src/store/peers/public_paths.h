// Which contents of store paths are public: a cache has shown them to this node without a token of somebody's
// own, so that whoever asks it may know of them. All others are private, also those of which nothing is
// known: that other programs brought, or floxd before this was written down.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "nix/path_info.h"

namespace flox::store {

// Thread-safe. Nothing here fails: what cannot be written or read is private, and the log says so.
class PublicPaths {
 public:
  // Whether there is a path with this digest in the store. Thread-safe.
  using IsThere = std::function<bool(std::string_view digest)>;
  // Paths in `file`, about 120 bytes each. At this limit those that have left the store are forgotten, and
  // where that does not suffice, what comes next stays private.
  static constexpr size_t most_paths = 500'000;

  // `file`: a database, which is made if it is missing, and begun anew if it is damaged.
  PublicPaths(std::filesystem::path file, IsThere is_there, size_t most = most_paths);
  ~PublicPaths();
  PublicPaths(const PublicPaths&) = delete;
  PublicPaths& operator=(const PublicPaths&) = delete;

  // Whether these very contents are known to be public: by the path's digest and the hash of its NAR.
  bool contains(const nix::PathInfo& info) const;
  // In one transaction. What a stop of the machine takes of it is private again.
  void add(const std::vector<nix::PathInfo>& infos);

 private:
  struct Table;
  // All under mutex_, but in the constructor. A list that is damaged is begun anew; one that cannot be read
  // for a reason that may pass is left alone, and read later.
  void open();
  void read();
  void try_later();
  void insert(const std::vector<nix::PathInfo>& infos);
  void make_room();

  const std::filesystem::path file_;
  const IsThere is_there_;
  const size_t most_;
  mutable std::mutex mutex_;
  std::unique_ptr<Table> table_;  // null: the file cannot be used
  std::chrono::steady_clock::time_point open_again_{};
  size_t count_ = 0;  // rows
  mutable bool has_warned_ = false;
  std::optional<std::chrono::steady_clock::time_point> made_room_;
};

}  // namespace flox::store
