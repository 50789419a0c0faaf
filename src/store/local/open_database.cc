#include "store/local/open_database.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/os/file.h"
#include "store/local/path_lock.h"
#include "store/local/store_guard.h"

namespace flox::store {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view schema_version = "10";  // frozen: every Nix since 2.3 has it

bool is_full(const fs::path& directory) {
  constexpr uint64_t little = 1 << 20;  // bytes
  struct statvfs disk {};
  return ::statvfs(directory.c_str(), &disk) == 0 &&
         static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize < little;
}

void check_schema(const fs::path& file) {
  const std::string version = read_file(file);
  if (version.substr(0, version.find_last_not_of(" \n") + 1) != schema_version)
    throw Error(ErrorKind::conflict,
                fmt::format("the store's database has schema '{}', but only schema {} is supported", version,
                            schema_version),
                "The store was made by another generation of Nix; use another --root.");
}

}  // namespace

OpenDatabase::OpenDatabase(const fs::path& state, std::chrono::milliseconds lock_timeout, bool read_only) {
  const Writing writing;
  const fs::path lock = state / "db/big-lock";
  const fs::path schema = state / "db/schema";
  if (read_only) {
    if (fs::exists(lock)) {
      big_lock_ = open_file(lock.string(), O_RDONLY);
      lock_file(big_lock_.get(), LOCK_SH, true, lock);
    }
    check_schema(schema);
    database_ = std::make_unique<Database>(state / "db/db.sqlite", lock_timeout, read_only);
    return;
  }
  big_lock_ = open_file(lock.string(), O_RDWR | O_CREAT, 0600);
  if (!fs::exists(schema)) {
    lock_file(big_lock_.get(), LOCK_EX, true, lock);
    if (!fs::exists(schema)) {
      Database(state / "db/db.sqlite", lock_timeout);
      reserve_space(state);
      write_file(schema, schema_version);
    }
  }
  lock_file(big_lock_.get(), LOCK_SH, true, lock);
  check_schema(schema);
  try {
    database_ = std::make_unique<Database>(state / "db/db.sqlite", lock_timeout);
  } catch (const Error&) {
    // A full disk has no room for SQLite's own files: that is what space is reserved for.
    if (!is_full(state) || ::unlink((state / "db/reserved").c_str()) != 0) throw;
    database_ = std::make_unique<Database>(state / "db/db.sqlite", lock_timeout);
  }
}

// On a small disk at most a hundredth of it.
void reserve_space(const fs::path& state) noexcept {
  constexpr off_t most = 8 << 20;
  const std::string file = state / "db/reserved";
  struct statvfs disk {};
  if (::statvfs(file.substr(0, file.rfind('/')).c_str(), &disk) != 0) return;
  const auto size = std::min<off_t>(most, static_cast<off_t>(disk.f_blocks * disk.f_frsize / 100));
  const Fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (fd && ::posix_fallocate(fd.get(), 0, size) != 0) ::unlink(file.c_str());
}

}  // namespace flox::store
