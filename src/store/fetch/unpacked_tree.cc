#include "store/fetch/unpacked_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/os/fd.h"
#include "nix/nar.h"

namespace flox::store {
namespace {

constexpr timespec store_times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, {.tv_sec = 1, .tv_nsec = 0}};
constexpr uint64_t least_node = 96;  // bytes of a NAR that one directory entry takes

[[noreturn]] void refuse(const std::string& path, std::string_view why) {
  fail(ErrorKind::untrusted, "{}: {}", path, why);
}

// A lease for reading is granted only while nobody has the file open for writing, or mapped so (fcntl(2)). A
// child that a thread of the unpacker has forked holds it until it has executed another program.
void require_unwritten(int fd, const std::string& path) {
  constexpr int attempts = 20;
  constexpr auto pause = std::chrono::milliseconds(5);
  for (int attempt = 1;; ++attempt) {
    if (::fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
      ::fcntl(fd, F_SETLEASE, F_UNLCK);
      return;
    }
    if (errno != EAGAIN) break;
    if (attempt == attempts) refuse(path, "it is still open for writing");
    std::this_thread::sleep_for(pause);
  }
  // EINVAL: the file system knows no leases.
  if (errno != EINVAL && errno != EACCES) fail_errno(errno, "looking whether {} is open", path);
}

void make_canonical(int fd, const struct stat& status, const std::string& path) {
  static const uid_t self = ::geteuid();
  if (status.st_uid != self) refuse(path, "it belongs to another user");
  if (fd < 0) return;
  mode_t mode = 0555;
  if (S_ISREG(status.st_mode)) {
    if (status.st_nlink != 1) refuse(path, "it has another name");
    require_unwritten(fd, path);
    if ((status.st_mode & S_IXUSR) == 0) mode = 0444;
  }
  if ((status.st_mode & 07777) != mode && ::fchmod(fd, mode) != 0)
    fail_errno(errno, "setting the mode of {}", path);
  if ((status.st_mtim.tv_sec != 1 || status.st_mtim.tv_nsec != 0) && ::futimens(fd, store_times) != 0)
    fail_errno(errno, "setting the time of {}", path);
}

// The address of the tree's contents by the method and the algorithm of another one.
nix::ContentAddress address_of(const std::filesystem::path& tree, const nix::ContentAddress& other) {
  nix::Hasher hasher(other.hash.algorithm);
  const auto update = [&](std::string_view piece) { hasher.update(piece); };
  if (other.method == nix::ContentMethod::nar) {
    nix::write_nar(tree, update);
  } else {
    // The tree is out of everybody's reach by now. An address says nothing of a mode, so it is the usual one.
    struct stat status {};
    if (::lstat(tree.c_str(), &status) != 0) fail_errno(errno, "examining {}", tree.string());
    if (!S_ISREG(status.st_mode) || (status.st_mode & S_IXUSR) != 0)
      fail(ErrorKind::untrusted, "the content address {} is that of a file that is not executable",
           other.to_string());
    const Fd fd = open_file(tree.string(), O_RDONLY | O_NOFOLLOW);
    std::string buffer(128 * 1024, '\0');
    while (const size_t size = read_some(fd.get(), buffer.data(), buffer.size()))
      update(std::string_view(buffer).substr(0, size));
  }
  return {.method = other.method, .hash = hasher.finish()};
}

}  // namespace

void verify_unpacked(const std::filesystem::path& tree, const nix::PathInfo& info) {
  Sha256 hash;
  // What a content address is the hash of: the NAR, in which the path's own digest counts as zeros if the
  // path refers to itself.
  std::optional<nix::ModuloHash> modulo;
  if (info.content_address && info.references.contains(info.path))
    modulo.emplace(std::string(info.path.digest()));
  uint64_t size = 0;
  nix::write_nar_of_stranger(
      tree,
      [&](std::string_view piece) {
        size += piece.size();
        if (size > info.nar_size)
          fail(ErrorKind::untrusted, "the NAR is larger than the {} bytes that were announced",
               info.nar_size);
        hash.update(piece);
        if (modulo) modulo->update(piece);
      },
      make_canonical, info.nar_size / least_node + 1);
  if (size != info.nar_size)
    fail(ErrorKind::untrusted, "the NAR has {} bytes instead of the announced {}", size, info.nar_size);
  const Sha256Digest found = hash.finish();
  if (found != info.nar_hash)
    fail(ErrorKind::untrusted, "hash mismatch: the NAR has {} instead of the announced {}",
         nix::hash_text(found), nix::hash_text(info.nar_hash));
  if (!info.content_address) return;
  const nix::ContentAddress& address = *info.content_address;
  const bool is_of_nar =
      address.method == nix::ContentMethod::nar && address.hash.algorithm == nix::HashAlgorithm::sha256;
  if (address != (is_of_nar ? nix::ContentAddress::of_nar(modulo ? modulo->finish() : found)
                            : address_of(tree, address)))
    fail(ErrorKind::untrusted, "the content address {} is not that of the contents", address.to_string());
}

}  // namespace flox::store
