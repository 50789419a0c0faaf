#include "base/os/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <random>

#include "base/error.h"
#include "base/os/beside.h"

namespace flox {
namespace {

constexpr size_t max_components = 256;

// The components of a relative path. Throws Error(invalid_input).
std::vector<std::string> components_of(std::string_view path, const std::string& directory) {
  std::vector<std::string> components;
  std::string_view rest = path;
  while (!rest.empty()) {
    const std::string_view component = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(component.size() + 1, rest.size()));
    if (component == "." || (component.empty() && !components.empty())) continue;  // "./a", "a//b", "a/"
    if (!is_file_name(component) || components.size() == max_components)
      fail(ErrorKind::invalid_input, "'{}' is not a path below {}", path.substr(0, 300), directory);
    components.emplace_back(component);
  }
  if (components.empty())
    fail(ErrorKind::invalid_input, "'{}' is not a path below {}", path.substr(0, 300), directory);
  return components;
}

std::string joined(const std::vector<std::string>& components) {
  std::string path;
  for (const std::string& component : components) (path += path.empty() ? "" : "/") += component;
  return path;
}

// The equal of openat2 for kernels without it: no component may be a link.
int open_by_component(int directory, const std::vector<std::string>& components, int flags, unsigned mode) {
  Fd at;
  for (size_t i = 0; i + 1 < components.size(); ++i) {
    Fd next(::openat(at ? at.get() : directory, components[i].c_str(),
                     O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next) {
      if (errno == ENOTDIR) errno = ELOOP;  // what O_DIRECTORY|O_NOFOLLOW says of a link
      return -1;
    }
    at = std::move(next);
  }
  return ::openat(at ? at.get() : directory, components.back().c_str(), flags | O_NOFOLLOW | O_CLOEXEC, mode);
}

std::atomic<bool> has_openat2 = true;

int open_beneath(int directory, const std::vector<std::string>& components, int flags, unsigned mode) {
  if (has_openat2) {
    open_how how{};
    how.flags = static_cast<uint64_t>(flags | O_NOFOLLOW | O_CLOEXEC);
    how.mode = (flags & O_CREAT) != 0 ? mode : 0;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    const std::string path = joined(components);
    long fd = -1;
    do {
      fd = ::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how);
    } while (fd < 0 && errno == EAGAIN);  // a rename raced with us
    if (errno == ENOSYS) has_openat2 = false;
    // EPERM: a seccomp filter that does not know the call, or the file's own answer, which comes again below.
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(fd);
  }
  return open_by_component(directory, components, flags, mode);
}

[[noreturn]] void fail_open(int error, std::string_view doing, std::string_view path,
                            const std::string& directory) {
  if (error == ELOOP || error == EXDEV)
    fail(ErrorKind::untrusted, "{} {} in {}: a symbolic link stands there", doing, path.substr(0, 300),
         directory);
  fail_errno(error, "{} {} in {}", doing, path.substr(0, 300), directory);
}

// Reads the names in a directory one by one, through a descriptor of its own.
class Listing {
 public:
  explicit Listing(const Directory& directory) : name_(directory.name()) {
    Fd fd(::openat(directory.fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd) stream_.reset(::fdopendir(fd.get()));
    if (!stream_) fail_errno(errno, "listing {}", name_);
    [[maybe_unused]] const int owned = fd.release();
  }
  int fd() const noexcept { return ::dirfd(stream_.get()); }
  const std::string& name() const noexcept { return name_; }
  // The next name, which stays until the next call; nullptr at the end. Throws Error.
  const char* next() const {
    for (;;) {
      errno = 0;
      const dirent* const entry = ::readdir(stream_.get());
      if (entry == nullptr && errno != 0) fail_errno(errno, "listing {}", name_);
      if (entry == nullptr) return nullptr;
      const std::string_view text = entry->d_name;
      if (text != "." && text != "..") return entry->d_name;
    }
  }
  void rewind() const noexcept { ::rewinddir(stream_.get()); }

 private:
  struct Close {
    void operator()(DIR* directory) const noexcept { ::closedir(directory); }
  };
  std::string name_;
  std::unique_ptr<DIR, Close> stream_;
};

// Directories of a store are 0555, and untrusted ones may have no mode at all: that stops all but root.
void make_usable(int parent, const char* name) {
  if (::geteuid() == 0) return;
  const Fd fd(::openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (fd) ::chmod(fmt::format("/proc/self/fd/{}", fd.get()).c_str(), 0700);
}

std::string temporary_name() {
  thread_local std::mt19937_64 random{std::random_device{}()};
  return fmt::format(".tmp-{:016x}", random());
}

}  // namespace

bool is_file_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

std::string file_name(std::string_view name, std::string_view what) {
  if (!is_file_name(name))
    fail(ErrorKind::invalid_input, "{} '{}' cannot be a file name", what, name.substr(0, 300));
  return std::string(name);
}

Directory::Directory(const std::filesystem::path& path) : name_(path.string()) {
  fd_.reset(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd_ && (errno == ELOOP || (errno == ENOTDIR && std::filesystem::is_symlink(path))))
    fail(ErrorKind::untrusted, "opening the directory {}: a symbolic link stands there", name_);
  if (!fd_) fail_errno(errno, "opening the directory {}", name_);
}

Fd Directory::open(std::string_view path, int flags, unsigned mode) const {
  Fd fd(open_beneath(fd_.get(), components_of(path, name_), flags, mode));
  if (!fd) fail_open(errno, "opening", path, name_);
  return fd;
}

Directory Directory::subdirectory(std::string_view path) const {
  Fd fd(open_beneath(fd_.get(), components_of(path, name_), O_RDONLY | O_DIRECTORY, 0));
  if (!fd) {
    const int error = errno;
    const auto there = error == ENOTDIR ? status(path) : std::nullopt;
    fail_open(there && S_ISLNK(there->st_mode) ? ELOOP : error, "opening the directory", path, name_);
  }
  return {std::move(fd), name_ + "/" + std::string(path)};
}

Directory Directory::make_directory(std::string_view path, unsigned mode) const {
  std::optional<Directory> at;
  for (const std::string& component : components_of(path, name_)) {
    const Directory& parent = at ? *at : *this;
    if (::mkdirat(parent.fd(), component.c_str(), mode) != 0 && errno != EEXIST)
      fail_open(errno, "making the directory", component, parent.name());
    at.emplace(parent.subdirectory(component));
  }
  return std::move(*at);
}

Directory Directory::parent_of(std::string_view path, std::string& last) const {
  std::vector<std::string> components = components_of(path, name_);
  last = std::move(components.back());
  components.pop_back();
  if (!components.empty()) return subdirectory(joined(components));
  Fd fd(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));
  if (!fd) fail_errno(errno, "opening {}", name_);
  return {std::move(fd), name_};
}

std::optional<struct stat> Directory::status(std::string_view path) const {
  std::string last;
  try {
    const Directory parent = parent_of(path, last);
    struct stat result {};
    if (::fstatat(parent.fd(), last.c_str(), &result, AT_SYMLINK_NOFOLLOW) == 0) return result;
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    fail_open(errno, "examining", path, name_);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::not_found) return std::nullopt;
    throw;
  }
}

