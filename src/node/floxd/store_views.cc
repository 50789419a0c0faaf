#include "node/floxd/store_views.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include <cerrno>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "nix/base32.h"
#include "store/gc/lease.h"
#include "store/local/store_guard.h"

namespace flox::node {
namespace {

namespace fs = std::filesystem;

constexpr const char* redirect_attribute = "trusted.overlay.redirect";
constexpr const char* metacopy_attribute = "trusted.overlay.metacopy";
constexpr timespec store_time{1, 0};  // every file of a store has this time

std::string joined(const nix::StorePathSet& paths) {
  std::string text;
  for (const auto& path : paths) text += path.base_name() + "\n";
  return text;
}

// Names the closure: the same paths, the same view.
std::string name_of(const nix::StorePathSet& closure) {
  return nix::to_base32(bytes_of(sha256(joined(closure))).substr(0, nix::digest_bytes));
}

bool is_overlay(const fs::path& directory) {
  struct statfs info {};
  return ::statfs(directory.c_str(), &info) == 0 && info.f_type == OVERLAYFS_SUPER_MAGIC;
}

void set_attribute(const fs::path& path, const char* name, std::string_view value) {
  if (::lsetxattr(path.c_str(), name, value.data(), value.size(), 0) != 0)
    fail_errno(errno, "setting {} of {}", name, path.string());
}

// Makes the entry in the upper layer.
void add_entry(const fs::path& directory, const StoreViews::Entry& entry) {
  const fs::path path = directory / entry.name;
  if (S_ISLNK(entry.mode)) return fs::create_symlink(entry.target, path);
  if (S_ISDIR(entry.mode)) {
    if (::mkdir(path.c_str(), 0755) != 0) fail_errno(errno, "making {}", path.string());
  } else {  // its metadata stand here, its content in the store
    Fd file = open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (::ftruncate(file.get(), static_cast<off_t>(entry.size)) != 0)
      fail_errno(errno, "sizing {}", path.string());
    set_attribute(path, metacopy_attribute, "");
  }
  set_attribute(path, redirect_attribute, entry.redirect);
  const timespec times[2] = {store_time, store_time};
  ::utimensat(AT_FDCWD, path.c_str(), times, 0);
  if (::chmod(path.c_str(), entry.mode & 07777) != 0)
    fail_errno(errno, "setting the mode of {}", path.string());
}

}  // namespace

StoreViews::StoreViews(const store::LocalStore& store, const fs::path& directory)
    : store_(store), whole_(store.store_directory(), directory / "store"), directory_(directory / "views") {
  const store::Writing writing;  // where shims see what is mounted
  fs::create_directories(directory_);
  for (const auto& entry : fs::directory_iterator(directory_)) {
    const std::string name = entry.path().filename();
    if (is_overlay(merged(name)))
      last_use_[name] = Clock::now();
    else
      remove(name);  // of a floxd that was killed while it made it, or from before a reboot
  }
  for (const auto& lease : store::list_leases(store_))
    if (lease.holder.starts_with(view_holder_prefix) &&
        !last_use_.contains(lease.holder.substr(view_holder_prefix.size())))
      store::release_lease(store_, lease.holder);
}

bool StoreViews::is_whole(const fs::path& directory) const {
  return directory == whole_.place() || directory == store_.store_directory();
}

StoreViews::View StoreViews::show(const nix::StorePathSet& roots) {
  const std::string key = joined(roots);
  std::scoped_lock lock(mutex_);
  std::string& name = by_roots_[key];
  if (name.empty() || !last_use_.contains(name)) {
    const nix::StorePathSet closure = store_.closure(roots);
    name = name_of(closure);
    if (!last_use_.contains(name)) {
      const store::Writing writing;
      keep(name, roots);
      make(name, closure);
    }
  }
  last_use_[name] = Clock::now();
  return {name, merged(name) / "view"};
}

std::optional<std::string> StoreViews::name_at(const fs::path& directory) {
  std::scoped_lock lock(mutex_);
  for (const auto& [name, last] : last_use_)
    if (merged(name) / "view" == directory) return name;
  return std::nullopt;
}

StoreViews::Entry StoreViews::entry_of(const fs::path& target) {
  struct stat info {};
  if (::lstat(target.c_str(), &info) != 0) fail_errno(errno, "reading {}", target.string());
  Entry entry{.name = target.filename(), .mode = info.st_mode, .size = static_cast<uint64_t>(info.st_size)};
  if (S_ISLNK(info.st_mode))
    entry.target = fs::read_symlink(target);
  else
    entry.redirect = "/" + entry.name;
  return entry;
}

fs::path StoreViews::begin(const std::string& name, const std::vector<Entry>& entries) {
  const fs::path view = directory_ / name / "meta/view";
  fs::create_directories(view);
  fs::create_directories(merged(name));
  for (const Entry& entry : entries) add_entry(view, entry);
  return view;
}

void StoreViews::mount_layers(const std::string& name, const std::vector<fs::path>& below) const {
  std::string options =
      fmt::format("redirect_dir=follow,metacopy=on,lowerdir={}", (directory_ / name / "meta").string());
  for (const fs::path& layer : below) options += ":" + layer.string();
  if (::mount("overlay", merged(name).c_str(), "overlay", MS_RDONLY | MS_NOSUID | MS_NODEV,
              options.c_str()) != 0) {
    const int error = errno;
    throw Error(
        ErrorKind::unavailable,
        fmt::format("mounting a view of the store as an overlay: {}", std::generic_category().message(error)),
        "Run 'modprobe overlay', or set store_view = \"node\" in /etc/flox/config.toml.");
  }
}

void StoreViews::make(const std::string& name, const nix::StorePathSet& closure) const {
  try {
    const fs::path view = directory_ / name / "meta/view";
    fs::create_directories(view);
    fs::create_directories(merged(name));
    for (const auto& path : closure) add_entry(view, entry_of(store_.real_path(path)));
    mount_layers(name, {store_.store_directory()});
  } catch (...) {
    remove(name);
    throw;
  }
}

StoreViews::View StoreViews::show_made(const std::string& name, const std::vector<fs::path>& below,
                                       const nix::StorePathSet& present) {
  std::scoped_lock lock(mutex_);
  const store::Writing writing;
  if (!present.empty()) keep(name, present);
  mount_layers(name, below);
  last_use_[name] = Clock::now();
  return {name, merged(name) / "view"};
}

void StoreViews::give_up(const std::string& name) noexcept {
  try {
    std::scoped_lock lock(mutex_);
    const store::Writing writing;
    remove(name);
    last_use_.erase(name);
  } catch (const std::exception& error) {
    log::warning("removing the view {}: {}", name, message_of(error));
  }
}

std::optional<StoreViews::View> StoreViews::find(const std::string& name) {
  std::scoped_lock lock(mutex_);
  const auto found = last_use_.find(name);
  if (found == last_use_.end()) return std::nullopt;
  found->second = Clock::now();
  return View{name, merged(name) / "view"};
}

bool StoreViews::has(const std::string& name) const {
  std::scoped_lock lock(mutex_);
  return last_use_.contains(name);
}

void StoreViews::keep(const std::string& name, const nix::StorePathSet& roots) const {
  store::lease_present(store_, std::string(view_holder_prefix) + name, roots);
}

void StoreViews::remove(const std::string& name) const {
  ::umount2(merged(name).c_str(), MNT_DETACH);  // containers keep what they have bound
  remove_tree(directory_ / name);
  store::release_lease(store_, std::string(view_holder_prefix) + name);
}

void StoreViews::sweep(const std::set<std::string>& used, std::chrono::seconds grace) {
  std::scoped_lock lock(mutex_);
  std::erase_if(last_use_, [&](const auto& entry) {
    const auto& [name, last] = entry;
    if (used.contains(name) || last + grace > Clock::now()) return false;
    const store::Writing writing;
    remove(name);
    log::info("view {} of the store ended: no container uses it", name);
    return true;
  });
  std::erase_if(by_roots_, [&](const auto& entry) { return !last_use_.contains(entry.second); });
}

}  // namespace flox::node
