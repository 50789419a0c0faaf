// What this process is fetching, and what it has fetched and not installed yet: what it tells its peers,
// beside what is valid in its store.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "nix/path_info.h"
#include "store/peers/peer_question.h"

namespace flox::store {

// Thread-safe.
class SharedPaths {
 public:
  // Whether there is a path with this digest in the store. Thread-safe.
  using IsThere = std::function<bool(std::string_view digest)>;
  // Digests in `private_file`.
  static constexpr size_t most_privates = 1'000'000;

  // Reads the digests of paths that were fetched with somebody's own token from `private_file`, which is made
  // when there are any, and writes it anew, if that is possible, without those that have left the store. If
  // it cannot be read, all paths are private, and the log says why.
  SharedPaths(std::filesystem::path private_file, IsThere is_there, size_t most = most_privates);
  SharedPaths(const SharedPaths&) = delete;
  SharedPaths& operator=(const SharedPaths&) = delete;

  // A number of this process's own.
  uint64_t node() const noexcept { return node_; }
  uint64_t progress() const noexcept { return progress_; }
  // Whether the path came with a token that not every pod has: who shows none is not told of it.
  bool is_private(std::string_view digest) const;

  struct Staged {
    std::filesystem::path tree;  // moved into the store when the closure is complete
    uint64_t nar_size = 0;
  };
  // What realisations here do about it: present if it is staged or in the store. Of a path that none of them
  // knows, undecided while one of them that is in a hurry has not found out yet what it needs, then nothing.
  PeerHas state(const std::string& name) const;
  std::optional<Staged> staged(const std::string& name) const;

  // One realisation's part; what it has said is forgotten when it goes. Thread-safe.
  class Realisation {
   public:
    // `is_private`: it asks the caches with somebody's own token. `in_no_hurry`: it prefetches.
    Realisation(SharedPaths& shared, bool is_private, bool in_no_hurry = false);
    ~Realisation();
    Realisation(const Realisation&) = delete;
    Realisation& operator=(const Realisation&) = delete;

    void plan(const nix::PathInfo& info);
    // All is planned. Throws Error if it cannot be written down what of it is private, unavailable if the
    // store has too many private paths.
    void planned();
    void fetching(const nix::PathInfo& info);
    // It is complete: in that tree, or in the store if that is empty.
    void present(const nix::PathInfo& info, std::filesystem::path tree);
    void progress() { ++shared_.progress_; }

   private:
    SharedPaths& shared_;
    const bool is_private_;
    const bool in_no_hurry_;
    bool is_undecided_;  // under shared_.mutex_, as the next
    std::vector<std::string> names_;
    std::set<std::string> new_privates_;  // digests
  };

 private:
  struct Entry {
    size_t realisations = 0;
    size_t urgent = 0;  // of them
    PeerHas state = PeerHas::planned;
    Staged tree;
  };
  // Under mutex_, or before others know of this.
  bool is_planned(std::string_view digest) const;
  void read_privates();
  void append_privates(const std::set<std::string>& digests);
  void forget_gone_privates();

  const std::filesystem::path private_file_;
  const IsThere is_there_;
  const size_t most_;
  const uint64_t node_;
  bool is_all_private_ = false;  // what the file holds is not known; set before others know of this
  std::atomic<uint64_t> progress_ = 0;
  mutable std::mutex mutex_;
  size_t undecided_ = 0;  // realisations in a hurry that are not planned()
  std::map<std::string, Entry> entries_;
  std::set<std::string, std::less<>> privates_;
};

}  // namespace flox::store
