// A pool of threads for one piece of work.
#pragma once

#include <functional>

namespace flox::store {

// Runs `body` on `count` threads and waits for all of them; the argument tells them apart, from 0. The first
// exception that leaves one is rethrown at the end; `on_failure`, if given, is called at once, to make the
// others stop.
void run_workers(unsigned count, const std::function<void(unsigned)>& body,
                 const std::function<void()>& on_failure = {});

// 0 means one worker per core.
unsigned worker_count(unsigned wanted);

}  // namespace flox::store
