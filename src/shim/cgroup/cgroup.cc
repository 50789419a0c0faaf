#include "shim/cgroup/cgroup.h"

#include <linux/magic.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <sstream>
#include <vector>

#include "base/error.h"
#include "base/os/file.h"
#include "shim/cgroup/stats.h"
#include "shim/io/shim_log.h"

namespace flox::shim {
namespace {

const fs::path cgroup_root = "/sys/fs/cgroup";

// Mount point and the part of the hierarchy that is mounted there, of each v1 controller.
struct Hierarchy {
  fs::path point;
  std::string root;
};
std::map<std::string, Hierarchy> v1_hierarchies() {
  std::map<std::string, Hierarchy> result;
  std::istringstream table(read_file("/proc/self/mountinfo"));
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    std::string id, parent, device, root, point, word, type, source, options;
    fields >> id >> parent >> device >> root >> point;
    while (fields >> word && word != "-") {
    }
    fields >> type >> source >> options;
    if (type != "cgroup") continue;
    std::istringstream names(options);
    for (std::string name; std::getline(names, name, ',');) result.try_emplace(name, Hierarchy{point, root});
  }
  return result;
}

std::set<std::string> words_in(const fs::path& file) {
  std::istringstream text(read_file(file));
  return {std::istream_iterator<std::string>(text), {}};
}

// One write for all is the rule; the kernel refuses a write as a whole, so one that is refused is done
// singly.
void enable(const std::vector<std::string>& controllers, const fs::path& subtree_control) {
  Fd file = open_file(subtree_control, O_WRONLY);
  std::string all;
  for (const std::string& name : controllers) all += "+" + name + " ";
  if (::write(file.get(), all.data(), all.size()) >= 0) return;
  for (const std::string& name : controllers) {
    const std::string one = "+" + name;
    [[maybe_unused]] ssize_t refused = ::write(file.get(), one.data(), one.size());
  }
}

bool is_unified() {
  struct statfs info {};
  return ::statfs(cgroup_root.c_str(), &info) == 0 && info.f_type == CGROUP2_SUPER_MAGIC;
}

}  // namespace

std::vector<fs::path> Cgroup::hierarchies() {
  if (is_unified()) return {cgroup_root};
  std::set<fs::path> points;  // controllers that are mounted together share one
  for (const auto& [name, hierarchy] : v1_hierarchies()) {
    if (hierarchy.root != "/")
      fail(ErrorKind::unavailable, "{} shows a part of its hierarchy only", hierarchy.point.string());
    points.insert(hierarchy.point);
  }
  return {points.begin(), points.end()};
}

Cgroup Cgroup::of_process(pid_t pid) {
  Cgroup result;
  result.unified_ = is_unified();
  auto hierarchies = result.unified_ ? std::map<std::string, Hierarchy>() : v1_hierarchies();
  std::istringstream lines(read_file(fmt::format("/proc/{}/cgroup", pid)));
  for (std::string line; std::getline(lines, line);) {  // "4:memory:/path" or "0::/path"
    size_t first = line.find(':');
    size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::istringstream controllers(line.substr(first + 1, second - first - 1));
    std::string path = line.substr(second + 1);
    if (result.unified_ && second == first + 1)
      result.directories_[""] = cgroup_root / fs::path(path).relative_path();
    for (std::string name; std::getline(controllers, name, ',');) {
      auto found = hierarchies.find(name);
      if (found == hierarchies.end()) continue;
      std::string below = path;
      if (found->second.root != "/" && below.starts_with(found->second.root))
        below.erase(0, found->second.root.size());
      result.directories_[name] = found->second.point / fs::path(below).relative_path();
    }
  }
  return result;
}

Cgroup Cgroup::at(const std::string& path) {
  Cgroup result;
  result.unified_ = is_unified();
  const fs::path below = fs::path(path).relative_path();
  if (result.unified_)
    result.directories_[""] = cgroup_root / below;
  else
    for (const auto& [name, hierarchy] : v1_hierarchies())
      result.directories_[name] = hierarchy.point / below;
  return result;
}

fs::path Cgroup::directory(const std::string& controller) const {
  auto found = directories_.find(unified_ ? "" : controller);
  return found == directories_.end() ? fs::path() : found->second;
}

void Cgroup::enable_controllers() const {
  if (unified_) shim::enable_controllers(cgroup_root, directory(""));
}

void enable_controllers(const fs::path& root, const fs::path& directory) {
  const fs::path below = directory.lexically_relative(root);
  if (below.empty() || *below.begin() == ".." || below == ".") return;  // not in this hierarchy, or its root
  fs::path parent = root;
  try {
    for (const fs::path& name : below) {
      std::vector<std::string> missing;
      std::ranges::set_difference(words_in(parent / "cgroup.controllers"),
                                  words_in(parent / "cgroup.subtree_control"), std::back_inserter(missing));
      if (!missing.empty()) enable(missing, parent / "cgroup.subtree_control");
      parent /= name;
    }
  } catch (const Error& error) {  // read-only, or gone
    log_debug("controllers of {}: {}", directory.string(), error.what());
  }
}

wire::Any Cgroup::stats() const {
  wire::Any result;
  fs::path any = unified_ ? directory("") : directory("memory");
  std::error_code error;
  if (any.empty() || !fs::exists(any, error)) fail(ErrorKind::not_found, "cgroup does not exist");
  if (unified_) {
    result.set_type_url("io.containerd.cgroups.v2.Metrics");
    result.set_value(stats_v2(any));
  } else {
    result.set_type_url("io.containerd.cgroups.v1.Metrics");
    result.set_value(stats_v1(*this));
  }
  return result;
}

}  // namespace flox::shim
