#include "store/staging.h"

#include <chrono>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "store/local_store.h"

namespace flox::store {
namespace {

constexpr std::string_view mark_suffix = ".complete";
constexpr auto max_age = std::chrono::hours(24);

bool is_old(const fs::path& mark) {
  std::error_code missing;
  const fs::file_time_type written = fs::last_write_time(mark, missing);
  return missing || fs::file_time_type::clock::now() - written > max_age;
}

}  // namespace

Staging::Staging(const LocalStore& store)
    : directory_(store.staging_directory()), boot_(read_file("/proc/sys/kernel/random/boot_id")) {}

fs::path Staging::tree_of(const nix::StorePath& path) const { return directory_ / path.base_name(); }

fs::path Staging::mark_of(const nix::StorePath& path) const {
  return directory_ / (path.base_name() + std::string(mark_suffix));
}

std::string Staging::mark(const nix::PathInfo& info) const {
  return nix::hash_text(info.nar_hash) + "\n" + boot_;
}

std::optional<PathLock> Staging::lock(const nix::StorePath& path, bool wait) const {
  if (wait) return PathLock(tree_of(path));
  return PathLock::try_take(tree_of(path));
}

bool Staging::has(const nix::PathInfo& info) const {
  std::error_code error;
  if (fs::symlink_status(tree_of(info.path), error).type() == fs::file_type::not_found) return false;
  const fs::path file = mark_of(info.path);
  if (!fs::exists(file, error)) return false;
  try {
    return read_file(file) == mark(info);
  } catch (const Error&) {  // it was installed by somebody else between these lines
    return false;
  }
}

void Staging::put(const nix::PathInfo& info, const fs::path& tree) const {
  remove(info.path);
  fs::rename(tree, tree_of(info.path));
  write_file(mark_of(info.path), mark(info));
}

void Staging::remove(const nix::StorePath& path) const {
  fs::remove(mark_of(path));
  remove_tree(tree_of(path));
}

void Staging::clean() const {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory_, ignored)) {
    std::string name = entry.path().filename();
    if (name.ends_with(".lock")) continue;
    if (name.ends_with(mark_suffix)) name.resize(name.size() - mark_suffix.size());
    try {
      const nix::StorePath path = nix::StorePath::from_base_name(name);
      if (!is_old(mark_of(path))) continue;
      const auto held = lock(path, false);
      if (held && is_old(mark_of(path))) remove(path);
    } catch (const std::exception& error) {  // litter is no reason not to go on
      log::warning("cleaning {}: {}", directory_.string(), error.what());
    }
  }
}

}  // namespace flox::store
