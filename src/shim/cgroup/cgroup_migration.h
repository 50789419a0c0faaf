// Moving processes between cgroups, quicker.
#pragma once

namespace flox::shim {

// Say so when an OCI runtime is about to put a process into a cgroup. A write to cgroup.procs takes a lock of
// the whole machine (cgroup_threadgroup_rwsem), and its first writer after a pause waits for an RCU grace
// period: 8 ms, at times 16, of a crun exec's 13 on Linux 6.18 with HZ=250. The kernel keeps the lock ready
// for at least 12 ms after. This moves the shim to the cgroup that it is in, which changes nothing but takes
// the lock, on a thread that ends when that is done: the grace period passes while the runtime still starts.
// Returns at once; never fails.
void expect_cgroup_migration() noexcept;

}  // namespace flox::shim
