#include "store/local/store_layout.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

#include "base/error.h"
#include "store/local/store_guard.h"

namespace flox::store {

namespace fs = std::filesystem;

namespace {

void make_directory(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error)
    in_context("opening the store", [&] {
      try {
        fail_errno(error.value(), "making the directory {}", path.string());
      } catch (const Error& failure) {
        throw failure.with_advice(
            "Name a store that you may write with --root, or ask as the user who owns it.");
      }
    });
}

// Of a store alone: it is that of another machine, of which this one has a read-only mount.
bool is_read_only(const fs::path& directory) {
  struct statvfs status {};
  if (::statvfs(directory.c_str(), &status) != 0) fail_errno(errno, "reading {}", directory.string());
  return (status.f_flag & ST_RDONLY) != 0;
}

// What Nix expects to find (docs/formats/store-database.md).
void make_layout(const fs::path& root, const fs::path& state) {
  make_directory(root / "nix/store");
  if (!is_read_only(root / "nix/store")) make_directory(root / "nix/store/.links");
  for (const char* name : {"db", "gc-socket", "gcroots/auto", "gcroots/per-user", "gcroots/flox",
                           "profiles/per-user", "temproots", "flox/scratch", "flox/last-used"})
    make_directory(state / name);
  make_directory(root / "nix/var/log/nix");
  if (::symlink("../profiles", (state / "gcroots/profiles").c_str()) != 0 && errno != EEXIST)
    fail_errno(errno, "making {}", (state / "gcroots/profiles").string());
}

// Which mount a directory is on: rename(2) works within one mount only.
uint64_t mount_of(const fs::path& path) {
  struct statx status {};
  if (::statx(AT_FDCWD, path.c_str(), 0, STATX_MNT_ID, &status) != 0)
    fail_errno(errno, "reading {}", path.string());
  return status.stx_mnt_id;
}

}  // namespace

StoreLayout::StoreLayout(const fs::path& given)
    : root(fs::absolute(given).lexically_normal()), store(root / "nix/store"), state(root / "nix/var/nix") {
  const Writing writing;
  read_only = fs::exists(state / "db") && is_read_only(state / "db");
  if (!read_only) make_layout(root, state);
  const bool one_mount = mount_of(store) == mount_of(state) || is_read_only(store);
  scratch = one_mount ? state / "flox/scratch" : store;
  staging = one_mount ? state / "flox/staging" : store / "tmp.flox-staging";
  trash = one_mount ? state / "flox/trash" : store / "tmp.flox-trash";
  if (read_only) return;
  make_directory(staging);
  make_directory(trash);
}

}  // namespace flox::store
