#include "store/local/local_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <list>
#include <map>
#include <mutex>

#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "store/local/closure_cache.h"
#include "store/local/open_database.h"
#include "store/local/path_lock.h"
#include "store/local/store_guard.h"
#include "store/local/store_layout.h"
#include "store/local/sync_mark.h"
#include "store/local/temp_roots.h"
#include "store/local/tree_survey.h"
#include "store/local/work_directory.h"

namespace flox::store {
namespace {

// A directory of which one is not the owner's superuser can be moved only while it is writable.
void move_tree(const fs::path& from, const fs::path& to) {
  const bool unlock = ::geteuid() != 0 && fs::is_directory(fs::symlink_status(from));
  if (unlock) ::chmod(from.c_str(), 0755);
  if (::rename(from.c_str(), to.c_str()) != 0)
    fail_errno(errno, "moving {} into the store", to.filename().string());
  if (unlock && ::chmod(to.c_str(), 0555) != 0) fail_errno(errno, "setting the mode of {}", to.string());
}

// One call for thousands of files.
void sync_file_system(const fs::path& directory) {
  const Fd fd = open_file(directory.string(), O_RDONLY | O_DIRECTORY);
  if (::syncfs(fd.get()) != 0) fail_errno(errno, "writing the store to the disk");
}

}  // namespace

struct LocalStore::State {
  State(const fs::path& root, std::chrono::milliseconds timeout)
      : layout(root),
        lock_timeout(timeout),
        mark(layout.state),
        database(layout.state, timeout, layout.read_only) {
    if (layout.read_only) return;
    const Writing writing;
    mark.begin(database->next_id());
    temp_roots = std::make_unique<TempRoots>(layout.state);
  }

  void sync_up_to(int64_t next_id) const {
    sync_file_system(layout.store);
    mark.advance(next_id);
  }

