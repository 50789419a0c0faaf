#include "node/lazy/lazy_profile.h"

#include <sys/mount.h>

#include <cerrno>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/os/file.h"
#include "env/profile.h"
#include "store/local/local_store.h"
#include "store/local/store_guard.h"

namespace flox::node {
namespace {

namespace fs = std::filesystem;

// A store root whose files are an overlay.
class OverlaidRoot {
 public:
  OverlaidRoot(const fs::path& place, const LazyClosure& closure) : place_(place) {
    for (const char* name : {"root/nix/store", "upper", "work"}) fs::create_directories(place_ / name);
    std::string options = fmt::format("redirect_dir=on,metacopy=on,lowerdir={}", closure.view.string());
    for (const fs::path& layer : closure.layers) options += ":" + layer.string();
    options += fmt::format(",upperdir={},workdir={}", upper().string(), (place_ / "work").string());
    try {
      // Where the layers are seen.
      const store::Writing writing;
      if (::mount("overlay", store().c_str(), "overlay", MS_NOSUID | MS_NODEV, options.c_str()) != 0)
        fail_errno(errno, "mounting an overlay of a closure that is not whole");
    } catch (...) {
      remove();
      throw;
    }
  }
  ~OverlaidRoot() {
    end();
    remove();
  }
  OverlaidRoot(const OverlaidRoot&) = delete;
  OverlaidRoot& operator=(const OverlaidRoot&) = delete;

  fs::path root() const { return place_ / "root"; }
  fs::path store() const { return root() / "nix/store"; }
  fs::path upper() const { return place_ / "upper"; }
  void end() noexcept { store::end_mount(store()); }

 private:
  void remove() noexcept {
    try {
      remove_tree(place_);
    } catch (const std::exception& error) {
      log::warning("removing {}: {}", place_.string(), message_of(error));
    }
  }
  const fs::path place_;
};

}  // namespace

nix::PathInfo build_lazy_profile(const fs::path& place, const LazyClosure& closure, const env::Lockfile& lock,
                                 std::string_view system, std::string_view mode) {
  OverlaidRoot root(place, closure);
  store::show_mount_here(root.store());
  const nix::PathInfo profile = [&] {
    store::LocalStore store(root.root());
    store.register_valid(closure.infos);
    return env::build_profile(store, lock, system, mode);
  }();
  root.end();
  // It is all new, and so a tree of the upper layer's own.
  const std::string name(profile.path.base_name());
  fs::rename(root.upper() / name, closure.view / name);
  return profile;
}

}  // namespace flox::node
