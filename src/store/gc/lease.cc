#include "store/gc/lease.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <mutex>

#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "base/printable.h"
#include "store/gc/last_use.h"
#include "store/local/path_lock.h"

namespace flox::store {
namespace {

constexpr size_t max_holder_length = 200;

fs::path leases_directory(const LocalStore& store) { return store.state_directory() / "gcroots/flox"; }

bool is_holder(std::string_view holder) {
  auto allowed = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.';
  };
  return !holder.empty() && holder.size() <= max_holder_length && holder.front() != '.' &&
         std::ranges::all_of(holder, allowed);
}

fs::path directory_of(const LocalStore& store, std::string_view holder) {
  check_holder(holder);
  return leases_directory(store) / holder;
}

// An empty directory that a released lease has left for the next one: making and removing one takes ext4 half
// of the time of a lease.
fs::path spare_directory(const LocalStore& store) { return store.state_directory() / "flox/spare-lease"; }

// Held while a lease's directory changes: what is added to a lease that is being taken apart would go on into
// the next one, of somebody else, with the spare directory. One process has a store's leases.
std::mutex& changing() {
  static std::mutex mutex;
  return mutex;
}

void make_roots(const LocalStore& store, const fs::path& directory, const StorePathSet& paths) {
  const std::scoped_lock lock(changing());
  // There is no spare, or the holder has roots already: a rename takes the place of an empty directory only.
  if (::rename(spare_directory(store).c_str(), directory.c_str()) != 0) fs::create_directories(directory);
  for (const StorePath& path : paths)
    if (::symlink(path.to_string().c_str(), (directory / path.base_name()).c_str()) != 0 && errno != EEXIST)
      fail_errno(errno, "making the root {}", (directory / path.base_name()).string());
}

}  // namespace

void check_holder(std::string_view holder) {
  if (!is_holder(holder))
    fail(ErrorKind::invalid_input,
         "'{}' cannot hold a lease: a holder is 1 to {} letters, digits, '-', '_' or '.', and does not begin "
         "with '.'",
         printable(holder, max_holder_length), max_holder_length);
}

void add_lease(const LocalStore& store, std::string_view holder, const StorePathSet& paths) {
  const fs::path directory = directory_of(store, holder);
  in_context(fmt::format("lease of {}", holder), [&] {
    // From the temporary roots on no collector takes the paths, so that what is valid now stays so until the
    // permanent roots are there (docs/formats/store-locks.md).
    store.add_temp_roots(paths);
    for (const StorePath& path : paths)
      if (!store.is_valid(path)) fail(ErrorKind::not_found, "{} is not in the store", path.to_string());
    make_roots(store, directory, paths);
  });
}

bool add_lease_of_present(const LocalStore& store, std::string_view holder, const StorePathSet& paths) {
  const fs::path directory = directory_of(store, holder);
  const fs::path gc_lock = store.state_directory() / "gc.lock";
  const Fd lock = open_file(gc_lock, O_RDWR | O_CREAT, 0600);
  // A collector holds this lock from before it reads the roots until it has deleted
  // (docs/formats/store-locks.md).
  if (!lock_file(lock.get(), LOCK_SH, false, gc_lock)) return false;
  for (const StorePath& path : paths)
    if (!store.is_valid(path)) return false;
  make_roots(store, directory, paths);
  return true;
}

void lease_present(const LocalStore& store, std::string_view holder, const StorePathSet& paths) {
  if (add_lease_of_present(store, holder, paths)) return;
  const LocalStore own(store.root(), store.lock_timeout());  // its temporary roots end with it
  add_lease(own, holder, paths);
}

void release_paths(const LocalStore& store, std::string_view holder, const StorePathSet& paths) {
  const fs::path directory = directory_of(store, holder);
  record_use(store, paths);
  const std::scoped_lock lock(changing());
  for (const StorePath& path : paths) ::unlink((directory / path.base_name()).c_str());
  ::rmdir(directory.c_str());  // does nothing while there are others
}

void release_lease(const LocalStore& store, std::string_view holder) {
  const fs::path directory = directory_of(store, holder);
  record_use(store, leased_paths(store, holder));
  const std::scoped_lock lock(changing());
  for (const StorePath& path : leased_paths(store, holder)) ::unlink((directory / path.base_name()).c_str());
  std::error_code gone;
  if (fs::is_empty(directory, gone) && !gone &&
      ::renameat2(AT_FDCWD, directory.c_str(), AT_FDCWD, spare_directory(store).c_str(), RENAME_NOREPLACE) ==
          0)
    return;
  remove_tree(directory);
}

StorePathSet leased_paths(const LocalStore& store, std::string_view holder) {
  StorePathSet paths;
  std::error_code gone;  // a lease may end while we look
  for (const auto& root : fs::directory_iterator(directory_of(store, holder), gone)) {
    const std::string target = fs::read_symlink(root.path(), gone);
    if (target != std::string(nix::store_dir) + "/" + root.path().filename().string()) continue;
    try {
      paths.insert(StorePath::parse(target));
    } catch (const Error&) {  // not a root that we made
    }
  }
  return paths;
}

std::vector<Lease> list_leases(const LocalStore& store) {
  std::vector<Lease> leases;
  std::error_code gone;  // a lease may end while we look
  for (const auto& holder : fs::directory_iterator(leases_directory(store), gone)) {
    if (holder.symlink_status(gone).type() != fs::file_type::directory ||
        !is_holder(holder.path().filename().string()))
      continue;
    const std::string name = holder.path().filename();
    leases.push_back({.holder = name, .paths = leased_paths(store, name)});
  }
  std::ranges::sort(leases, {}, &Lease::holder);
  return leases;
}

}  // namespace flox::store
