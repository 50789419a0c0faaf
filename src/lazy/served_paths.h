// The paths of one mount, as the process that serves it has them.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/os/directory.h"
#include "lazy/frame_queue.h"
#include "lazy/mount_files.h"
#include "lazy/mounted_paths.h"
#include "lazy/remote_paths.h"
#include "lazy/sparse_path.h"

namespace flox::lazy {

// How paths are by now, and what readers have met since this process began.
struct PathsStatus {
  uint64_t paths = 0;   // that are there
  uint64_t whole = 0;   // of these, whose bytes are a store's
  uint64_t bytes = 0;   // of their files
  uint64_t here = 0;    // of these, that need not be fetched any more
  uint64_t waited = 0;  // reads of what was not there yet
  uint64_t waited_micros = 0;
  uint64_t failed = 0;        // reads that ended with an error
  uint64_t frames_now = 0;    // of the mount: that a reader waits for
  uint64_t frames_later = 0;  // of the mount: that are to come some day

  // What another mount says.
  PathsStatus& operator+=(const PathsStatus& other) noexcept;
};

// What readers could not get.
struct PathFailure {
  nix::StorePath path;
  std::string why;
  std::optional<uint64_t> reads;  // that ended with an error; nothing: not known
};

// Thread-safe.
class ServedPaths {
 public:
  // Verifies what the mount's files say, as if it had just come: throws Error if anything is wrong. `files`
  // and `plan` are what it begins with, or goes on with after another process.
  ServedPaths(Directory files, const MountPlan& plan);

  MountedPaths& mounted() noexcept { return mounted_; }
  // All that nobody reads, too, when nobody waits for anything else.
  void fetch_all();

  // --- of a mount that is given further paths. A path stands in it as "SLOT.HASH-NAME", so what comes again
  // after it was taken away is another entry for the kernel, which remembers for ever what it has seen.
  static std::string name_of(const nix::StorePath& path, uint32_t slot);
  // Its slot; 0: it is not in the mount.
  uint32_t slot_of(const nix::StorePath& path) const;
  // Adds those of the paths, whose files are written (write_remote_path), that are not there yet. Gives their
  // slots. Throws Error, untrusted where the files are not as they were signed; then none is added.
  std::vector<uint32_t> add(const std::vector<nix::StorePath>& paths);
  // This directory of a store has all of them from now on, verified, and keeps them until they are dropped:
  // reads go there, and what came is removed. Unknown is fine, as with the next.
  void use_store(const std::vector<nix::StorePath>& paths, const std::string& store);
  // Nobody uses them any more. What came of them is removed first: that needs no room on the disk. If the
  // rest fails (Error), drop them again.
  void drop(const std::vector<nix::StorePath>& paths);
  // What readers have wanted of the path since this process began, as far as that has `most` bytes of text.
  std::vector<store::FileRange> wanted(const nix::StorePath& path, size_t most) const;
  // Fetches these parts of it before what nobody is expected to read; what it does not have is passed over.
  void want_soon(const nix::StorePath& path, const std::vector<store::FileRange>& ranges);
  // Of these, or with none of all.
  PathsStatus status(const std::vector<nix::StorePath>& paths) const;
  MountWaits waits() const;
  // Fetches once more what readers of these could not get, for that long at most: what still fails.
  std::vector<PathFailure> retry(const std::vector<nix::StorePath>& paths, std::chrono::milliseconds most);

 private:
  struct Served {
    uint32_t slot = 0;
    std::shared_ptr<SparsePath> contents;
    std::shared_ptr<const PathTree> tree;
    std::shared_ptr<ReadCounts> counts;
    std::string whole;  // directory of the store that has it; empty: it is on its way
  };
  void serve(const nix::StorePath& path, uint32_t slot, std::string name, const std::string& store);
  Served find(const nix::StorePath& path) const;
  void write_given();
  void forget(const std::vector<nix::StorePath>& paths);

  const Directory files_;
  const std::shared_ptr<const Directory> parts_;
  RemotePaths remote_;
  const std::shared_ptr<WaitTimes> waits_ = std::make_shared<WaitTimes>();
  const uint64_t number_;  // of this process
  FrameQueue queue_;
  MountedPaths mounted_;
  std::mutex giving_;  // held while the mount's files change; before the other
  uint32_t last_slot_ = 0;
  bool is_written_ = true;  // the file of what was given says what is so
  mutable std::mutex mutex_;
  std::map<nix::StorePath, Served> served_;
};

}  // namespace flox::lazy
