#include "store/gc/roots.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <map>

#include "base/error.h"
#include "base/os/file.h"
#include "store/gc/link_root.h"
#include "store/local/path_lock.h"

namespace flox::store {
namespace {

// What `read` (StorePath::parse and the like) makes of the text; nothing for what is no store path.
std::optional<StorePath> try_read(StorePath (*read)(std::string_view), std::string_view text) {
  try {
    return read(text);
  } catch (const Error&) {
    return std::nullopt;
  }
}

// The store path that a link's target is or lies in; nothing if it is elsewhere. A root of a store that is
// not the machine's own may be named as its programs see it, or where it really is.
std::optional<StorePath> path_in_store(const LocalStore& store, std::string_view target) {
  for (const std::string& directory : {std::string(nix::store_dir), store.store_directory().string()}) {
    if (!target.starts_with(directory + "/")) continue;
    const std::string_view rest = target.substr(directory.size() + 1);
    return try_read(StorePath::from_base_name, rest.substr(0, rest.find('/')));
  }
  return std::nullopt;
}

class PermanentRoots {
 public:
  PermanentRoots(const LocalStore& store, StaleLinks stale)
      : store_(store),
        auto_(store.state_directory() / "gcroots/auto"),
        second_names_(store.state_directory() / "gcroots" / second_names_directory),
        stale_(stale) {}

  std::vector<Root> find() && {
    for (const char* name : {"gcroots", "profiles"}) walk(store_.state_directory() / name);
    return std::move(roots_);
  }

 private:
  void walk(const fs::path& directory) {
    std::error_code error;
    fs::directory_iterator entries(directory, error);
    for (; !error && entries != fs::directory_iterator(); entries.increment(error)) look_at(*entries);
    if (error && error != std::errc::no_such_file_or_directory)
      fail_errno(error.value(), "reading the GC roots in {}", directory.string());
  }

  void look_at(const fs::directory_entry& entry) {
    std::error_code gone;
    switch (entry.symlink_status(gone).type()) {
      case fs::file_type::directory:
        return walk(entry.path());
      case fs::file_type::symlink:
        return follow(entry.path());
      case fs::file_type::regular:
        if (auto path = try_read(StorePath::from_base_name, entry.path().filename().string()))
          roots_.push_back({entry.path(), std::move(*path), RootKind::permanent});
        return;
      default:
        return;
    }
  }

  // Whether the link that this is a second name of is gone (link_root.h).
  bool is_last_name(const fs::path& link) const {
    struct stat status {};
    return link.parent_path() == second_names_ && ::lstat(link.c_str(), &status) == 0 && status.st_nlink == 1;
  }

  // A link into the store, or to such a link.
  void follow(const fs::path& link) {
    if (is_last_name(link)) {
      if (stale_ == StaleLinks::remove) ::unlink(link.c_str());
      return;
    }
    const std::optional<fs::path> target = read_link(link);
    if (!target) return;
    if (auto path = path_in_store(store_, target->native())) {
      roots_.push_back({link, std::move(*path), RootKind::permanent});
      return;
    }
    const fs::path outside = (link.parent_path() / *target).lexically_normal();
    struct stat status {};
    if (::lstat(outside.c_str(), &status) != 0) {
      if (errno != ENOENT && errno != ENOTDIR)
        fail_errno(errno, "the GC root {} points to {}, which cannot be read", link.string(),
                   outside.string());
      if (stale_ == StaleLinks::remove && link.parent_path() == auto_) ::unlink(link.c_str());
      return;
    }
    if (!S_ISLNK(status.st_mode)) return;
    const std::optional<fs::path> second = read_link(outside);
    if (!second) return;
    if (auto path = path_in_store(store_, second->native()))
      roots_.push_back({outside, std::move(*path), RootKind::permanent});
  }

  static std::optional<fs::path> read_link(const fs::path& link) {
    std::error_code error;
    fs::path target = fs::read_symlink(link, error);
    if (!error) return target;
    if (error == std::errc::no_such_file_or_directory) return std::nullopt;  // removed while we looked
    fail_errno(error.value(), "reading the GC root {}", link.string());
  }

