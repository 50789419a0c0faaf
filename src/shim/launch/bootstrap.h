// What containerd says on the stdin of `start`, and how it wants to be answered (docs/formats/shim.md).
#pragma once  // Fuzzed by fuzz/bootstrap.cc.

#include <string>

#include "shim/protocol/task.pb.h"

namespace flox::shim {

struct Bootstrap {
  bool params = false;        // BootstrapParams came (containerd 2.3 and newer)
  wire::Any options;          // runtime options; empty type_url: none
  std::string ttrpc_address;  // empty: take $TTRPC_ADDRESS
  std::string socket_dir;     // where our socket goes; empty: /run/containerd/s
};

// Tells the dialects apart: nothing, an Any (up to 2.2), or BootstrapParams, which alone has fields 4 and 6.
// Throws Error(invalid_input) for anything else.
Bootstrap read_bootstrap(const std::string& input);

// What `start` prints: the plain address, which containerd 1.6 to 2.3 all take for "ttrpc, version 2"; after
// BootstrapParams a BootstrapResult.
std::string bootstrap_answer(const Bootstrap& bootstrap, const std::string& address);

// At most 10 MiB of standard input, as upstream reads. Throws Error.
std::string read_standard_input();

}  // namespace flox::shim
