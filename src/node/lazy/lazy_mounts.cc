#include "node/lazy/lazy_mounts.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <thread>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/os/companion_program.h"
#include "base/os/file.h"
#include "store/local/store_guard.h"

namespace flox::node {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr const char* keeper_name = "flox-lazy-keeper";
constexpr const char* server_name = "flox-lazy-server";
constexpr const char* lock_name = "keeper.lock";
constexpr milliseconds patience(20'000);  // with a server that is started again
constexpr milliseconds begin_time(20'000);
constexpr milliseconds pause(10);
// Before it a mount ends with its first server (FUSE_NOTIFY_RESEND).
constexpr unsigned least_major = 6, least_minor = 9;

// Beside this one.
fs::path program(const char* name) {
  if (auto place = companion_program(name)) return *std::move(place);
  const fs::path own = fs::read_symlink("/proc/self/exe").parent_path();
  throw Error(ErrorKind::not_found, fmt::format("{} is not beside floxd, in {}", name, own.string()),
              "Install it from the same build as floxd.");
}

// The lock, if nobody has it.
Fd try_lock(const fs::path& directory) {
  Fd fd = open_file(directory / lock_name, O_RDWR | O_CREAT, 0600);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return {};
  return fd;
}

}  // namespace

std::string why_no_lazy_mount() {
  utsname name{};
  unsigned major = 0, minor = 0;
  if (::uname(&name) == 0 && std::sscanf(name.release, "%u.%u", &major, &minor) == 2 &&
      (major < least_major || (major == least_major && minor < least_minor)))
    return fmt::format("that takes Linux {}.{}, and this is {}", least_major, least_minor, name.release);
  if (::access("/dev/fuse", R_OK | W_OK) != 0) return "floxd cannot use /dev/fuse";
  return {};
}

LazyMount::LazyMount(std::string name, const fs::path& state, const fs::path& run,
                     std::optional<Process> keeper)
    : name_(std::move(name)),
      directory_(state / name_),
      files_(directory_ / "files"),
      place_(run / name_),
      control_(files_, patience),
      keeper_(std::move(keeper)) {}

LazyMount::~LazyMount() {
  if (keeper_) keeper_->detach();
}

bool LazyMount::is_alive() {
  const std::scoped_lock lock(mutex_);
  if (keeper_ && keeper_->wait_for(milliseconds(0))) keeper_.reset();  // reaped
  try {
    return !try_lock(directory_);
  } catch (const Error&) {
    return false;
  }
}

std::vector<LazyPath> LazyMount::find(const std::vector<nix::StorePath>& paths) {
  std::vector<nix::StorePath> unknown;
  lazy::RemotePaths* remote = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    for (const nix::StorePath& path : paths)
      if (!known_.contains(path)) unknown.push_back(path);
    if (!unknown.empty() && !remote_) {
      const lazy::MountPlan plan = lazy::read_mount_plan(Directory(files_));
      remote_.emplace(plan.caches, nix::TrustedKeys(plan.trusted_keys), plan.isolation);
    }
    if (!unknown.empty()) remote = &*remote_;
  }
  // In a mount of an earlier floxd they may be already. Files alone may be of one that was never added: the
  // caches may have it elsewhere by now.
  const Directory files(files_);
  std::vector<lazy::RemotePath> found;
  std::vector<nix::StorePath> asked, written;
  for (const nix::StorePath& path : unknown)
    (lazy::has_remote_path(files, path) ? written : asked).push_back(path);
  const std::vector<uint32_t> slots = control_.slots(written);
  for (size_t i = 0; i < written.size(); ++i)
    if (slots[i] != 0)
      found.push_back(lazy::read_mounted_path(files, written[i], *remote));
    else
      asked.push_back(written[i]);
  if (!asked.empty())
    for (lazy::RemotePath& path : remote->find(asked)) found.push_back(std::move(path));
  std::map<nix::StorePath, Known> met;
  for (lazy::RemotePath& path : found) {
    const nix::StorePath name = path.info.path;
    Known known{.path = {.info = path.info, .top = path.index->nodes.at(0), .slot = 0}, .remote = {}};
    path.places.clear();
    path.index.reset();
    known.remote = std::move(path);
    met.emplace(name, std::move(known));
  }
  const std::scoped_lock lock(mutex_);
  std::vector<LazyPath> result;
  for (const nix::StorePath& path : paths) {
    if (auto one = met.extract(path)) known_.insert(std::move(one));
    const auto known = known_.find(path);
    if (known == known_.end())
      fail(ErrorKind::unavailable, "{} has gone from the mount meanwhile", path.to_string());
    result.push_back(known->second.path);
  }
  return result;
}

void LazyMount::add(std::vector<LazyPath*> paths) {
  const std::scoped_lock adding(adding_);
  std::vector<nix::StorePath> names;
  for (const LazyPath* path : paths) names.push_back(path->info.path);
  const std::vector<uint32_t> before = control_.slots(names);
  const Directory files(files_);
  std::vector<nix::StorePath> written;
  std::vector<uint32_t> slots;
  try {
    for (size_t i = 0; i < paths.size(); ++i) {
      if (before[i] != 0) continue;
      const std::scoped_lock lock(mutex_);
      const auto known = known_.find(names[i]);
      if (known == known_.end() || !known->second.remote)
        fail(ErrorKind::unavailable, "{} has gone from the mount meanwhile", names[i].to_string());
      written.push_back(names[i]);
      lazy::write_remote_path(files, *known->second.remote);
    }
    slots = control_.add(names);
  } catch (...) {
    take_back(written);
    throw;
  }
  for (size_t i = 0; i < paths.size(); ++i) {
    paths[i]->slot = slots[i];
    const std::scoped_lock lock(mutex_);
    if (const auto known = known_.find(names[i]); known != known_.end()) {
      known->second.path.slot = slots[i];
      known->second.remote.reset();  // the server has it
    }
  }
}

// By the server: it may have added some, and then needs the files until it has dropped them.
void LazyMount::take_back(const std::vector<nix::StorePath>& paths) const noexcept {
  try {
    lazy::MountControl(files_, milliseconds(0)).drop(paths);
  } catch (const std::exception& error) {
    log::warning("what could not be added to the mount {} stays in its files: {}", name_, message_of(error));
  }
}

void LazyMount::forget_found() {
  const std::scoped_lock adding(adding_);
  const std::scoped_lock lock(mutex_);
  std::erase_if(known_, [](const auto& entry) { return entry.second.path.slot == 0; });
}

void LazyMount::forget_found(const std::vector<nix::StorePath>& paths) {
  const std::scoped_lock adding(adding_);
  const std::scoped_lock lock(mutex_);
  for (const nix::StorePath& path : paths)
    if (const auto known = known_.find(path); known != known_.end() && known->second.path.slot == 0)
      known_.erase(known);
}

void LazyMount::drop(const std::vector<nix::StorePath>& paths) {
  const std::scoped_lock adding(adding_);
  control_.drop(paths);
  const std::scoped_lock lock(mutex_);
  for (const nix::StorePath& path : paths) known_.erase(path);
}

std::vector<lazy::PathFailure> LazyMount::unread(const std::vector<nix::StorePath>& paths) const {
  auto failures =
      lazy::MountControl(files_, milliseconds(0), milliseconds(500)).retry(paths, milliseconds(0));
  std::erase_if(failures, [](const lazy::PathFailure& failure) { return failure.reads == 0; });
  return failures;
}

fs::path LazyMount::part_of(const nix::StorePath& path) const {
  fs::path part = lazy::part_place(files_, path);
  std::error_code error;
  return fs::exists(fs::symlink_status(part, error)) ? part : fs::path();
}

void LazyMount::remove() noexcept {
  try {
    const store::Writing writing;  // where it is mounted
    ::umount2(place_.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
    ::rmdir(place_.c_str());
    remove_tree(directory_);
  } catch (const std::exception& error) {
    log::warning("removing what is left of the mount {}: {}", name_, message_of(error));
  }
}

LazyMounts::LazyMounts(fs::path state, fs::path run, lazy::MountPlan plan)
    : state_(std::move(state)), run_(std::move(run)), plan_(std::move(plan)) {
  if (!fs::exists(state_)) return;
  for (const auto& entry : fs::directory_iterator(state_)) {
    auto mount = std::make_shared<LazyMount>(entry.path().filename(), state_, run_, std::nullopt);
    if (!mount->is_alive()) {  // of an earlier boot, or its keeper died while there was no floxd
      mount->remove();
      continue;
    }
    if (is_as_planned(*mount)) current_ = mount->name();
    log::info("the mount {} of an earlier floxd goes on{}", mount->name(),
              current_ == mount->name() ? "" : ", for the pods that it has");
    mounts_.emplace(mount->name(), std::move(mount));
  }
}

bool LazyMounts::is_as_planned(const LazyMount& mount) const {
  try {
    const lazy::MountPlan plan = lazy::read_mount_plan(Directory(state_ / mount.name() / "files"));
    return plan.caches == plan_.caches && plan.trusted_keys == plan_.trusted_keys &&
           plan.isolation == plan_.isolation;
  } catch (const Error& error) {
    log::warning("the mount {}: {}", mount.name(), error.what());
    return false;
  }
}

std::shared_ptr<LazyMount> LazyMounts::current() {
  const std::scoped_lock lock(mutex_);
  if (const auto found = mounts_.find(current_); found != mounts_.end()) {
    if (found->second->is_alive()) return found->second;
    log::error(
        "the keeper of the mount {} has died: containers that have files of it get errors, and start "
        "again on a new mount",
        current_);
    found->second->remove();
    mounts_.erase(found);
  }
  current_.clear();
  std::shared_ptr<LazyMount> mount = begin();
  current_ = mount->name();
  mounts_.emplace(current_, mount);
  return mount;
}

std::shared_ptr<LazyMount> LazyMounts::begin() {
  if (const std::string why = why_no_lazy_mount(); !why.empty()) fail(ErrorKind::unavailable, "{}", why);
  const std::string name = fmt::format("{}-{}-{}", std::time(nullptr), ::getpid(), ++next_);
  const fs::path files = state_ / name / "files", place = run_ / name;
  fs::create_directories(files);
  fs::permissions(state_, fs::perms(0700));
  lazy::MountPlan plan = plan_;
  plan.directory = place;
  plan.further = true;
  plan.whole = false;
  plan.paths.clear();
  lazy::write_mount_files(Directory(files), plan, {});
  Fd lock = try_lock(state_ / name);
  if (!lock) fail(ErrorKind::internal, "the mount {} has a keeper already", name);
  std::optional<Process> keeper;
  {
    const store::Writing writing;  // where containerd sees the mount
    fs::create_directories(place);
    keeper.emplace(
        Command{.argv = {program(keeper_name), "--lock", "0", place, files, program(server_name), files},
                .env = {},
                .cwd = "/",
                .input = {},
                .has_own_session = true},
        Process::Stdio{.in = lock.get()});
  }
  lock.reset();  // the keeper has it
  auto mount = std::make_shared<LazyMount>(name, state_, run_, std::move(keeper));
  const lazy::MountControl impatient(files, milliseconds(0));
  const auto until = std::chrono::steady_clock::now() + begin_time;
  for (;;) try {
      impatient.status({});
      log::info("store paths whose bytes come when they are read are mounted at {}", place.string());
      return mount;
    } catch (const Error& error) {
      const bool is_alive = mount->is_alive();
      if (is_alive && std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for(pause);
        continue;
      }
      if (!is_alive) mount->remove();
      throw Error(
          ErrorKind::unavailable,
          fmt::format("mounting at {}: {}", place.string(), is_alive ? error.what() : "its keeper has ended"),
          "Read in floxd's log why it has ended or does not answer.");
    }
}

std::shared_ptr<LazyMount> LazyMounts::find(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  const auto found = mounts_.find(name);
  return found != mounts_.end() && found->second->is_alive() ? found->second : nullptr;
}

std::vector<std::shared_ptr<LazyMount>> LazyMounts::all() {
  const std::scoped_lock lock(mutex_);
  std::vector<std::shared_ptr<LazyMount>> result;
  for (const auto& [name, mount] : mounts_) result.push_back(mount);
  return result;
}

void LazyMounts::sweep(const std::set<std::string>& used) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(mounts_, [&](const auto& entry) {
    const auto& [name, mount] = entry;
    if (mount->is_alive()) {
      if (used.contains(name)) return false;
      try {
        mount->control().end();
        log::info("the mount {} ends: no container has files of it", name);
        if (name == current_) current_.clear();
      } catch (const Error& error) {
        log::warning("ending the mount {}: {}", name, error.what());
      }
      return false;  // gone when its keeper is
    }
    mount->remove();
    return true;
  });
  if (!mounts_.contains(current_)) current_.clear();
}

}  // namespace flox::node
