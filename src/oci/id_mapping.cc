#include "oci/id_mapping.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/error.h"
#include "base/os/file.h"

namespace flox::oci {
namespace {

constexpr size_t most_ranges = 340;  // the kernel's own limit

// One number, and the separator behind it.
uint32_t take_number(std::string_view& text, char separator, std::string_view whole) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const size_t size = static_cast<size_t>(end - text.data());
  const bool ends_well = size == text.size() ? separator == ',' : text[size] == separator;
  if (error != std::errc() || !ends_well)
    fail(ErrorKind::invalid_input, "'{}' is not a mapping CONTAINER:HOST:SIZE", whole.substr(0, 100));
  text.remove_prefix(std::min(size + 1, text.size()));
  return number;
}

void write_map(pid_t pid, const char* name, const std::string& map) {
  const Fd file = open_file(fmt::format("/proc/{}/{}", pid, name), O_WRONLY);
  // The kernel takes a map in one call only.
  if (::write(file.get(), map.data(), map.size()) != static_cast<ssize_t>(map.size()))
    fail_errno(errno, "writing {} of a user namespace", name);
}

}  // namespace

std::string to_id_map(std::string_view option) {
  std::string map;
  size_t ranges = 0;
  if (option.ends_with(',')) fail(ErrorKind::invalid_input, "'{}' lacks a mapping", option.substr(0, 100));
  for (std::string_view rest = option; !rest.empty() || ranges == 0;) {
    const uint32_t container = take_number(rest, ':', option), host = take_number(rest, ':', option),
                   size = take_number(rest, ',', option);
    if (++ranges > most_ranges)
      fail(ErrorKind::invalid_input, "a user namespace with more than {} ranges", most_ranges);
    map += fmt::format("{} {} {}\n", container, host, size);
  }
  return map;
}

// The child is like one of fork(2); without an exit signal nobody else waits for it.
Fd make_user_namespace(const std::string& uid_map, const std::string& gid_map) {
  Pipe pipe = make_pipe();
  const auto pid = static_cast<pid_t>(
      ::syscall(SYS_clone, static_cast<unsigned long>(CLONE_NEWUSER), nullptr, nullptr, nullptr, 0));
  if (pid < 0) fail_errno(errno, "making a user namespace");
  if (pid == 0) {
    ::close(pipe.write_end.get());
    char byte = 0;
    while (::read(pipe.read_end.get(), &byte, 1) < 0 && errno == EINTR) continue;
    ::_exit(0);
  }
  Fd space;
  try {
    write_map(pid, "uid_map", uid_map);
    write_map(pid, "gid_map", gid_map);
    space = open_file(fmt::format("/proc/{}/ns/user", pid), O_RDONLY);
  } catch (...) {
    pipe.write_end.reset();
    while (::waitpid(pid, nullptr, __WALL) < 0 && errno == EINTR) continue;
    throw;
  }
  pipe.write_end.reset();
  while (::waitpid(pid, nullptr, __WALL) < 0 && errno == EINTR) continue;
  return space;
}

Fd mapped_mount(const std::filesystem::path& directory, const Fd& user_namespace) {
  Fd mount(::open_tree(AT_FDCWD, directory.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!mount) fail_errno(errno, "detaching {}", directory.string());
  mount_attr attributes = {};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<uint64_t>(user_namespace.get());
  if (::mount_setattr(mount.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0) return mount;
  if (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)
    throw Error(
        ErrorKind::unavailable,
        fmt::format("{}: its file system cannot show its files to a user namespace", directory.string()),
        "Use Linux 5.19 or later with ext4, xfs or btrfs, or leave out hostUsers: false.");
  fail_errno(errno, "mapping the users of {}", directory.string());
}

void attach_mount(const Fd& mount, const std::filesystem::path& target) {
  if (::move_mount(mount.get(), "", AT_FDCWD, target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
    fail_errno(errno, "attaching a mount at {}", target.string());
}

}  // namespace flox::oci
