// Views of the store for containers that may see only their own closure (store-view "closure").
//
// A view is one read-only overlay of two layers, whatever the number of paths. The upper layer holds an entry
// for each path of the closure, below the directory "view"; each is a redirect (overlayfs.rst, "redirect_dir"
// and "Metadata only copy up") to the path of that name in the lower layer, which is the store itself.
// Containers get a bind of "view", so nothing of the store has a name there but the closure, and files keep
// their one copy in memory.
//
//   DIRECTORY/NAME/meta/view/HASH-NAME   an empty directory or file, trusted.overlay.redirect = "/HASH-NAME"
//   DIRECTORY/NAME/merged                the overlay of meta and the store
//
// While a view exists, used or not, it holds a lease on its paths, "view-NAME": an overlay does not notice
// that a path was collected and fetched anew.
//
// A tree of bind mounts does the same and reads a little faster, but 400 mounts stand in each container's and
// the node's mount tables, and take 0.2 MB of kernel memory per container (bench/store_view.sh).
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "store/local/local_store.h"

namespace flox::node {

// What the holders of views' leases begin with.
inline constexpr std::string_view view_holder_prefix = "view-";

// Thread-safe. Views outlive the object: a floxd that starts again finds them.
class StoreViews {
 public:
  // `directory` is made; its file system must keep trusted.* attributes (tmpfs and disk file systems do).
  StoreViews(const store::LocalStore& store, std::filesystem::path directory);

  struct View {
    std::string name;
    std::filesystem::path directory;  // to be bound at /nix/store
  };
  // The view of these paths and all that they refer to; made if there is none yet. Throws Error: not_found if
  // a path is not valid, unavailable if the kernel refuses the overlay.
  View show(const nix::StorePathSet& roots);

  // The name of the view whose directory this is; nothing if it is none's.
  std::optional<std::string> name_at(const std::filesystem::path& directory);

  // Removes the views that are not in `used` and were not requested within the last `grace`.
  void sweep(const std::set<std::string>& used, std::chrono::seconds grace);

 private:
  using Clock = std::chrono::steady_clock;
  void make(const std::string& name, const nix::StorePathSet& closure) const;
  void keep(const std::string& name, const nix::StorePathSet& roots) const;
  void remove(const std::string& name) const;
  std::filesystem::path merged(const std::string& name) const { return directory_ / name / "merged"; }

  const store::LocalStore& store_;
  std::filesystem::path directory_;
  std::mutex mutex_;
  std::map<std::string, std::string> by_roots_;        // a closure is computed once
  std::map<std::string, Clock::time_point> last_use_;  // every view that exists
};

}  // namespace flox::node
