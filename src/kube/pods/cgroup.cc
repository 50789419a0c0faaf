#include "kube/pods/cgroup.h"

#include <filesystem>
#include <vector>

namespace flox::kube {
namespace fs = std::filesystem;
namespace {

void remove_below(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return;
  for (const auto& entry : fs::directory_iterator(path, ignored))
    if (entry.is_directory(ignored)) remove_below(entry.path());
  fs::remove(path, ignored);  // rmdir: only if no process and no child is left
}

// "flox-kube-podX.slice" stands below "flox-kube.slice", as systemd nests slices by their dashes.
fs::path relative_path(const std::string& path) {
  if (!path.ends_with(".slice")) return fs::path(path).relative_path();
  fs::path nested;
  const std::string stem = path.substr(0, path.size() - 6);
  for (size_t dash = stem.find('-'); dash != std::string::npos; dash = stem.find('-', dash + 1))
    nested /= stem.substr(0, dash) + ".slice";
  return nested / path;
}

}  // namespace

void remove_cgroup(const std::string& path) noexcept {
  try {
    const fs::path root = "/sys/fs/cgroup", relative = relative_path(path);
    if (relative.empty()) return;
    remove_below(root / relative);  // cgroup v2
    std::error_code ignored;
    for (const auto& hierarchy : fs::directory_iterator(root, ignored))
      if (hierarchy.is_directory(ignored) && !hierarchy.is_symlink(ignored))
        remove_below(hierarchy.path() / relative);
  } catch (const std::exception&) {
  }
}

}  // namespace flox::kube