std::string Directory::read_file(std::string_view path, size_t limit) const {
  // O_NONBLOCK: opening a fifo would wait for its writer.
  const Fd fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) fail_open(errno, "examining", path, name_);
  if (!S_ISREG(status.st_mode))
    fail(ErrorKind::untrusted, "reading {} in {}: it is not a regular file", path, name_);
  std::string content;
  for (;;) {
    const size_t had = content.size();
    const size_t more = std::min<size_t>(limit + 1 - had, std::max<size_t>(had, 64 << 10));
    content.resize(had + more);
    const size_t count = flox::read_some(fd.get(), content.data() + had, more);
    content.resize(had + count);
    if (content.size() > limit)
      fail(ErrorKind::invalid_input, "reading {} in {}: it has more than {} bytes", path, name_, limit);
    if (count == 0) return content;
  }
}

void Directory::create_file(std::string_view path, std::string_view content, unsigned mode) const {
  const Fd fd = open(path, O_WRONLY | O_CREAT | O_EXCL, mode);
  flox::write_all(fd.get(), content);
  if (::fchmod(fd.get(), mode) != 0) fail_open(errno, "setting the mode of", path, name_);
}

void Directory::write_file(std::string_view path, std::string_view content, unsigned mode) const {
  in_context(fmt::format("writing {} in {}", path, name_), [&] {
    std::string last;
    const Directory parent = parent_of(path, last);
    replace_file(parent, last, content, mode, false);
  });
}

