// Keeps a mount of store paths while the program that serves it dies and is started again.
//
// It reads nothing of the mount, of caches and of its readers, so that there is little it could die of. The
// kernel's connection lives as long as a copy of its descriptor is open, and the keeper has one: readers wait
// while there is no server. If the keeper dies, the kernel ends its server, and readers get ENOTCONN.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace flox::lazy {

// A server's exit code by which it asks to be started again, as if it had died of a signal.
inline constexpr int exit_again = 75;  // sysexits.h: EX_TEMPFAIL

struct Kept {
  std::string directory;            // an existing one, to mount at
  std::string files;                // directory that is removed when the mount ends
  std::vector<std::string> server;  // program and arguments; behind them come "--device", the descriptor's
                                    // number and, but for the first, "--take-over"
  std::chrono::milliseconds longest_pause{5000};  // before another server is started
};

// Mounts, and starts the server whenever it has died, until SIGTERM or SIGINT comes, which unmounts, or the
// server ends by itself: gives its exit code, which is 0 if the mount was unmounted by others. If servers die
// at once again and again, the pauses between them become longer, and in the end the mount ends, too. Throws
// Error if it cannot mount. Called by the only thread.
int keep_mount(const Kept& kept);

}  // namespace flox::lazy
