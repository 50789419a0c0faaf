#include "store/local/local_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <list>
#include <map>
#include <mutex>

#include "base/error.h"
#include "base/os/file.h"
#include "nix/nar.h"
#include "store/local/database.h"
#include "store/local/path_lock.h"
#include "store/local/store_guard.h"
#include "store/local/sync_mark.h"
#include "store/local/temp_roots.h"
#include "store/local/work_directory.h"

namespace flox::store {
namespace {

constexpr std::string_view schema_version = "10";  // frozen: every Nix since 2.3 has it

void make_directory(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error)
    in_context("opening the store", [&] {
      try {
        fail_errno(error.value(), "making the directory {}", path.string());
      } catch (const Error& failure) {
        throw failure.with_advice(
            "Pass a store that you may write with --root, or run this as the user who owns it.");
      }
    });
}

// What Nix expects to find (docs/formats/store-database.md).
void make_layout(const fs::path& root, const fs::path& state) {
  make_directory(root / "nix/store/.links");
  for (const char* name : {"db", "gc-socket", "gcroots/auto", "gcroots/per-user", "gcroots/flox",
                           "profiles/per-user", "temproots", "flox/scratch", "flox/last-used"})
    make_directory(state / name);
  make_directory(root / "nix/var/log/nix");
  if (::symlink("../profiles", (state / "gcroots/profiles").c_str()) != 0 && errno != EEXIST)
    fail_errno(errno, "making {}", (state / "gcroots/profiles").string());
}

// STATE/db/reserved, as Nix has it, but on a small disk at most a hundredth of it.
void reserve(const fs::path& state) noexcept {
  constexpr off_t most = 8 << 20;
  const std::string file = state / "db/reserved";
  struct statvfs disk {};
  if (::statvfs(file.substr(0, file.rfind('/')).c_str(), &disk) != 0) return;
  const auto size = std::min<off_t>(most, static_cast<off_t>(disk.f_blocks * disk.f_frsize / 100));
  const Fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (fd && ::posix_fallocate(fd.get(), 0, size) != 0) ::unlink(file.c_str());
}

bool is_full(const fs::path& directory) {
  constexpr uint64_t little = 1 << 20;  // bytes
  struct statvfs disk {};
  return ::statvfs(directory.c_str(), &disk) == 0 &&
         static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize < little;
}

// Which mount a directory is on: rename(2) works within one mount only.
uint64_t mount_of(const fs::path& path) {
  struct statx status {};
  if (::statx(AT_FDCWD, path.c_str(), 0, STATX_MNT_ID, &status) != 0)
    fail_errno(errno, "reading {}", path.string());
  return status.stx_mnt_id;
}

void check_schema(const fs::path& file) {
  const std::string version = read_file(file);
  if (version.substr(0, version.find_last_not_of(" \n") + 1) != schema_version)
    throw Error(ErrorKind::conflict,
                fmt::format("the store's database has schema '{}', but only schema {} is supported", version,
                            schema_version),
                "Pass another --root: this store was made by another generation of Nix.");
}

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

// What the first reading of a tree tells.
struct Survey {
  Sha256Digest hash;  // of the NAR, modulo the placeholder
  bool self_reference = false;
  StorePathSet references;
};

Survey survey(const fs::path& tree, const StorePathSet& candidates, const std::string& placeholder) {
  std::map<std::string, StorePath, std::less<>> by_digest;
  std::set<std::string> digests;
  for (const StorePath& candidate : candidates) {
    by_digest.emplace(candidate.digest(), candidate);
    digests.emplace(candidate.digest());
  }
  digests.erase(placeholder);
  nix::ReferenceScanner scanner(std::move(digests));
  Sha256 plain;
  std::optional<nix::ModuloHash> modulo;
  if (!placeholder.empty()) modulo.emplace(placeholder);
  nix::write_nar(tree, [&](std::string_view piece) {
    scanner.update(piece);
    modulo ? modulo->update(piece) : plain.update(piece);
  });
  Survey result;
  result.hash = modulo ? modulo->finish() : plain.finish();
  result.self_reference = modulo && modulo->occurs();
  for (const std::string& digest : scanner.found()) result.references.insert(by_digest.at(digest));
  return result;
}

// Copies the tree with `placeholder` (if not empty) replaced by the path's digest; fills in NAR hash and
// size.
void copy_tree(const fs::path& tree, const fs::path& to, const std::string& placeholder, const Survey& survey,
               PathInfo& info) {
  nix::NarUnpacker unpacker(to);
  Sha256 hash;
  const std::string digest(info.path.digest());
  nix::ModuloHash modulo(digest);
  auto pass_on = [&](std::string_view piece) {
    hash.update(piece);
    if (survey.self_reference) modulo.update(piece);
    unpacker.feed(piece);
    info.nar_size += piece.size();
  };
  if (survey.self_reference) {
    nix::Replacer replacer(placeholder, digest, pass_on);
    nix::write_nar(tree, [&](std::string_view piece) { replacer.update(piece); });
    replacer.finish();
  } else {
    nix::write_nar(tree, pass_on);
  }
  unpacker.finish();
  info.nar_hash = hash.finish();
  if ((survey.self_reference ? modulo.finish() : info.nar_hash) != survey.hash)
    fail(ErrorKind::conflict, "{} changed while it was added to the store", tree.string());
}

}  // namespace