void Directory::make_link(std::string_view path, std::string_view target) const {
  std::string last;
  const Directory parent = parent_of(path, last);
  if (::symlinkat(std::string(target).c_str(), parent.fd(), last.c_str()) != 0)
    fail_open(errno, "making the link", path, name_);
}

std::string Directory::read_link(std::string_view path) const {
  std::string last;
  const Directory parent = parent_of(path, last);
  std::string target(4096, '\0');
  const ssize_t size = ::readlinkat(parent.fd(), last.c_str(), target.data(), target.size());
  if (size < 0) fail_open(errno, "reading the link", path, name_);
  target.resize(static_cast<size_t>(size));
  return target;
}

std::vector<std::string> Directory::names(size_t limit) const {
  std::vector<std::string> result;
  const Listing listing(*this);
  while (const char* const name = listing.next()) {
    if (result.size() == limit)
      fail(ErrorKind::invalid_input, "listing {}: it has more than {} entries", name_, limit);
    result.emplace_back(name);
  }
  std::ranges::sort(result);
  return result;
}

void Directory::remove(std::string_view path) const {
  std::string last;
  std::optional<Directory> parent;
  try {
    parent.emplace(parent_of(path, last));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::not_found) return;
    throw;
  }
  if (::unlinkat(parent->fd(), last.c_str(), 0) == 0 || errno == ENOENT) return;
  if (errno != EISDIR && errno != EPERM) fail_open(errno, "removing", path, name_);

  // A tree: emptied from its innermost directories outwards, with a descriptor for each level that is open.
  // Trees that are deeper than that are taken apart: what lies below moves up to the first level.
  constexpr size_t most_open = 64;
  struct Level {
    std::string name;  // in the level before
    Listing listing;
  };
  std::vector<Level> levels;
  auto enter = [&](const Directory& in, std::string name) {
    make_usable(in.fd(), name.c_str());
    levels.push_back({name, Listing(in.subdirectory(name))});
  };
  enter(*parent, last);
  while (!levels.empty()) {
    const Level& level = levels.back();
    const char* const name = level.listing.next();
    if (name == nullptr) {
      const int in = levels.size() > 1 ? levels[levels.size() - 2].listing.fd() : parent->fd();
      if (::unlinkat(in, level.name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) {
        levels.pop_back();
      } else if (errno == ENOTEMPTY || errno == EEXIST) {
        level.listing.rewind();  // something moved up, or was made meanwhile
      } else {
        fail_open(errno, "removing", level.name, name_);
      }
      continue;
    }
    if (::unlinkat(level.listing.fd(), name, 0) == 0 || errno == ENOENT) continue;
    if (errno != EISDIR && errno != EPERM) fail_open(errno, "removing", name, level.listing.name());
    if (levels.size() >= most_open) {
      make_usable(level.listing.fd(), name);  // moving it changes its ".."
      if (::renameat(level.listing.fd(), name, levels.front().listing.fd(), temporary_name().c_str()) == 0)
        continue;
      // Within a cell of Landlock nothing moves to another directory: then a descriptor more.
      if (errno != EXDEV) fail_open(errno, "removing", name, level.listing.name());
    }
    Fd fd(::openat(level.listing.fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) fail_errno(errno, "opening {}", level.listing.name());
    enter({std::move(fd), level.listing.name()}, name);
  }
}

void Directory::rename(std::string_view from, const Directory& to_directory, std::string_view to) const {
  std::string from_name, to_name;
  const Directory source = parent_of(from, from_name);
  const Directory target = to_directory.parent_of(to, to_name);
  if (::renameat(source.fd(), from_name.c_str(), target.fd(), to_name.c_str()) != 0)
    fail_open(errno, "renaming", from, name_);
}

}  // namespace flox
