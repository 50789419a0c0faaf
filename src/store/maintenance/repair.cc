#include "store/maintenance/repair.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "nix/base32.h"
#include "nix/nar.h"
#include "store/fetch/fetcher.h"
#include "store/fetch/installer.h"
#include "store/local/path_lock.h"
#include "store/local/store_guard.h"

namespace flox::store {
namespace {

// Drops the names in .links that damaged files have: whoever optimises would spread them. `good` is the tree
// as it should be; a file's link is named by what the file should hold.
void drop_links(const fs::path& links, const fs::path& damaged, const fs::path& good) {
  struct stat old {};
  struct stat fresh {};
  if (::lstat(damaged.c_str(), &old) != 0 || ::lstat(good.c_str(), &fresh) != 0) return;
  if (S_ISDIR(old.st_mode) && S_ISDIR(fresh.st_mode)) {
    for (const auto& entry : fs::directory_iterator(damaged))
      drop_links(links, entry.path(), good / entry.path().filename());
    return;
  }
  if (!S_ISREG(old.st_mode) || !S_ISREG(fresh.st_mode) || old.st_nlink < 2) return;
  auto hash_of = [](const fs::path& file) {
    Sha256 hash;
    nix::write_nar(file, [&](std::string_view piece) { hash.update(piece); });
    return hash.finish();
  };
  const Sha256Digest right = hash_of(good);
  const fs::path link = links / nix::to_base32(bytes_of(right));
  struct stat shared {};
  if (::lstat(link.c_str(), &shared) == 0 && shared.st_ino == old.st_ino && hash_of(damaged) != right)
    ::unlink(link.c_str());
}

// A directory of which one is not the owner's superuser can be moved only while it is writable.
void unlock(const fs::path& tree) {
  if (::geteuid() != 0 && fs::is_directory(fs::symlink_status(tree))) ::chmod(tree.c_str(), 0755);
}
void lock(const fs::path& tree) {
  if (::geteuid() != 0 && fs::is_directory(fs::symlink_status(tree))) ::chmod(tree.c_str(), 0555);
}

// Puts the good tree in the place of the damaged one, which takes the place of the good one if it exists.
void exchange(const fs::path& good, const fs::path& place) {
  unlock(good);
  unlock(place);
  const bool present = fs::symlink_status(place).type() != fs::file_type::not_found;
  if (::renameat2(AT_FDCWD, good.c_str(), AT_FDCWD, place.c_str(), present ? RENAME_EXCHANGE : 0) != 0)
    fail_errno(errno, "moving the good files to {}", place.string());
  lock(place);
}

}  // namespace

void repair(LocalStore& store, const StorePath& path, const std::vector<std::string>& caches) {
  in_context(fmt::format("repairing {}", path.to_string()), [&] {
    if (caches.empty())
      throw Error(ErrorKind::not_found, "there is no binary cache to fetch it from",
                  "Pass one with --cache, or set caches in /etc/flox/config.toml.");
    store.add_temp_roots({path});
    const auto info = store.query(path);
    if (!info) fail(ErrorKind::not_found, "it is not in the store");
    RealiseOptions options{.caches = caches};
    NarinfoCache memory(store.state_directory() / "flox/narinfo-cache.sqlite", {.enabled = false});
    Installer installer(store, options, memory, info);
    try {
      run_fetcher(installer, {path}, options);
    } catch (const Error& error) {
      throw error.with_advice("Let Nix build it again: nix-store --repair-path PATH.");
    }
    const fs::path tree = Staging(store).tree_of(*info);
    const Fd file_system = open_file(store.staging_directory(), O_RDONLY | O_DIRECTORY);
    if (::syncfs(file_system.get()) != 0) fail_errno(errno, "writing the files to the disk");
    const Writing writing;
    const PathLock lock_of_path(store.real_path(path));
    drop_links(store.store_directory() / ".links", store.real_path(path), tree);
    exchange(tree, store.real_path(path));
    Staging(store).remove(*info);
  });
}

}  // namespace flox::store
