// Moving processes between cgroups, quicker.
#pragma once

#include <filesystem>

namespace flox::shim {

// Say so when an OCI runtime is about to put a process into a cgroup. A write to cgroup.procs takes a lock of
// the whole machine (cgroup_threadgroup_rwsem), and its first writer after a pause waits for an RCU grace
// period: 8 ms, at times 16, of a crun exec's 13 on Linux 6.18 with HZ=250. The kernel keeps the lock ready
// for at least 12 ms after. This moves the shim to the cgroup that it is in, which changes nothing but takes
// the lock, on a thread that ends when that is done: the grace period passes while the runtime still starts.
// Returns at once; never fails.
void expect_cgroup_migration() noexcept;

// Moves the shim to the cgroup with this cgroup.procs file, and expects migrations there from now on. Behind
// as well; finish_cgroup_migration waits for it. What the kernel refuses does not happen.
void move_to_cgroup(const std::filesystem::path& processes_file);
void finish_cgroup_migration() noexcept;

}  // namespace flox::shim
