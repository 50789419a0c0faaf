#include "node/shared/shared_mount.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/os/fd.h"
#include "base/os/file.h"

namespace flox::node {
namespace {

namespace fs = std::filesystem;

constexpr size_t most_identity = 256;  // bytes
constexpr auto between_looks = std::chrono::milliseconds(50);

uint64_t mount_of(const fs::path& path) {
  struct statx status {};
  if (::statx(AT_FDCWD, path.c_str(), 0, STATX_MNT_ID, &status) != 0)
    fail_errno(errno, "reading {}", path.string());
  return status.stx_mnt_id;
}

bool is_read_only(const fs::path& place) {
  struct statvfs status {};
  if (::statvfs(place.c_str(), &status) != 0) fail_errno(errno, "reading {}", place.string());
  return (status.f_flag & ST_RDONLY) != 0;
}

void make_read_only(const fs::path& place) {
  if (::mount(nullptr, place.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV,
              nullptr) != 0)
    fail_errno(errno, "making the mount at {} read-only", place.string());
}

std::string hangs_for(std::chrono::milliseconds patience) {
  return fmt::format("it has not answered for {} s: its file server is away, or the network to it",
                     std::chrono::ceil<std::chrono::seconds>(patience).count());
}

// What `work` throws; Error(unavailable) if it has not ended within the patience: its thread is left to hang.
void within(std::chrono::milliseconds patience, std::function<void()> work) {
  std::packaged_task<void()> task(std::move(work));
  std::future<void> done = task.get_future();
  std::thread(std::move(task)).detach();
  if (done.wait_for(patience) == std::future_status::timeout)
    throw Error(ErrorKind::unavailable, hangs_for(patience),
                "See on this node that the file server of the shared store can be reached.");
  done.get();
}

void show(const fs::path& mount, const fs::path& root, const fs::path& place) {
  fs::create_directories(place);
  if (mount_of(place) != mount_of(place.parent_path())) {
    // One that a floxd has left half made, or the operator's.
    if (!is_read_only(place)) make_read_only(place);
    return;
  }
  if (fs::absolute(root).lexically_normal() == "/")
    throw Error(ErrorKind::invalid_input, "the node's own records would be in the store that others write",
                "Set root in /etc/flox/config.toml to a directory of this node's, as /var/lib/flox/reader.");
  if (!fs::is_directory(mount))
    throw Error(ErrorKind::unavailable, fmt::format("{} is not there", mount.string()),
                "Mount the writer's /nix/store at /nix/store, or set store_mount to where it is mounted.");
  if (::mount(mount.c_str(), place.c_str(), nullptr, MS_BIND, nullptr) != 0) fail_errno(errno, "mounting it");
  try {
    make_read_only(place);
  } catch (...) {
    ::umount2(place.c_str(), MNT_DETACH);
    throw;
  }
}

}  // namespace

void show_shared_store(const fs::path& mount, const fs::path& root, std::chrono::milliseconds patience) {
  const fs::path place = root / "nix/store";
  in_context(fmt::format("showing the shared store {} at {}", mount.string(), place.string()),
             [&] { within(patience, [=] { show(mount, root, place); }); });
}

// Shared with the thread, which may hang for as long as the file server is away, also beyond the end of the
// SharedMount.
struct SharedMount::Looking {
  std::mutex mutex;
  std::condition_variable changed;
  bool is_busy = false;
  std::chrono::steady_clock::time_point since;
};

SharedMount::SharedMount(fs::path store, std::string writer, std::chrono::milliseconds patience)
    : store_(std::move(store)),
      writer_(std::move(writer)),
      patience_(patience),
      looking_(std::make_shared<Looking>()) {}
SharedMount::~SharedMount() = default;

std::optional<std::string> SharedMount::ask(std::function<std::optional<std::string>()> look) {
  const auto end = std::chrono::steady_clock::now() + patience_;
  const std::string hangs = hangs_for(patience_);
  std::unique_lock lock(looking_->mutex);
  if (!looking_->changed.wait_until(lock, end, [&] { return !looking_->is_busy; })) return hangs;
  auto result = std::make_shared<std::optional<std::optional<std::string>>>();
  std::thread([looking = looking_, look = std::move(look), result] {
    std::optional<std::string> reason;
    try {
      reason = look();
    } catch (const std::exception& exception) {
      reason = message_of(exception);
    }
    const std::lock_guard done(looking->mutex);
    *result = std::move(reason);
    looking->is_busy = false;
    looking->changed.notify_all();
  }).detach();
  looking_->is_busy = true;  // there is a thread that ends it, after this
  if (!looking_->changed.wait_until(lock, end, [&] { return result->has_value(); })) return hangs;
  return **result;
}

void SharedMount::refuse(const std::string& reason) const {
  throw Error(
      ErrorKind::unavailable, fmt::format("the shared store at {}: {}", store_.string(), reason),
      fmt::format(
          "See on this node that the store of {} is mounted and its file server answers. Pods that run "
          "go on as far as they need no file of it.",
          writer_));
}

void SharedMount::require(const StoreIdentity& identity) {
  const auto reason = ask([store = store_, writer = writer_, identity]() -> std::optional<std::string> {
    const fs::path file = store / identity.path.base_name();
    std::error_code error;
    if (!fs::exists(file, error))
      return fmt::format("it is not the store of {}: it lacks {}{}", writer, identity.path.base_name(),
                         error ? fmt::format(" ({})", error.message()) : "");
    if (read_file(file, most_identity) != identity.text)
      return fmt::format("it is not the store of {}: its {} says something else", writer,
                         identity.path.base_name());
    return std::nullopt;
  });
  if (reason) refuse(*reason);
}

void SharedMount::require(const nix::StorePathSet& paths) {
  const auto reason = ask([store = store_, paths, end = std::chrono::steady_clock::now() + patience_ / 2]() {
    std::optional<std::string> missing;
    for (;;) {
      missing.reset();
      // Opening the directory makes a client of NFS ask for what has changed in it.
      const Fd directory = open_file(store, O_RDONLY | O_DIRECTORY);
      for (const nix::StorePath& path : paths) {
        struct stat status {};
        if (::fstatat(directory.get(), path.base_name().c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) continue;
        missing = fmt::format("it lacks {}, which the writer has: {}", path.base_name(),
                              std::generic_category().message(errno));
        break;
      }
      if (!missing || std::chrono::steady_clock::now() >= end) return missing;
      std::this_thread::sleep_for(between_looks);
    }
  });
  if (reason) refuse(*reason);
}

}  // namespace flox::node
