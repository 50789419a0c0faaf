// What the fetcher can ask and tell the installer (fetch.proto). Thread-safe; calls wait for the answer.
#pragma once

#include <optional>
#include <vector>

#include "base/confined/confined.h"
#include "base/error.h"
#include "nix/narinfo.h"
#include "store/fetch/fetch.pb.h"
#include "store/peers/peer_group.h"

namespace flox::store {

class InstallerLink {
 public:
  explicit InstallerLink(ConfinedChannel& channel) : channel_(channel) {}

  struct Offer {
    size_t cache;
    const nix::NarInfo* narinfo;
    bool remembered;  // it is what the installer told
  };
  struct OfferResult {
    std::vector<v1::Wanted> wanted;  // what else is, because of it
    std::optional<Error> refused;    // why it may not be taken from there
    bool has_base = false;           // begin() can make a part of it
  };
  // Caches have these: a result for each.
  std::vector<OfferResult> offer(const std::vector<Offer>& offers);
  std::vector<v1::ClaimAnswer::State> claim(const std::vector<nix::StorePath>& paths);
  struct Tree {
    nix::StorePath path;
    unsigned directory;
    uint64_t number;  // its name there
  };
  // Makes what can be made of the tree by the index of its file, which has so many chunks: which of them are
  // missing. Throws Error if nothing can be made.
  std::vector<bool> begin(const Tree& tree, const std::string& index, size_t chunks);
  // For each of the trees an Error if it is refused: untrusted if it is not what was signed.
  std::vector<std::optional<Error>> unpacked(const std::vector<Tree>& trees, uint64_t bytes_fetched,
                                             uint64_t decoder_memory);

  // Returns when so many bytes of files may be read.
  void wait_for_allowance(uint64_t bytes);

  void tell_info(size_t cache, int priority);
  void tell_absent(size_t cache, const nix::StorePath& path, bool forget = false);
  void tell_progress(uint64_t bytes_fetched);
  void tell_peers(const PeerGroup& peers);

 private:
  template <typename Answer>
  Answer call(const v1::Call& call);
  void note(const v1::Note& note);
  ConfinedChannel& channel_;
};

}  // namespace flox::store
