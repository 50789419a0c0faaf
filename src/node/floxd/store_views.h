// What containers get of the store: all of it, or a view of their own closure (store-view "closure").
//
// Either is read-only by itself (read_only_mount.h): the whole store is handed out as a read-only bind of it,
// never as the directory that floxd writes to.
//
// A view is one read-only overlay of two layers, whatever the number of paths. The upper layer holds an entry
// for each path of the closure, below the directory "view"; each is a redirect (overlayfs.rst, "redirect_dir"
// and "Metadata only copy up") to the path of that name in the lower layer, which is the store itself.
// Containers get a bind of "view", so nothing of the store has a name there but the closure, and files keep
// their one copy in memory.
//
//   DIRECTORY/store                            the store, bound read-only
//   DIRECTORY/views/NAME/meta/view/HASH-NAME   an empty directory or file with the attribute
//                                              trusted.overlay.redirect = "/HASH-NAME"
//   DIRECTORY/views/NAME/merged                the overlay of meta and the store
//
// While a view exists, used or not, it holds a lease on its paths, "view-NAME": an overlay does not notice
// that a path was collected and fetched anew.
//
// A tree of bind mounts does the same and reads a little faster, but 400 mounts stand in each container's and
// the node's mount tables, and take 0.2 MB of kernel memory per container (bench/store_view.sh).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "node/floxd/read_only_mount.h"
#include "store/local/local_store.h"

namespace flox::node {

// What the holders of views' leases begin with.
inline constexpr std::string_view view_holder_prefix = "view-";

// Thread-safe. What is mounted outlives the object: a floxd that starts again finds it.
class StoreViews {
 public:
  // `directory`/views is made; its file system must keep trusted.* attributes (tmpfs and disk file systems
  // do).
  StoreViews(const store::LocalStore& store, const std::filesystem::path& directory);

  // The whole store, to be bound at /nix/store. Mounted when it is first asked for. Throws Error(unavailable)
  // if this process may not mount.
  std::filesystem::path whole() { return whole_.shown(); }
  // Whether a container has the whole store from there, which may be what an earlier floxd handed out.
  bool is_whole(const std::filesystem::path& directory) const;

  struct View {
    std::string name;
    std::filesystem::path directory;  // to be bound at /nix/store
  };
  // The view of these paths and all that they refer to; made if there is none yet. Throws Error: not_found if
  // a path is not valid, unavailable if the kernel refuses the overlay.
  View show(const nix::StorePathSet& roots);

  // An entry of a view that somebody else makes up: what stands in /nix/store under this name, and where in
  // the layers below it is.
  struct Entry {
    std::string name;
    mode_t mode = 0;       // with its type
    uint64_t size = 0;     // of a file
    std::string target;    // of a link
    std::string redirect;  // "/NAME", of a layer below; of a link nothing
  };
  // Begins a view of that name, which no closure has: makes its entries, in the directory that it gives.
  // Until show_made() whoever made it removes it (give_up).
  std::filesystem::path begin(const std::string& name, const std::vector<Entry>& entries);
  // Shows it over these layers, the store and others: from now on it is like those that were made here. It is
  // leased `present`, which are valid, and what is added to its lease later (holder_of).
  View show_made(const std::string& name, const std::vector<std::filesystem::path>& below,
                 const nix::StorePathSet& present);
  void give_up(const std::string& name) noexcept;
  // The view, if it is there, which counts as being asked for; nothing else.
  std::optional<View> find(const std::string& name);
  bool has(const std::string& name) const;
  std::filesystem::path directory_of(const std::string& name) const { return directory_ / name; }
  static std::string holder_of(const std::string& name) { return std::string(view_holder_prefix) + name; }
  // The entry for what is at `target`, in the store.
  static Entry entry_of(const std::filesystem::path& target);

  // The name of the view whose directory this is; nothing if it is none's.
  std::optional<std::string> name_at(const std::filesystem::path& directory);

  // Removes the views that are not in `used` and were not requested within the last `grace`.
  void sweep(const std::set<std::string>& used, std::chrono::seconds grace);

 private:
  using Clock = std::chrono::steady_clock;
  void make(const std::string& name, const nix::StorePathSet& closure) const;
  void mount_layers(const std::string& name, const std::vector<std::filesystem::path>& below) const;
  void keep(const std::string& name, const nix::StorePathSet& roots) const;
  void remove(const std::string& name) const;
  std::filesystem::path merged(const std::string& name) const { return directory_ / name / "merged"; }

  const store::LocalStore& store_;
  ReadOnlyMount whole_;
  const std::filesystem::path directory_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> by_roots_;        // a closure is computed once
  std::map<std::string, Clock::time_point> last_use_;  // every view that exists
};

}  // namespace flox::node
