// What the services of a keeper have left behind.
#pragma once

#include <sys/types.h>

#include <set>

namespace flox::activation {

// Ends all children of this process, and theirs as they become its own, but for those in `spared`: SIGTERM,
// and SIGKILL for what is there two seconds later. For a process that is a child subreaper (prctl(2)) and has
// no threads.
void end_descendants(const std::set<pid_t>& spared);

}  // namespace flox::activation
