#include "store/local/work_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

#include "base/error.h"
#include "base/log.h"
#include "base/os/file.h"
#include "store/local/path_lock.h"

namespace flox::store {
namespace {

// Nix's own prefix for such directories: newer collectors leave them alone while they are locked.
constexpr std::string_view prefix = "tmp-";

}  // namespace

WorkDirectory::WorkDirectory(const std::filesystem::path& parent) {
  for (;;) {
    std::string pattern = (parent / (std::string(prefix) + "XXXXXX")).string();
    if (::mkdtemp(pattern.data()) == nullptr)
      fail_errno(errno, "making a directory below {}", parent.string());
    Fd fd(::open(pattern.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd && errno != ENOENT) fail_errno(errno, "opening {}", pattern);
    if (!fd || !lock_file(fd.get(), LOCK_EX, false, pattern)) continue;
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) fail_errno(errno, "reading {}", pattern);
    if (status.st_nlink == 0) continue;  // taken for abandoned between its making and its locking
    path_ = pattern;
    lock_ = std::move(fd);
    return;
  }
}

WorkDirectory::~WorkDirectory() {
  if (path_.empty()) return;
  try {
    remove_tree(path_);
  } catch (const std::exception&) {  // abandoned then; the next process removes it
  }
}

void remove_abandoned(const std::filesystem::path& parent) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(parent, ignored)) {
    if (!entry.path().filename().string().starts_with(prefix)) continue;
    const Fd fd(::open(entry.path().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd || !lock_file(fd.get(), LOCK_EX, false, entry.path())) continue;
    try {
      remove_tree(entry.path());
    } catch (const Error& error) {  // it is only litter: no reason not to go on
      log::warning("{}", error.what());
    }
  }
}

}  // namespace flox::store