struct LocalStore::State {
  fs::path root;
  fs::path store;
  fs::path state;
  fs::path scratch;
  fs::path staging;
  fs::path trash;
  std::chrono::milliseconds lock_timeout;
  Fd big_lock;  // shared: keeps Nix from upgrading the database under us
  std::unique_ptr<Database> database;
  ClosureCache closures;
  std::unique_ptr<TempRoots> temp_roots;
  SyncMark mark;
  std::mutex mutex;
  std::list<WorkDirectory> build_directories;  // kept for their locks

  State(const fs::path& given, std::chrono::milliseconds timeout)
      : root(fs::absolute(given).lexically_normal()),
        store(root / "nix/store"),
        state(root / "nix/var/nix"),
        lock_timeout(timeout),
        mark(state) {
    const Writing writing;
    make_layout(root, state);
    const bool one_mount = mount_of(store) == mount_of(state);
    scratch = one_mount ? state / "flox/scratch" : store;
    staging = one_mount ? state / "flox/staging" : store / "tmp.flox-staging";
    trash = one_mount ? state / "flox/trash" : store / "tmp.flox-trash";
    make_directory(staging);
    make_directory(trash);
    open_database();
    mark.begin(database->next_id());
    temp_roots = std::make_unique<TempRoots>(state);
  }

  void sync_up_to(int64_t next_id) const {
    sync_file_system(store);
    mark.advance(next_id);
  }

  void open_database() {
    const fs::path lock = state / "db/big-lock";
    const fs::path schema = state / "db/schema";
    big_lock = open_file(lock.string(), O_RDWR | O_CREAT, 0600);
    if (!fs::exists(schema)) {
      lock_file(big_lock.get(), LOCK_EX, true, lock);
      if (!fs::exists(schema)) {
        Database(state / "db/db.sqlite", lock_timeout);
        reserve(state);
        write_file(schema, schema_version);
      }
    }
    lock_file(big_lock.get(), LOCK_SH, true, lock);
    check_schema(schema);
    try {
      database = std::make_unique<Database>(state / "db/db.sqlite", lock_timeout);
    } catch (const Error&) {
      // A full disk has no space for SQLite's own files: that is what the reserved space is for.
      if (!is_full(state) || ::unlink((state / "db/reserved").c_str()) != 0) throw;
      database = std::make_unique<Database>(state / "db/db.sqlite", lock_timeout);
    }
  }
};

LocalStore::LocalStore(fs::path root, std::chrono::milliseconds lock_timeout)
    : state_(std::make_unique<State>(root, lock_timeout)) {}
LocalStore::~LocalStore() = default;

const fs::path& LocalStore::root() const noexcept { return state_->root; }
std::chrono::milliseconds LocalStore::lock_timeout() const noexcept { return state_->lock_timeout; }
fs::path LocalStore::store_directory() const { return state_->store; }
fs::path LocalStore::state_directory() const { return state_->state; }
fs::path LocalStore::scratch_directory() const { return state_->scratch; }
fs::path LocalStore::staging_directory() const { return state_->staging; }
fs::path LocalStore::trash_directory() const { return state_->trash; }
fs::path LocalStore::real_path(const StorePath& path) const { return state_->store / path.base_name(); }

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

void LocalStore::reserve_space() const noexcept { reserve(state_->state); }

void LocalStore::add_temp_roots(const StorePathSet& paths) const { state_->temp_roots->add(paths); }

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
    const Survey found = survey(tree, candidates, placeholder);
    const auto address = nix::ContentAddress::of_nar(found.hash);
    PathInfo info{.path = address.path(name, found.references, found.self_reference)};
    info.references = found.references;
    if (found.self_reference) info.references.insert(info.path);
    info.content_address = address;

    add_temp_roots({info.path});
    if (auto known = query(info.path)) return *known;
    const WorkDirectory work(state_->scratch);
    copy_tree(tree, work.path() / "tree", placeholder, found, info);
    install({{.info = info, .tree = work.path() / "tree"}});
    return query(info.path).value();
  });
}

fs::path LocalStore::make_build_directory() {
  const std::lock_guard lock(state_->mutex);
  remove_abandoned(state_->scratch);
  auto& held = state_->build_directories;
  std::erase_if(held, [](const WorkDirectory& directory) { return !fs::exists(directory.path()); });
  held.emplace_back(state_->scratch);
  return held.back().path();
}

}  // namespace flox::store
