// The mounts of this node that show store paths whose bytes come when they are read
// (docs/explanation/lazy-files.md).
//
// One is enough, and serves all pods. There is another one when the caches or the trusted keys have changed,
// or when a keeper has died; then the earlier one stays for the pods that have it.
//
//   STATE/NAME/keeper.lock    locked while the mount's keeper lives
//   STATE/NAME/files          the mount's (lazy/mount_files.h)
//   RUN/NAME                  where it is mounted, for everybody
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/os/process.h"
#include "lazy/control.h"
#include "lazy/mount_files.h"
#include "lazy/remote_paths.h"
#include "nix/path_info.h"
#include "nix/store_path.h"
#include "store/index/nar_index.h"

namespace flox::node {

// A path in a mount: what is known of it without its bytes.
struct LazyPath {
  nix::PathInfo info;
  store::NarIndex::Node top;  // the path itself
  uint32_t slot = 0;
};

// Thread-safe.
class LazyMount {
 public:
  LazyMount(std::string name, const std::filesystem::path& state, const std::filesystem::path& run,
            std::optional<Process> keeper);
  ~LazyMount();  // it goes on
  LazyMount(const LazyMount&) = delete;
  LazyMount& operator=(const LazyMount&) = delete;

  const std::string& name() const noexcept { return name_; }
  const std::filesystem::path& place() const noexcept { return place_; }  // where it is mounted
  bool is_alive();                                                        // its keeper is
  const lazy::MountControl& control() const noexcept { return control_; }

  // What the caches say of these paths, which are not in the store, as far as this mount does not know it:
  // they are asked for all of them at the same time. Throws Error if there is one that cannot be shown
  // (RemotePaths::find).
  std::vector<LazyPath> find(const std::vector<nix::StorePath>& paths);
  // Shows them; what it shows already is fine. Sets the slots. If it throws, those that it did not show
  // before are not shown, and nothing of them is left in its files, unless the server cannot be asked for
  // that.
  void add(std::vector<LazyPath*> paths);
  void drop(const std::vector<nix::StorePath>& paths);
  // What was found and is not shown is not needed: nothing of it, or none of these.
  void forget_found();
  void forget_found(const std::vector<nix::StorePath>& paths);
  // Which of them readers could not get a part of, and still could not. Asks for 1.5 seconds at most. Throws
  // Error.
  std::vector<lazy::PathFailure> unread(const std::vector<nix::StorePath>& paths) const;
  // What has come of the path (store/fetch/delta_tree.h); empty: nothing has.
  std::filesystem::path part_of(const nix::StorePath& path) const;
  // Takes what is left of a mount whose keeper has died. Call where the mount is seen by all.
  void remove() noexcept;

 private:
  struct Known {
    LazyPath path;
    std::optional<lazy::RemotePath> remote;  // until it is added
  };
  void take_back(const std::vector<nix::StorePath>& paths) const noexcept;

  const std::string name_;
  const std::filesystem::path directory_, files_, place_;
  const lazy::MountControl control_;
  std::mutex mutex_;
  std::optional<Process> keeper_;  // if it was started here
  std::optional<lazy::RemotePaths> remote_;
  std::map<nix::StorePath, Known> known_;
  std::mutex adding_;
};

// Thread-safe.
class LazyMounts {
 public:
  // `plan`: what the mount for new pods is to be like; its directory and paths do not matter. What an earlier
  // floxd has begun is found again.
  LazyMounts(std::filesystem::path state, std::filesystem::path run, lazy::MountPlan plan);

  // The one for what starts now, begun if there is none. Throws Error: unavailable where the kernel or the
  // machine cannot have it.
  std::shared_ptr<LazyMount> current();
  // Nothing if it is gone, or its keeper is dead.
  std::shared_ptr<LazyMount> find(const std::string& name);
  std::vector<std::shared_ptr<LazyMount>> all();
  // Removes what is left of those whose keeper has died, and ends those that are not in `used`.
  void sweep(const std::set<std::string>& used);

 private:
  std::shared_ptr<LazyMount> begin();
  bool is_as_planned(const LazyMount& mount) const;

  const std::filesystem::path state_, run_;
  const lazy::MountPlan plan_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<LazyMount>> mounts_;
  std::string current_;  // empty: none
  unsigned next_ = 0;
};

// Why this machine cannot have such mounts; empty: it can.
std::string why_no_lazy_mount();

}  // namespace flox::node
