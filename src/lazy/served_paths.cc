#include "lazy/served_paths.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>

#include "base/error.h"

namespace flox::lazy {
namespace {

// Of those that bring frames. The others bring what nobody reads, too, when there is nothing else to do.
constexpr unsigned urgent_threads = RemotePaths::at_once / 2, other_threads = RemotePaths::at_once / 2;

// Counts to zero.
class Countdown {
 public:
  explicit Countdown(size_t from) : left_(from) {}
  void one() {
    const std::lock_guard lock(mutex_);
    --left_;
    changed_.notify_all();
  }
  void wait(std::chrono::milliseconds most) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, most, [&] { return left_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t left_;
};

}  // namespace

PathsStatus& PathsStatus::operator+=(const PathsStatus& other) noexcept {
  paths += other.paths;
  whole += other.whole;
  bytes += other.bytes;
  here += other.here;
  waited += other.waited;
  waited_micros += other.waited_micros;
  failed += other.failed;
  frames_now += other.frames_now;
  frames_later += other.frames_later;
  return *this;
}

ServedPaths::ServedPaths(Directory files, const MountPlan& plan)
    : files_(std::move(files)),
      parts_(std::make_shared<const Directory>(parts_of(files_))),
      remote_(plan.caches, nix::TrustedKeys(plan.trusted_keys), plan.isolation),
      number_(static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count())),
      queue_(urgent_threads, other_threads) {
  uint32_t slot = 0;
  for (const nix::StorePath& path : plan.paths) serve(path, ++slot, std::string(path.base_name()), {});
  if (!plan.further) return;
  const GivenPaths given = read_given_paths(files_);
  last_slot_ = given.last_slot;
  for (const GivenPath& one : given.paths) serve(one.path, one.slot, name_of(one.path, one.slot), one.whole);
}

void ServedPaths::serve(const nix::StorePath& path, uint32_t slot, std::string name,
                        const std::string& store) {
  const RemotePath found = read_mounted_path(files_, path, remote_);
  std::vector<uint64_t> sizes;
  for (const auto& frame : found.index->frames) sizes.push_back(frame.nar_size);
  Served served{.slot = slot,
                .contents = SparsePath::open(
                    parts_, std::string(path.base_name()), found.index,
                    queue_.source(std::string(path.base_name()), found.places, std::move(sizes))),
                .tree = std::make_shared<PathTree>(*found.index),
                .counts = std::make_shared<ReadCounts>(waits_),
                .whole = store};
  if (!store.empty()) served.contents->use_store(Directory(store), std::string(path.base_name()));
  mounted_.add({.name = std::move(name),
                .slot = slot,
                .tree = served.tree,
                .contents = served.contents,
                .counts = served.counts});
  const std::lock_guard lock(mutex_);
  served_.emplace(path, std::move(served));
}

// As they are now, in one file that is replaced as a whole.
void ServedPaths::write_given() {
  is_written_ = false;
  GivenPaths given{.last_slot = last_slot_, .paths = {}};
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [path, served] : served_)
      given.paths.push_back({.path = path, .slot = served.slot, .whole = served.whole});
  }
  write_given_paths(files_, given);
  is_written_ = true;
}

void ServedPaths::fetch_all() {
  const std::lock_guard lock(mutex_);
  // What fails is tried again when somebody reads it.
  for (const auto& [path, served] : served_)
    for (uint32_t frame = 0; frame < served.contents->index().frames.size(); ++frame)
      served.contents->want_frame(frame, [](int) {});
}

std::string ServedPaths::name_of(const nix::StorePath& path, uint32_t slot) {
  return fmt::format("{}.{}", slot, path.base_name());
}

uint32_t ServedPaths::slot_of(const nix::StorePath& path) const {
  const std::lock_guard lock(mutex_);
  const auto found = served_.find(path);
  return found == served_.end() ? 0 : found->second.slot;
}

std::vector<uint32_t> ServedPaths::add(const std::vector<nix::StorePath>& paths) {
  const std::lock_guard giving(giving_);
  std::vector<uint32_t> slots;
  std::vector<nix::StorePath> added;
  try {
    for (const nix::StorePath& path : paths) {
      uint32_t slot = slot_of(path);
      if (slot == 0) {
        if (last_slot_ == UINT32_MAX)
          fail(ErrorKind::unavailable, "the mount has had all paths that it can have");
        slot = ++last_slot_;
        serve(path, slot, name_of(path, slot), {});
        added.push_back(path);
      }
      slots.push_back(slot);
    }
    // Before anybody is told of them, so that a successor gives none of the slots to another path.
    if (!added.empty()) write_given();
  } catch (...) {
    forget(added);
    throw;
  }
  return slots;
}

