#include "store/lease.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/file.h"

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
  if (!is_holder(holder))
    fail(ErrorKind::invalid_input,
         "'{}' cannot hold a lease: a holder is 1 to {} letters, digits, '-', '_' or '.', and does not begin "
         "with '.'",
         holder, max_holder_length);
  return leases_directory(store) / holder;
}

}  // namespace

void add_lease(const LocalStore& store, std::string_view holder, const StorePathSet& paths) {
  const fs::path directory = directory_of(store, holder);
  in_context(fmt::format("lease of {}", holder), [&] {
    // From the temporary roots on no collector takes the paths, so that what is valid now stays so until the
    // permanent roots are there (nix.md 5.2).
    store.add_temp_roots(paths);
    for (const StorePath& path : paths)
      if (!store.is_valid(path)) fail(ErrorKind::not_found, "{} is not in the store", path.to_string());
    fs::create_directories(directory);
    for (const StorePath& path : paths)
      if (::symlink(path.to_string().c_str(), (directory / path.base_name()).c_str()) != 0 && errno != EEXIST)
        fail_errno(errno, "making the root {}", (directory / path.base_name()).string());
  });
}

void release_lease(const LocalStore& store, std::string_view holder) {
  remove_tree(directory_of(store, holder));
}

std::vector<Lease> list_leases(const LocalStore& store) {
  std::vector<Lease> leases;
  std::error_code gone;  // a lease may end while we look
  for (const auto& holder : fs::directory_iterator(leases_directory(store), gone)) {
    if (!holder.is_directory(gone) || !is_holder(holder.path().filename().string())) continue;
    Lease lease{.holder = holder.path().filename(), .paths = {}};
    for (const auto& root : fs::directory_iterator(holder.path(), gone)) {
      const std::string target = fs::read_symlink(root.path(), gone);
      if (target == std::string(nix::store_dir) + "/" + root.path().filename().string())
        lease.paths.insert(StorePath::parse(target));
    }
    leases.push_back(std::move(lease));
  }
  std::ranges::sort(leases, {}, &Lease::holder);
  return leases;
}

}  // namespace flox::store
