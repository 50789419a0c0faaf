// Removing the cgroups that container runtimes leave behind: they make the parents of a container's cgroup,
// and nobody but the caller who named a parent can know when it is not needed any more.
#pragma once

#include <string>

namespace flox::kube {

// Removes the cgroup PATH (from the root of the hierarchy, "/flox-kube/podUID" or a slice's name) and the
// empty ones below it, in every mounted hierarchy. Cgroups that still hold processes stay; none of this is an
// error.
void remove_cgroup(const std::string& path) noexcept;

}  // namespace flox::kube