// And what came of them. Frames that are on their way keep the contents, which so write no more.
void ServedPaths::forget(const std::vector<nix::StorePath>& paths) {
  std::vector<std::shared_ptr<SparsePath>> forgotten;
  {
    const std::lock_guard lock(mutex_);
    for (const nix::StorePath& path : paths) {
      const auto found = served_.find(path);
      if (found == served_.end()) continue;
      is_written_ = false;
      mounted_.remove(found->second.slot);
      forgotten.push_back(std::move(found->second.contents));
      served_.erase(found);
    }
  }
  for (const auto& contents : forgotten) contents->drop();
}

void ServedPaths::use_store(const std::vector<nix::StorePath>& paths, const std::string& store) {
  const std::lock_guard giving(giving_);
  std::vector<std::pair<nix::StorePath, std::shared_ptr<SparsePath>>> changed;
  {
    const std::lock_guard lock(mutex_);
    for (const nix::StorePath& path : paths) {
      const auto found = served_.find(path);
      if (found == served_.end() || !found->second.whole.empty()) continue;
      if (changed.empty()) Directory directory(store);  // what cannot be opened changes nothing
      found->second.whole = store;
      changed.emplace_back(path, found->second.contents);
    }
  }
  if (changed.empty()) return;
  try {
    write_given();
  } catch (...) {
    const std::lock_guard lock(mutex_);
    for (const auto& [path, contents] : changed)
      if (const auto found = served_.find(path); found != served_.end()) found->second.whole.clear();
    throw;
  }
  for (const auto& [path, contents] : changed)
    contents->use_store(Directory(store), std::string(path.base_name()));
}

void ServedPaths::drop(const std::vector<nix::StorePath>& paths) {
  const std::lock_guard giving(giving_);
  forget(paths);
  // A successor reads what is known of each path that was given, so that goes last.
  if (!is_written_) write_given();
  for (const nix::StorePath& path : paths) remove_path(files_, path);
}

ServedPaths::Served ServedPaths::find(const nix::StorePath& path) const {
  const std::lock_guard lock(mutex_);
  const auto found = served_.find(path);
  return found == served_.end() ? Served() : found->second;
}

std::vector<store::FileRange> ServedPaths::wanted(const nix::StorePath& path, size_t most) const {
  const Served served = find(path);
  return served.contents == nullptr ? std::vector<store::FileRange>() : served.contents->wanted(most);
}

void ServedPaths::want_soon(const nix::StorePath& path, const std::vector<store::FileRange>& ranges) {
  const Served served = find(path);
  if (served.contents == nullptr) return;
  for (const store::FileRange& range : ranges) {
    const PathTree::Node* node = served.tree->find(range.file);
    if (node != nullptr && node->kind == NodeKind::regular && range.begin < range.end)
      served.contents->want_soon(node->file, range.begin, range.end);
  }
}

PathsStatus ServedPaths::status(const std::vector<nix::StorePath>& paths) const {
  PathsStatus status;
  const auto add = [&](const Served& served) {
    ++status.paths;
    status.whole += served.whole.empty() ? 0 : 1;
    status.bytes += served.contents->bytes();
    status.here += served.contents->bytes_here();
    status.waited += served.counts->waited;
    status.waited_micros += served.counts->waited_micros;
    status.failed += served.counts->failed;
  };
  const FrameQueue::Waiting waiting = queue_.waiting();
  status.frames_now = waiting.now;
  status.frames_later = waiting.later;
  const std::lock_guard lock(mutex_);
  if (paths.empty())
    for (const auto& [path, served] : served_) add(served);
  for (const nix::StorePath& path : paths)
    if (const auto found = served_.find(path); found != served_.end()) add(found->second);
  return status;
}

MountWaits ServedPaths::waits() const {
  MountWaits result{.server = number_, .micros = waits_->micros};
  std::ranges::copy(waits_->counts, result.counts.begin());
  return result;
}

std::vector<PathFailure> ServedPaths::retry(const std::vector<nix::StorePath>& paths,
                                            std::chrono::milliseconds most) {
  std::map<nix::StorePath, Served> failed;
  std::vector<std::pair<std::shared_ptr<SparsePath>, uint32_t>> wanted;
  {
    const std::lock_guard lock(mutex_);
    for (const nix::StorePath& path : paths) {
      const auto found = served_.find(path);
      if (found == served_.end()) continue;
      for (const uint32_t frame : found->second.contents->failed_frames()) {
        failed.emplace(path, found->second);
        wanted.emplace_back(found->second.contents, frame);
      }
    }
  }
  const auto countdown = std::make_shared<Countdown>(wanted.size());
  for (const auto& [contents, frame] : wanted)
    contents->want_frame(frame, [countdown](int) { countdown->one(); });
  countdown->wait(most);
  std::vector<PathFailure> result;
  for (const auto& [path, served] : failed)
    if (!served.contents->failed_frames().empty())
      result.push_back(
          {.path = path, .why = served.contents->last_failure(), .reads = served.counts->failed});
  return result;
}

}  // namespace flox::lazy
