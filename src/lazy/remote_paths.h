// Finds store paths in binary caches for which a signed index says what is in them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/confined/confined_service.h"
#include "lazy/frame_queue.h"
#include "nix/path_info.h"
#include "nix/signature.h"
#include "store/index/nar_index.h"

namespace flox::lazy {

// What a cache says of a path.
struct Offer {
  size_t cache = 0;     // which of the caches
  std::string narinfo;  // as it came
};

struct RemotePath {
  nix::PathInfo info;
  std::shared_ptr<const store::NarIndex> index;
  std::string index_file;     // as it came: the index, compressed
  std::vector<Offer> offers;  // of those that have its frames, the one that signed that file first
  // Where its frames are, in the order of the caches. They use the RemotePaths that found them.
  std::vector<FrameQueue::Bring> places;
};

// Thread-safe. All bytes of caches are read in another process (frames_job.h); what it says is believed only
// as far as a trusted key has signed it.
class RemotePaths {
 public:
  // Questions that are answered at the same time, each of some paths (find) or of one frame or some.
  static constexpr unsigned at_once = 8;
  // URLs of caches (CacheUrl), asked in this order.
  RemotePaths(std::vector<std::string> caches, nix::TrustedKeys keys, IsolationPolicy policy);

  // All are asked for at the same time. A cache whose answer cannot be used is passed over. If no other is
  // left for one of them, that throws Error: not_found if no cache has the path, untrusted if no trusted key
  // has signed it or its index, unavailable if it has no index there, with the advice how to make one, or if
  // no cache can be asked.
  std::vector<RemotePath> find(const std::vector<nix::StorePath>& paths);
  // What find() has found, perhaps in another process: asks nobody, and verifies everything again. Throws
  // Error(untrusted) if the first offer or the index is not signed by a trusted key.
  RemotePath again(const nix::StorePath& path, std::vector<Offer> offers, std::string index_file);

 private:
  struct Candidate;
  std::string ask(const std::string& question) { return service_.ask(question); }
  Candidate verified(const nix::StorePath& path, const Offer& offer) const;
  struct Told;
  std::vector<Told> ask_for(const std::vector<nix::StorePath>& paths);
  std::vector<Candidate> candidates(const Told& told) const;
  RemotePath find(const Told& told);
  std::string index_file_of(const Candidate& candidate);
  FrameQueue::Bring place(const Candidate& candidate, std::shared_ptr<const store::NarIndex> index);

  const std::vector<std::string> caches_;
  const nix::TrustedKeys keys_;
  ConfinedService service_;
};

}  // namespace flox::lazy
