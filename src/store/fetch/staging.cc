#include "store/fetch/staging.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "base/error.h"
#include "base/log.h"
#include "base/os/file.h"
#include "nix/base32.h"
#include "store/local/boot.h"
#include "store/local/local_store.h"

namespace flox::store {
namespace {

constexpr time_t max_age = 24 * 3600;  // seconds
constexpr size_t boot_length = 8;      // characters of the boot's id: enough to tell boots apart

// One byte of the file of claims stands for a path: the lock on it needs no file of its own, created and
// deleted for each path. Locks of open descriptions (OFD) end with the process, however that ends.
bool set_claim(int fd, short type, int64_t offset) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = offset;
  lock.l_len = 1;
  return ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

int64_t offset_of(std::string_view digest) {
  const Sha256Digest hash = sha256(digest);
  uint64_t number = 0;
  std::memcpy(&number, hash.data(), sizeof number);
  return static_cast<int64_t>(number >> 2);  // a file's offsets have 63 bits
}

bool is_old(const fs::path& tree) {
  struct stat status {};
  // Moving it there changed its inode; its own times are all 1 January 1970.
  return ::lstat(tree.c_str(), &status) == 0 && std::time(nullptr) - status.st_ctim.tv_sec > max_age;
}

}  // namespace

Staging::Staging(const LocalStore& store)
    : directory_(store.staging_directory()),
      boot_(boot_id().substr(0, boot_length)),
      claims_(open_file((store.state_directory() / "flox/claims").string(), O_RDWR | O_CREAT, 0600)) {}

Staging::Claim::~Claim() {
  if (fd_ >= 0) set_claim(fd_, F_UNLCK, offset_);
}

std::optional<Staging::Claim> Staging::claim(std::string_view digest) const {
  const int64_t offset = offset_of(digest);
  if (set_claim(claims_.get(), F_WRLCK, offset)) return Claim(claims_.get(), offset);
  if (errno != EAGAIN && errno != EACCES) fail_errno(errno, "claiming a path for fetching");
  return std::nullopt;
}

fs::path Staging::tree_of(const nix::PathInfo& info) const {
  return directory_ /
         fmt::format("{}.{}.{}", boot_, info.path.digest(), nix::to_base32(bytes_of(info.nar_hash)));
}

bool Staging::has(const nix::PathInfo& info) const {
  struct stat status {};
  return ::lstat(tree_of(info).c_str(), &status) == 0;
}

void Staging::put(const nix::PathInfo& info, const fs::path& tree) const {
  const fs::path target = tree_of(info);
  // Only root may move a directory that nobody may write.
  const bool unlock = ::geteuid() != 0 && fs::is_directory(fs::symlink_status(tree));
  if (unlock) ::chmod(tree.c_str(), 0755);
  if (::rename(tree.c_str(), target.c_str()) != 0) fail_errno(errno, "staging {}", info.path.to_string());
  if (unlock && ::chmod(target.c_str(), 0555) != 0) fail_errno(errno, "staging {}", info.path.to_string());
}

void Staging::remove(const nix::PathInfo& info) const { remove_tree(tree_of(info)); }

void Staging::clean() const {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory_, ignored)) {
    const std::string name = entry.path().filename();
    if (name.starts_with(boot_) && !is_old(entry.path())) continue;
    try {
      const auto held = name.size() > boot_length + 1
                            ? claim(std::string_view(name).substr(boot_length + 1, nix::digest_length))
                            : std::nullopt;
      if (held) remove_tree(entry.path());
    } catch (const Error& error) {  // litter is no reason not to go on
      log::warning("cleaning {}: {}", directory_.string(), error.what());
    }
  }
}

}  // namespace flox::store
