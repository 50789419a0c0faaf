// The program's modes, one file each.
#pragma once

#include "shim/launch/command_line.h"

namespace flox::shim {

// `start`: finds the pod's shim or starts one, and prints where it listens. Nothing else is written to stdout
// or stderr, for containerd reads both. (start.cc)
void start_shim(const CommandLine& line);

// The server itself: listens on descriptor 3, which `start` passed, until containerd shuts it down.
// (serve.cc)
void serve_tasks(const CommandLine& line);

// `delete`: takes away what a container whose shim is gone left behind; idempotent, and quick when there is
// nothing, for containerd runs it after every task. Prints a DeleteResponse. (delete.cc)
void delete_leftovers(const CommandLine& line);

// -info: prints a RuntimeInfo. (info.cc)
void print_info();

}  // namespace flox::shim
