// What an OCI runtime prints as a container's processes.
#include <algorithm>

#include "fuzz.h"
#include "oci/runtime.h"

namespace flox::fuzz::of_pids {

void one(std::string_view input) {
  std::vector<int> pids;
  if (!accepts([&] { pids = oci::parse_pids(std::string(input)); },
               {ErrorKind::invalid_input, ErrorKind::internal}))
    return;
  require(std::ranges::all_of(pids, [](int pid) { return pid >= 0; }), "a pid is not negative");
}

}  // namespace flox::fuzz::of_pids
