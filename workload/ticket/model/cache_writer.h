// Fills one model's directory of a cache in the Hub's layout (model_cache.h), beside any number of other
// processes, pods on other machines and huggingface_hub itself among them.
//
// A blob is fetched under the lock CACHE/.locks/FOLDER/HASH.lock (flock: the kernel, or the file server,
// frees it when its owner dies; it is the lock of huggingface_hub) into blobs/HASH.incomplete, and becomes
// visible by one rename when its hash is right. Where the file system has no locks each process writes a file
// of its own; the rename still decides. refs/main is written last: who finds it finds a complete snapshot.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "ticket/model/hub.h"

namespace ticket::model {

class CacheWriter {
 public:
  // Makes the directories. Throws flox::Error naming what cannot be made.
  CacheWriter(std::filesystem::path cache, const HubModel& model);

  const std::filesystem::path& snapshot() const { return snapshot_; }
  // Whether the file is there with its full size; with `check_content` also whether its hash is right (one
  // whose is not is removed).
  bool has(const HubFile& file, bool check_content = false) const;
  // How much of it has been fetched so far.
  uint64_t fetched(const HubFile& file) const;
  // Fetches the file if it is not there, going on where an earlier one stopped. `progress` gets the bytes
  // that are there, and is called about once a second while another process fetches it. Returns the bytes
  // that came over the network. Throws flox::Error: untrusted if the content has another hash than the Hub
  // says, after one more try from the beginning.
  uint64_t fetch(Hub& hub, const HubFile& file, const std::function<void(uint64_t)>& progress);
  // Makes the file visible in the snapshot.
  void link(const HubFile& file);
  // Makes the snapshot the model's current one.
  void finish();

 private:
  std::filesystem::path blob(const HubFile& file) const { return folder_ / "blobs" / file.hash; }
  uint64_t fetch_into(const std::filesystem::path& incomplete, Hub& hub, const HubFile& file,
                      const std::function<void(uint64_t)>& progress);

  std::filesystem::path cache_, folder_, snapshot_;
  HubModel model_;
};

}  // namespace ticket::model
