#include "store/maintenance/recovery.h"

#include <algorithm>
#include <ranges>

#include "base/error.h"
#include "base/log.h"
#include "base/os/file.h"
#include "base/printable.h"
#include "store/local/reference_order.h"
#include "store/maintenance/repair.h"
#include "store/maintenance/verify.h"

namespace flox::store {
namespace {

// The paths that could not be repaired, one base name per line. Another process may write it at the same
// time: the last one wins, and what it did not know is found by verifying.
class DamagedPaths {
 public:
  explicit DamagedPaths(const LocalStore& store) : file_(store.state_directory() / "flox/damaged") {}

  StorePathSet read() const {
    StorePathSet paths;
    if (!fs::exists(file_)) return paths;
    const std::string text = read_file(file_);
    for (size_t start = 0; start < text.size();) {
      const size_t end = std::min(text.find('\n', start), text.size());
      try {
        if (end > start) paths.insert(StorePath::from_base_name(text.substr(start, end - start)));
      } catch (const Error& error) {
        log::warning("{}: a line is skipped: {}", file_.string(), printable(error.what()));
      }
      start = end + 1;
    }
    return paths;
  }
  void write(const StorePathSet& paths) const {
    if (paths.empty()) {
      fs::remove(file_);
      return;
    }
    std::string text;
    for (const StorePath& path : paths) text += std::string(path.base_name()) + "\n";
    write_file_synced(file_, text);
  }

 private:
  fs::path file_;
};

StorePathSet still_valid(const LocalStore& store, const StorePathSet& paths) {
  store.add_temp_roots(paths);
  StorePathSet valid;
  for (const StorePath& path : paths)
    if (store.is_valid(path)) valid.insert(path);
  return valid;
}

struct Unrepaired {
  Damage damage;
  Error why;
};

// Verifies these valid paths and repairs the damaged ones; gives those that stay damaged.
std::vector<Unrepaired> repair_all(LocalStore& store, const StorePathSet& paths,
                                   const std::vector<std::string>& caches) {
  std::vector<Unrepaired> unrepaired;
  if (paths.empty()) return unrepaired;
  for (const Damage& damage : verify(store, {.paths = paths})) {
    try {
      repair(store, damage.path, caches);
      log::warning("{} was damaged when the machine stopped ({}): fetched again", damage.path.to_string(),
                   damage.problem);
    } catch (const Error& error) {
      unrepaired.push_back({damage, error});
    }
  }
  return unrepaired;
}

// Makes the paths invalid to which no sound path refers: a profile, for example, can be built again.
StorePathSet forget(LocalStore& store, const std::vector<Unrepaired>& unrepaired) {
  std::vector<PathInfo> infos;
  for (const Unrepaired& path : unrepaired)
    if (auto info = store.query(path.damage.path)) infos.push_back(std::move(*info));
  std::vector<StorePath> referrers_first;
  for (const PathInfo* info : in_reference_order(infos) | std::views::reverse)
    referrers_first.push_back(info->path);
  const std::vector<StorePath> forgotten = store.unregister(referrers_first);
  return {forgotten.begin(), forgotten.end()};
}

}  // namespace

void recover(LocalStore& store, const std::vector<std::string>& caches) {
  const StorePathSet unsynced = still_valid(store, store.unsynced_paths());
  if (unsynced.empty()) return;
  in_context("recovering the store after the machine's last stop", [&] {
    log::info("the machine has stopped since {} paths became valid: verifying them", unsynced.size());
    const std::vector<Unrepaired> unrepaired = repair_all(store, unsynced, caches);
    const StorePathSet forgotten = forget(store, unrepaired);
    const DamagedPaths damaged(store);
    StorePathSet known = damaged.read();
    for (const Unrepaired& path : unrepaired) {
      const std::string text = path.damage.path.to_string();
      if (forgotten.contains(path.damage.path)) {
        log::warning("{} was damaged when the machine stopped ({}): it is not valid any more", text,
                     path.damage.problem);
        continue;
      }
      log::error("{} is damaged since the machine stopped ({}) and stays so: {}", text, path.damage.problem,
                 path.why.what());
      known.insert(path.damage.path);
    }
    damaged.write(known);
    store.mark_synced();
  });
}

StorePathSet damaged_paths(const LocalStore& store) { return DamagedPaths(store).read(); }

void require_sound(LocalStore& store, const StorePathSet& paths, const std::vector<std::string>& caches) {
  const DamagedPaths damaged(store);
  StorePathSet known = damaged.read();
  StorePathSet asked;
  for (const StorePath& path : known)
    if (paths.contains(path)) asked.insert(path);
  if (asked.empty()) return;
  const std::vector<Unrepaired> unrepaired = repair_all(store, still_valid(store, asked), caches);
  for (const StorePath& path : asked) known.erase(path);
  for (const Unrepaired& path : unrepaired) known.insert(path.damage.path);
  damaged.write(known);
  if (unrepaired.empty()) return;
  const Unrepaired& first = unrepaired.front();
  throw Error(ErrorKind::conflict,
              fmt::format("{} is damaged since the machine stopped ({}): {}", first.damage.path.to_string(),
                          first.damage.problem, first.why.what()),
              first.why.advice());
}

}  // namespace flox::store
