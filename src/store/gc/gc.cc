#include "store/gc/gc.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <unordered_set>

#include "base/error.h"
#include "base/log.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "store/gc/gc_lock.h"
#include "store/gc/last_use.h"
#include "store/gc/roots.h"
#include "store/local/parallel.h"
#include "store/local/path_lock.h"
#include "store/local/store_guard.h"
#include "store/local/trash.h"

namespace flox::store {
namespace {

using Index = ReferenceGraph::Index;

// Paths in one transaction: it takes 5 ms with its fsync, and that long others wait at most.
constexpr size_t batch_size = 128;
constexpr auto longest_courtesy = std::chrono::seconds(2);
// A hard link that an optimisation has just made beside the file that it replaces.
constexpr int64_t link_grace = 60;  // seconds

// Which paths stay, and in which order the others go.
class Marks {
 public:
  Marks(const LocalStore& store, const ReferenceGraph& graph, const GcOptions& options)
      : graph_(graph), alive_(graph.size()), uses_(last_uses(store, graph)) {
    for (const Root& root : permanent_roots(store, options.dry_run ? StaleLinks::keep : StaleLinks::remove))
      keep(root.path.digest());
    for (const Root& root : runtime_roots(graph)) keep(root.path.digest());
    for (const Index index : graph.held_by_opaque()) keep(index);
    if (!options.keep_newer) return;
    const int64_t limit = std::time(nullptr) - options.keep_newer->count();
    for (Index i = 0; i < graph.size(); ++i)
      if (uses_[i] >= limit) keep(i);
  }

  // The paths with this digest, of which there should be one at most, and their closures. Derivers stay with
  // what they made (Nix's keep-derivations).
  void keep(std::string_view digest) {
    for (auto index = graph_.find_digest(digest); index; index = graph_.next_of_digest(*index)) keep(*index);
  }
  void keep(Index index) {
    std::vector<Index> fresh;
    graph_.mark(index, alive_, &fresh);
    for (size_t i = 0; i < fresh.size(); ++i) {
      const std::string& deriver = graph_[fresh[i]].deriver;
      if (deriver.empty()) continue;
      if (const auto drv = find_text(deriver)) graph_.mark(*drv, alive_, &fresh);
    }
  }
  // Nothing also for a text that is no path: a row's deriver is whatever somebody wrote.
  std::optional<Index> find_text(const std::string& path) const {
    try {
      return graph_.find(StorePath::parse(path));
    } catch (const Error&) {
      return std::nullopt;
    }
  }
  bool is_alive(Index index) const { return alive_[index]; }
  size_t count() const { return static_cast<size_t>(std::ranges::count(alive_, true)); }

  // Longest unused first, and each after all that refer to it: a path's last use is never before a
  // referrer's.
  std::vector<Index> dead() const {
    std::vector<Index> order;
    for (const Index index : graph_.referrers_first())
      if (!alive_[index]) order.push_back(index);
    std::ranges::stable_sort(order, {}, [&](Index index) { return uses_[index]; });
    return order;
  }

 private:
  const ReferenceGraph& graph_;
  std::vector<bool> alive_;
  std::vector<int64_t> uses_;
};

std::vector<std::string> entries_of(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
  return names;
}

// One collection, under the collector's lock.
class Collection {
 public:
  Collection(LocalStore& store, const GcOptions& options)
      : store_(store),
        options_(options),
        gc_lock_(std::in_place, store),
        temporary_(read_temporary()),
        graph_(store.references()),  // after the temporary roots: who has finished by now is in it
        marks_(store, graph_, options),
        trash_(store, worker_count(options.workers)) {
    for (const std::string& digest : temporary_) marks_.keep(digest);
  }

  GcResult run() {
    ::unlink((store_.state_directory() / "db/reserved").c_str());  // room for SQLite on a full disk
    remove_litter();
    remove_paths();
    gc_lock_.reset();  // what is in the trash is nobody's
    trash_.drain();
    remove_links();
    store_.reserve_space();
    result_.bytes_freed = trash_.bytes_freed();
    result_.failures += trash_.failures();
    result_.paths_kept = graph_.size() - result_.removed.size();
    return std::move(result_);
  }

 private:
  std::unordered_set<std::string> read_temporary() {
    std::unordered_set<std::string> digests;
    for (const Root& root : temporary_roots(store_)) digests.emplace(root.path.digest());
    return digests;
  }

  bool enough() const { return options_.max_freed && trash_.bytes_freed() >= *options_.max_freed; }

  bool is_temporary_root(std::string_view digest) const {
    return temporary_.contains(std::string(digest)) || gc_lock_->is_announced(digest);
  }

