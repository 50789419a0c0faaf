// What the fetcher can ask and tell the installer (fetch.proto). Thread-safe; calls wait for the answer.
#pragma once

#include <vector>

#include "base/confined/confined.h"
#include "nix/narinfo.h"
#include "store/fetch/fetch.pb.h"

namespace flox::store {

class InstallerLink {
 public:
  explicit InstallerLink(ConfinedChannel& channel) : channel_(channel) {}

  // A cache has this: gives what else is wanted because of it. Throws Error if it may not be taken from
  // there.
  std::vector<v1::Wanted> offer(size_t cache, const nix::NarInfo& narinfo, bool remembered);
  std::vector<v1::ClaimAnswer::State> claim(const std::vector<nix::StorePath>& paths);
  // The tree `directory`/`number` is the path's. Throws Error: untrusted if it is not what was signed.
  void unpacked(const nix::StorePath& path, unsigned directory, uint64_t number, uint64_t bytes_fetched,
                uint64_t decoder_memory);

  void tell_info(size_t cache, int priority);
  void tell_absent(size_t cache, const nix::StorePath& path, bool forget = false);
  void tell_progress(uint64_t bytes_fetched);

 private:
  template <typename Answer>
  Answer call(const v1::Call& call);
  void note(const v1::Note& note);
  ConfinedChannel& channel_;
};

}  // namespace flox::store
