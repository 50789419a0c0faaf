// Landlock (landlock(7), Documentation/userspace-api/landlock.rst). The numbers stand here because
// distributions' headers are older than the kernels that run.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/confined/sandbox.h"
#include "base/error.h"
#include "base/os/fd.h"

namespace flox::sandbox {
namespace {

constexpr long create_ruleset = 444, add_rule = 445, restrict_self = 446;
constexpr unsigned ask_version = 1;
constexpr int path_beneath = 1, net_port = 2;

struct Ruleset {
  uint64_t files = 0, net = 0, scoped = 0;
};
struct [[gnu::packed]] PathRule {
  uint64_t access;
  int32_t directory;
};
struct PortRule {
  uint64_t access, port;
};

constexpr uint64_t bit(int n) { return uint64_t{1} << n; }
constexpr uint64_t write_file = bit(1), read_file = bit(2), read_directory = bit(3);
constexpr uint64_t remove_directory = bit(4), remove_file = bit(5), make_directory = bit(7),
                   make_file = bit(8);
constexpr uint64_t make_link = bit(12), truncate = bit(14);
constexpr uint64_t bind_tcp = bit(0), connect_tcp = bit(1);

// Every right that an ABI knows, so that what is not given is refused.
uint64_t all_rights(int abi) {
  int known = 13;            // execute to make_sym
  if (abi >= 2) known = 14;  // refer
  if (abi >= 3) known = 15;  // truncate
  if (abi >= 5) known = 16;  // ioctl_dev
  return bit(known) - 1;
}

void allow(int ruleset, const std::filesystem::path& path, uint64_t access, bool required) {
  const Fd fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) {
    if (!required && (errno == ENOENT || errno == ENOTDIR || errno == EACCES)) return;
    fail_errno(errno, "opening {}", path.string());
  }
  if (!S_ISDIR(status.st_mode)) access &= write_file | read_file | truncate;
  const PathRule rule{.access = access, .directory = fd.get()};
  if (::syscall(add_rule, ruleset, path_beneath, &rule, 0) != 0)
    fail_errno(errno, "allowing {}", path.string());
}

}  // namespace

int landlock_abi() noexcept {
  const long abi = ::syscall(create_ruleset, nullptr, 0, ask_version);
  return abi > 0 ? static_cast<int>(abi) : 0;
}

void restrict_files(const Sandbox& sandbox, int abi) {
  Ruleset rules{.files = all_rights(abi)};
  size_t size = 8;
  if (abi >= 4) {
    size = 16;
    rules.net = bind_tcp | (sandbox.ports.empty() ? 0 : connect_tcp);
  }
  if (abi >= 6) {
    size = 24;
    rules.scoped = bit(0) | bit(1);  // abstract sockets and signals end at the domain's border
  }
  const Fd ruleset(static_cast<int>(::syscall(create_ruleset, &rules, size, 0)));
  if (!ruleset) fail_errno(errno, "making a Landlock ruleset");
  for (const auto& path : sandbox.readable) allow(ruleset.get(), path, read_file | read_directory, false);
  const uint64_t write = (write_file | read_file | read_directory | remove_directory | remove_file |
                          make_directory | make_file | make_link | truncate) &
                         rules.files;
  for (const auto& path : sandbox.writable) allow(ruleset.get(), path, write, true);
  if (abi >= 4)
    for (const uint16_t port : sandbox.ports) {
      const PortRule rule{.access = connect_tcp, .port = port};
      if (::syscall(add_rule, ruleset.get(), net_port, &rule, 0) != 0)
        fail_errno(errno, "allowing port {}", port);
    }
  if (::syscall(restrict_self, ruleset.get(), 0) != 0) fail_errno(errno, "entering the Landlock domain");
}

}  // namespace flox::sandbox