  // What stands in the store directory and is no valid path: trees that were never registered, locks of dead
  // processes, foreign files.
  void remove_litter() {
    for (const std::string& name : entries_of(store_.store_directory())) {
      const std::string_view digest = std::string_view(name).substr(0, nix::digest_length);
      if (is_in_graph(digest, name)) continue;
      const auto lock = gc_lock_->hold();
      if (is_temporary_root(digest) || store_.is_registered(name) || is_somebodys(name)) continue;
      if (!trash_.take(store_.store_directory() / name)) ++result_.failures;
      ++result_.litter;
    }
  }

  bool is_in_graph(std::string_view digest, const std::string& name) const {
    for (auto index = graph_.find_digest(digest); index; index = graph_.next_of_digest(*index))
      if (graph_[*index].path.base_name() == name) return true;
    return false;
  }

  // Whether the entry, which is no store path, belongs to the store or to somebody at work.
  bool is_somebodys(const std::string& name) const {
    const fs::path path = store_.store_directory() / name;
    if (name == ".links" || name == "lost+found" || path == store_.staging_directory() ||
        path == store_.trash_directory())
      return true;
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return true;  // gone
    if (name.starts_with(".tmp-link-")) return status.st_ctim.tv_sec + link_grace > std::time(nullptr);
    if (!name.starts_with("tmp-") || !S_ISDIR(status.st_mode)) return false;
    const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    return !fd || !lock_file(fd.get(), LOCK_EX, false, path);
  }

  void remove_paths() {
    const std::vector<Index> dead = marks_.dead();
    for (size_t next = 0; next < dead.size() && !enough();) {
      if (options_.before_batch && !options_.before_batch()) return;
      gc_lock_->wait_for_announcements(longest_courtesy);
      next = remove_batch(dead, next);
      if (options_.max_freed) trash_.drain();  // how much that gave decides about the next
    }
  }

  // Gives the position after the batch.
  size_t remove_batch(const std::vector<Index>& dead, size_t next) {
    const auto lock = gc_lock_->hold();
    for (const std::string& digest : gc_lock_->take_new_announcements()) marks_.keep(digest);
    std::vector<StorePath> batch;
    uint64_t bytes = 0;
    for (; next < dead.size() && batch.size() < batch_size; ++next) {
      const ReferenceGraph::Node& node = graph_[dead[next]];
      if (marks_.is_alive(dead[next])) continue;
      if (options_.max_freed && !batch.empty() && trash_.bytes_freed() + bytes >= *options_.max_freed) break;
      batch.push_back(node.path);
      bytes += node.nar_size;
    }
    for (const StorePath& path : store_.unregister(batch)) {
      if (!trash_.take(store_.real_path(path))) ++result_.failures;
      forget_use(store_, path);
      result_.nar_bytes += graph_[*graph_.find(path)].nar_size;
      result_.removed.push_back(path);
    }
    return next;
  }

  // Files that only .links itself names (docs/formats/store-locks.md).
  void remove_links() {
    const fs::path directory = store_.store_directory() / ".links";
    const Fd fd = open_file(directory, O_RDONLY | O_DIRECTORY);
    for (const std::string& name : entries_of(directory)) {
      struct stat status {};
      if (::fstatat(fd.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 || status.st_nlink != 1)
        continue;
      if (::unlinkat(fd.get(), name.c_str(), 0) == 0) ++result_.links_removed;
    }
  }

  LocalStore& store_;
  const GcOptions& options_;
  std::optional<GcLock> gc_lock_;
  std::unordered_set<std::string> temporary_;
  ReferenceGraph graph_;
  Marks marks_;
  Trash trash_;
  GcResult result_;
};

// What a collection would remove now. Nothing is locked: it is an answer for people.
GcResult preview(const LocalStore& store, const GcOptions& options) {
  const std::vector<Root> temporary = temporary_roots(store);
  const ReferenceGraph graph = store.references();
  Marks marks(store, graph, options);
  for (const Root& root : temporary) marks.keep(root.path.digest());
  GcResult result;
  for (const Index index : marks.dead()) {
    if (options.max_freed && result.nar_bytes >= *options.max_freed) break;
    result.removed.push_back(graph[index].path);
    result.nar_bytes += graph[index].nar_size;
  }
  result.paths_kept = graph.size() - result.removed.size();
  return result;
}

}  // namespace

GcResult collect_garbage(LocalStore& store, const GcOptions& options) {
  return in_context("collecting garbage", [&] {
    if (options.dry_run) return preview(store, options);
    const Writing writing;  // its threads, too
    return Collection(store, options).run();
  });
}

}  // namespace flox::store