  const StoreLayout layout;
  const std::chrono::milliseconds lock_timeout;
  SyncMark mark;
  OpenDatabase database;
  ClosureCache closures;
  std::unique_ptr<TempRoots> temp_roots;  // none where nothing can be written: nobody collects there either
  std::mutex mutex;
  std::list<WorkDirectory> build_directories;  // kept for their locks
};

LocalStore::LocalStore(fs::path root, std::chrono::milliseconds lock_timeout)
    : state_(std::make_unique<State>(root, lock_timeout)) {}
LocalStore::~LocalStore() = default;

const fs::path& LocalStore::root() const noexcept { return state_->layout.root; }
std::chrono::milliseconds LocalStore::lock_timeout() const noexcept { return state_->lock_timeout; }
fs::path LocalStore::store_directory() const { return state_->layout.store; }
fs::path LocalStore::state_directory() const { return state_->layout.state; }
fs::path LocalStore::scratch_directory() const { return state_->layout.scratch; }
fs::path LocalStore::staging_directory() const { return state_->layout.staging; }
fs::path LocalStore::trash_directory() const { return state_->layout.trash; }
fs::path LocalStore::real_path(const StorePath& path) const {
  return state_->layout.store / path.base_name();
}

std::optional<PathInfo> LocalStore::query(const StorePath& path) const {
  return state_->database->query(path);
}
bool LocalStore::is_valid(const StorePath& path) const { return state_->database->is_valid(path); }
bool LocalStore::is_registered(std::string_view base_name) const {
  return state_->database->has_row(fmt::format("{}/{}", nix::store_dir, base_name));
}
StorePathSet LocalStore::valid_paths() const { return state_->database->all(); }

std::optional<StorePath> LocalStore::find(std::string_view digest) const {
  return state_->database->find(digest);
}
ReferenceGraph LocalStore::references() const { return state_->database->references(); }

StorePathSet LocalStore::closure(const StorePathSet& paths) const {
  const DatabaseVersion version = state_->database->version();
  if (auto known = state_->closures.find(paths, version)) return std::move(*known);
  StorePathSet closure = state_->database->closure(paths);
  state_->closures.remember(paths, closure, version);
  return closure;
}

uint64_t LocalStore::closure_size(const StorePathSet& closure) const {
  uint64_t size = 0;
  for (const StorePath& path : closure) {
    const auto info = query(path);
    if (!info) fail(ErrorKind::not_found, "{} is not in the store", path.to_string());
    size += info->nar_size;
  }
  return size;
}

void LocalStore::register_valid(const std::vector<PathInfo>& infos) {
  state_->database->register_valid(infos);
}

std::vector<StorePath> LocalStore::unregister(const std::vector<StorePath>& paths) {
  return state_->database->remove(paths);
}

void LocalStore::add_signatures(const StorePath& path, const std::vector<std::string>& signatures) {
  state_->database->add_signatures(path, signatures);
}

void LocalStore::reserve_space() const noexcept { store::reserve_space(state_->layout.state); }

void LocalStore::add_temp_roots(const StorePathSet& paths) const {
  if (state_->temp_roots) state_->temp_roots->add(paths);
}

void LocalStore::sync(std::chrono::seconds quiet) {
  const auto pending = state_->mark.pending();
  const int64_t next_id = state_->database->next_id();
  if (!pending || *pending >= next_id) return;
  if (quiet.count() > 0 &&
      state_->database->last_registration_since(*pending) + quiet.count() > std::time(nullptr))
    return;
  state_->sync_up_to(next_id);
}

StorePathSet LocalStore::unsynced_paths() const {
  const auto first = state_->mark.first_unsynced();
  return first ? state_->database->since(*first) : StorePathSet();
}

void LocalStore::mark_synced() { state_->sync_up_to(state_->database->next_id()); }

void LocalStore::install(const std::vector<ReadyTree>& trees) {
  const Writing writing;
  std::map<StorePath, const ReadyTree*> sorted;
  StorePathSet paths;
  for (const ReadyTree& tree : trees) {
    sorted.emplace(tree.info.path, &tree);
    paths.insert(tree.info.path);
  }
  add_temp_roots(paths);
  std::vector<PathLock> locks;
  for (const auto& [path, tree] : sorted) locks.emplace_back(real_path(path));

  std::vector<PathInfo> infos;
  std::vector<fs::path> moved;
  try {
    for (const auto& [path, tree] : sorted) {
      if (is_valid(path)) continue;
      const fs::path target = real_path(path);
      remove_tree(target);  // not valid: what a killed process left there
      move_tree(tree->tree, target);
      moved.push_back(target);
      infos.push_back(tree->info);
    }
    register_valid(infos);
  } catch (...) {
    for (const fs::path& target : moved) remove_tree(target);
    throw;
  }
}

PathInfo LocalStore::add_tree(const fs::path& tree, std::string_view name, const StorePathSet& candidates,
                              std::optional<std::string_view> self_placeholder) {
  return in_context(fmt::format("adding {} to the store", tree.string()), [&] {
    const std::string placeholder(self_placeholder.value_or(""));
    if (self_placeholder && placeholder.size() != nix::digest_length)
      fail(ErrorKind::invalid_input, "the placeholder '{}' is not {} characters long", placeholder,
           nix::digest_length);
    add_temp_roots(candidates);
    const TreeSurvey found = survey_tree(tree, candidates, placeholder);
    const auto address = nix::ContentAddress::of_nar(found.hash);
    PathInfo info{.path = address.path(name, found.references, found.self_reference)};
    info.references = found.references;
    if (found.self_reference) info.references.insert(info.path);
    info.content_address = address;
    info.ultimate = true;

    add_temp_roots({info.path});
    if (auto known = query(info.path)) return *known;
    const WorkDirectory work(state_->layout.scratch);
    copy_tree(tree, work.path() / "tree", placeholder, found, info);
    install({{.info = info, .tree = work.path() / "tree"}});
    return query(info.path).value();
  });
}

fs::path LocalStore::make_build_directory() {
  const std::lock_guard lock(state_->mutex);
  remove_abandoned(state_->layout.scratch);
  auto& held = state_->build_directories;
  std::erase_if(held, [](const WorkDirectory& directory) { return !fs::exists(directory.path()); });
  held.emplace_back(state_->layout.scratch);
  return held.back().path();
}

}  // namespace flox::store