  const LocalStore& store_;
  fs::path auto_, second_names_;
  StaleLinks stale_;
  std::vector<Root> roots_;
};

// Paths, each ended by a NUL. What else may stand there, as the "d" of a file that was given up, is none.
void add_announced(std::string_view text, const std::string& source, std::vector<Root>& roots) {
  while (!text.empty()) {
    const size_t end = text.find('\0');
    if (end == std::string_view::npos) return;  // being written
    const std::string_view path = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (auto parsed = try_read(StorePath::parse, path))
      roots.push_back({source, std::move(*parsed), RootKind::temporary});
  }
}

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Calls `body` for each /proc/PID. Processes come and go: what cannot be read is passed over, as Nix does.
template <typename Body>
void for_each_process(Body&& body) {
  std::error_code error;
  for (fs::directory_iterator processes("/proc", error); !error && processes != fs::directory_iterator();
       processes.increment(error))
    if (is_number(processes->path().filename().native())) body(processes->path());
}

template <typename Body>
void for_each_descriptor(const fs::path& process, Body&& body) {
  std::error_code error;
  for (fs::directory_iterator entries(process / "fd", error); !error && entries != fs::directory_iterator();
       entries.increment(error)) {
    std::error_code gone;
    const fs::path target = fs::read_symlink(entries->path(), gone);
    if (!gone) body(entries->path(), target.native());
  }
}

// Files of temporary roots that live on without a name: another process of the same id, in another PID
// namespace, took the name for its own (docs/formats/store-locks.md).
void add_nameless(const fs::path& directory, std::vector<Root>& roots) {
  struct stat ours {};
  if (::stat(directory.c_str(), &ours) != 0) return;
  for_each_process([&](const fs::path& process) {
    for_each_descriptor(process, [&](const fs::path& descriptor, const std::string& target) {
      struct stat status {};
      if (!target.ends_with(" (deleted)") || target.find("/temproots/") == std::string::npos ||
          ::stat(descriptor.c_str(), &status) != 0 || status.st_dev != ours.st_dev ||
          !S_ISREG(status.st_mode))
        return;
      const Fd fd(::open(descriptor.c_str(), O_RDONLY | O_CLOEXEC));
      if (fd) add_announced(read_all(fd.get()), descriptor, roots);
    });
  });
}

// The digests of the store paths that a text names, however the store is mounted where it comes from.
void find_digests(std::string_view text, const std::function<void(std::string_view)>& found) {
  const std::string prefix = std::string(nix::store_dir) + "/";
  for (size_t at = text.find(prefix); at != std::string_view::npos; at = text.find(prefix, at + 1)) {
    const std::string_view digest = text.substr(at + prefix.size(), nix::digest_length);
    if (nix::is_digest(digest)) found(digest);
  }
}

std::string contents_of(const fs::path& file) {
  const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return {};
  try {
    return read_all(fd.get());
  } catch (const Error&) {  // the process has ended
    return {};
  }
}

}  // namespace

const char* to_string(RootKind kind) noexcept {
  switch (kind) {
    case RootKind::permanent:
      return "permanent";
    case RootKind::temporary:
      return "temporary";
    case RootKind::runtime:
      return "runtime";
  }
  return "";
}

std::vector<Root> permanent_roots(const LocalStore& store, StaleLinks stale) {
  return PermanentRoots(store, stale).find();
}

std::vector<Root> temporary_roots(const LocalStore& store) {
  const fs::path directory = store.state_directory() / "temproots";
  std::vector<Root> roots;
  for (const auto& entry : fs::directory_iterator(directory)) {
    struct stat status {};
    if (::lstat(entry.path().c_str(), &status) == 0 && !S_ISREG(status.st_mode)) continue;  // nobody's
    const Fd fd(::open(entry.path().c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!fd && errno == ENOENT) continue;
    if (!fd) fail_errno(errno, "reading the temporary roots in {}", entry.path().string());
    if (lock_file(fd.get(), LOCK_EX, false, entry.path())) {
      // Nobody holds it, so its owner is dead. Whoever is just about to lock it learns by the "d" that it is
      // gone.
      ::unlink(entry.path().c_str());
      write_all(fd.get(), "d");
      continue;
    }
    add_announced(read_all(fd.get()), entry.path(), roots);
  }
  add_nameless(directory, roots);
  return roots;
}

std::vector<Root> runtime_roots(const ReferenceGraph& graph) {
  std::map<ReferenceGraph::Index, std::string> sources;
  for_each_process([&](const fs::path& process) {
    auto look_at = [&](std::string_view text, const fs::path& source) {
      find_digests(text, [&](std::string_view digest) {
        if (const auto index = graph.find_digest(digest)) sources.try_emplace(*index, source);
      });
    };
    for (const char* name : {"exe", "cwd"}) {
      std::error_code gone;
      const fs::path target = fs::read_symlink(process / name, gone);
      if (!gone) look_at(target.native(), process / name);
    }
    for_each_descriptor(
        process, [&](const fs::path& descriptor, const std::string& target) { look_at(target, descriptor); });
    for (const char* name : {"maps", "environ"}) look_at(contents_of(process / name), process / name);
  });
  for (const char* name : {"modprobe", "poweroff_cmd"})
    find_digests(contents_of(fs::path("/proc/sys/kernel") / name), [&](std::string_view digest) {
      if (const auto index = graph.find_digest(digest))
        sources.try_emplace(*index, fs::path("/proc/sys/kernel") / name);
    });
  std::vector<Root> roots;
  for (auto& [index, source] : sources)
    roots.push_back({std::move(source), graph[index].path, RootKind::runtime});
  return roots;
}

}  // namespace flox::store
