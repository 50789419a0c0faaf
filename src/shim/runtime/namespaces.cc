#include "shim/runtime/namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "base/error.h"

namespace flox::shim {
namespace {

const std::map<std::string, int> clone_flags{{"pid", CLONE_NEWPID},     {"ipc", CLONE_NEWIPC},
                                             {"uts", CLONE_NEWUTS},     {"mount", CLONE_NEWNS},
                                             {"network", CLONE_NEWNET}, {"cgroup", CLONE_NEWCGROUP}};

}  // namespace

NamespacePlan NamespacePlan::of(const oci::SandboxSpec& spec) {
  NamespacePlan plan;
  for (const auto& wanted : spec.namespaces) {
    const auto flag = clone_flags.find(wanted.type);
    if (flag == clone_flags.end()) fail(ErrorKind::invalid_input, "unknown namespace {}", wanted.type);
    if (!wanted.path.empty())
      plan.joined.emplace_back(open_file(wanted.path, O_RDONLY), flag->second);
    else if (flag->second == CLONE_NEWCGROUP)
      plan.new_cgroup = true;
    else
      plan.created |= flag->second;
  }
  plan.hostname = spec.hostname;
  for (const auto& [name, value] : spec.sysctls) {
    std::string file = name;
    std::ranges::replace(file, '.', '/');
    plan.sysctl_files.emplace_back("/proc/sys/" + file, value);
  }
  return plan;
}

EnterStep enter(const NamespacePlan& plan) noexcept {
  for (const auto& [file, type] : plan.joined)
    if (::setns(file.get(), type) != 0) return EnterStep::join_namespace;
  if (plan.new_cgroup && ::unshare(CLONE_NEWCGROUP) != 0) return EnterStep::join_namespace;
  if (!plan.hostname.empty() && ::sethostname(plan.hostname.data(), plan.hostname.size()) != 0)
    return EnterStep::hostname;
  for (const auto& [file, value] : plan.sysctl_files)
    if (!write_at_once(file.c_str(), value)) return EnterStep::sysctl;
  return EnterStep::done;
}

bool write_at_once(const char* path, const std::string& value) noexcept {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = ::write(fd, value.data(), value.size()) == static_cast<ssize_t>(value.size());
  ::close(fd);
  return written;
}

}  // namespace flox::shim
