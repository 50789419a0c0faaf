#include "activation/keeper/descendants.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/os/file.h"

namespace flox::activation {
namespace {

constexpr std::chrono::seconds term_limit{2};
constexpr std::chrono::seconds kill_limit{5};  // then they hang in the kernel
constexpr size_t max_stat = 4096;

pid_t parent_of(const std::string& pid) {
  try {
    const std::string stat = read_file("/proc/" + pid + "/stat", max_stat);
    // PID (NAME) STATE PARENT …; the name may have anything in it (proc(5)).
    const size_t end = stat.rfind(')');
    if (end == std::string::npos || end + 4 >= stat.size()) return -1;
    pid_t parent = -1;
    std::from_chars(stat.data() + end + 4, stat.data() + stat.size(), parent);
    return parent;
  } catch (const Error&) {
    return -1;  // it has ended
  }
}

std::vector<pid_t> children(const std::set<pid_t>& spared) {
  std::vector<pid_t> result;
  const pid_t self = ::getpid();
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (wrong != std::errc() || end != name.data() + name.size()) continue;
    if (parent_of(name) == self && !spared.contains(pid)) result.push_back(pid);
  }
  return result;
}

}  // namespace

void end_descendants(const std::set<pid_t>& spared) {
  const auto begin = std::chrono::steady_clock::now();
  std::set<pid_t> asked;
  for (;;) {
    const auto passed = std::chrono::steady_clock::now() - begin;
    const std::vector<pid_t> left = children(spared);
    if (left.empty() || passed > kill_limit) return;
    for (const pid_t pid : left) {
      if (passed > term_limit)
        ::kill(pid, SIGKILL);
      else if (asked.insert(pid).second)
        ::kill(pid, SIGTERM);
      ::waitpid(pid, nullptr, WNOHANG);
    }
    ::poll(nullptr, 0, 10);
  }
}

}  // namespace flox::activation
