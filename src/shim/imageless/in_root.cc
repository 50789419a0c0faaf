#include "shim/imageless/in_root.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/error.h"

namespace flox::shim {
namespace {

constexpr size_t link_limit = 40;    // as the kernel's
constexpr size_t depth_limit = 256;  // each level holds a descriptor

std::vector<std::string_view> components(std::string_view path) {
  std::vector<std::string_view> result;
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    if (end > at) result.push_back(path.substr(at, end - at));
    at = end + 1;
  }
  return result;
}

bool is_directory(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
}

// A walk through a root, component by component, in which ".." goes back the way that was come.
class Walk {
 public:
  enum class Missing { refused, taken };  // taken: what does not exist is a directory to be made
  Walk(int root, Missing missing) : root_(root), missing_(missing) {}

  // False with errno for what cannot be resolved.
  bool go(std::string_view path) {
    push(path);
    while (!left_.empty()) {
      const std::string name = std::move(left_.back());
      left_.pop_back();
      const bool dots = name == "." || name == "..";
      if (dots && missing_ == Missing::refused && !is_directory(here())) return refuse(ENOTDIR);
      if (name == ".." && !levels_.empty()) levels_.pop_back();
      if (!dots && !enter(name)) return false;
    }
    return true;
  }

  bool exists() const { return levels_.empty() || levels_.back().fd; }
  std::string text() const {
    std::string result;
    for (const Level& level : levels_) result += "/" + level.name;
    return result.empty() ? "/" : result;
  }
  // Of what is there, which exists.
  Fd descriptor() const { return Fd(::fcntl(here(), F_DUPFD_CLOEXEC, 3)); }

 private:
  struct Level {
    Fd fd;  // empty: does not exist
    std::string name;
  };

  int here() const { return levels_.empty() ? root_ : levels_.back().fd.get(); }

  void push(std::string_view path) {
    const std::vector<std::string_view> parts = components(path);
    left_.insert(left_.end(), parts.rbegin(), parts.rend());
  }

  bool enter(const std::string& name) {
    if (levels_.size() >= depth_limit) return refuse(ENAMETOOLONG);
    Fd fd;
    if (exists()) fd.reset(::openat(here(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!fd && exists() && (missing_ == Missing::refused || (errno != ENOENT && errno != ENOTDIR)))
      return false;
    struct stat info {};
    if (fd && ::fstat(fd.get(), &info) != 0) return false;
    if (!fd || !S_ISLNK(info.st_mode)) {
      levels_.push_back({std::move(fd), name});
      return true;
    }
    if (++links_ > link_limit) return refuse(ELOOP);
    char target[PATH_MAX];
    const ssize_t size = ::readlinkat(fd.get(), "", target, sizeof target);
    if (size < 0) return false;
    if (size == sizeof target || left_.size() > PATH_MAX) return refuse(ENAMETOOLONG);
    if (size > 0 && target[0] == '/') levels_.clear();
    push({target, static_cast<size_t>(size)});
    return true;
  }

  static bool refuse(int error) {
    errno = error;
    return false;
  }

  int root_;
  Missing missing_;
  std::vector<Level> levels_;
  std::vector<std::string> left_;  // the next component last
  size_t links_ = 0;
};

}  // namespace

Fd open_in_root(int root, std::string_view path, bool directory) {
  open_how how{};
  how.flags = static_cast<uint64_t>(O_PATH | O_CLOEXEC | (directory ? O_DIRECTORY : 0));
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const std::string text(path);
  for (;;) {
    const long fd = ::syscall(SYS_openat2, root, text.c_str(), &how, sizeof how);
    if (fd >= 0) return Fd(static_cast<int>(fd));
    // Filters answer EPERM to what they do not know; the kernel itself never does for O_PATH.
    if (errno == ENOSYS || errno == EPERM) return walk_in_root(root, path, directory);
    if (errno != EAGAIN) return {};  // EAGAIN: a rename raced with us
  }
}

Fd walk_in_root(int root, std::string_view path, bool directory) {
  Walk walk(root, Walk::Missing::refused);
  if (!walk.go(path)) return {};
  Fd fd = walk.descriptor();
  const bool needs_directory = directory || path.ends_with('/');
  if (fd && needs_directory && !is_directory(fd.get())) {
    errno = ENOTDIR;
    return {};
  }
  return fd;
}

std::string resolve_in_root(int root, std::string_view path) {
  if (path.find('\0') != std::string_view::npos || path.size() >= PATH_MAX)
    fail(ErrorKind::invalid_input, "a path of {} bytes that no file can have", path.size());
  Walk walk(root, Walk::Missing::taken);
  if (!walk.go(path))
    throw Error(ErrorKind::invalid_input,
                fmt::format("resolving {} in the container's root: {}", path,
                            errno == ELOOP ? "too many symbolic links" : "it cannot be followed"),
                "Use an image whose links lead somewhere.");
  return walk.text();
}

}  // namespace flox::shim
