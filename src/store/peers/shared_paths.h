// What this process is fetching, and what it has fetched and not installed yet: what it tells its peers,
// beside what is valid in its store.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "nix/path_info.h"
#include "store/peers/peer_question.h"

namespace flox::store {

// Thread-safe.
class SharedPaths {
 public:
  SharedPaths();
  SharedPaths(const SharedPaths&) = delete;
  SharedPaths& operator=(const SharedPaths&) = delete;

  // A number of this process's own.
  uint64_t node() const noexcept { return node_; }
  uint64_t progress() const noexcept { return progress_; }

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
    // `in_no_hurry`: it prefetches.
    explicit Realisation(SharedPaths& shared, bool in_no_hurry = false);
    ~Realisation();
    Realisation(const Realisation&) = delete;
    Realisation& operator=(const Realisation&) = delete;

    void plan(const nix::PathInfo& info);
    // All is planned.
    void planned();
    void fetching(const nix::PathInfo& info);
    // It is complete: in that tree, or in the store if that is empty.
    void present(const nix::PathInfo& info, std::filesystem::path tree);
    void progress() { ++shared_.progress_; }

   private:
    SharedPaths& shared_;
    const bool in_no_hurry_;
    bool is_undecided_;  // under shared_.mutex_, as the next
    std::vector<std::string> names_;
  };

 private:
  struct Entry {
    size_t realisations = 0;
    size_t urgent = 0;  // of them
    PeerHas state = PeerHas::planned;
    Staged tree;
  };

  const uint64_t node_;
  std::atomic<uint64_t> progress_ = 0;
  mutable std::mutex mutex_;
  size_t undecided_ = 0;  // realisations in a hurry that are not planned()
  std::map<std::string, Entry> entries_;
};

}  // namespace flox::store
