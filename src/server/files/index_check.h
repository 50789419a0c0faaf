// Whether an index is that of a NAR file.
#pragma once

#include <string_view>

#include "nix/narinfo.h"

namespace flox::server {

// Reads the index's file (docs/formats/nar-index.md), one of all threads at a time: it may take 150 MiB of
// memory. Throws Error: invalid_input if it is malformed, untrusted if it is not the one that the narinfo
// names, or that of another file.
void check_index_file(std::string_view file, const nix::NarInfo& narinfo);

}  // namespace flox::server
