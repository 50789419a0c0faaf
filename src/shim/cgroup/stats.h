// The numbers of a cgroup as containerd's metrics messages, serialised. Files that a kernel does not have, or
// a controller that is off, leave their fields out; usage and limit of memory are always there, since CRI
// insists.
#pragma once

#include <filesystem>
#include <string>

namespace flox::shim {

class Cgroup;

std::string stats_v1(const Cgroup& cgroup);
std::string stats_v2(const std::filesystem::path& directory);

}  // namespace flox::shim
