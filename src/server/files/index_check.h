// Whether an index is that of a NAR file.
#pragma once

#include <functional>
#include <string_view>

#include "base/data/bytes.h"
#include "nix/narinfo.h"

namespace flox::server {

// Reads the index's file (docs/formats/nar-index.md) and compares it with the NAR's: each of its frames must
// unpack by itself to the part of the NAR that it is said to hold, and names, types, link targets, sizes and
// chunks must be those of the NAR. `stream` gives the bytes of the NAR's file to a sink, once; they must have
// the hash that the narinfo says. One of all threads at a time: it may take 170 MiB of memory. Throws Error:
// invalid_input if it is malformed, untrusted if it is not the one that the narinfo names, or that of another
// file.
void check_index_file(std::string_view file, const nix::NarInfo& narinfo,
                      const std::function<void(const ByteSink&)>& stream);

// The hash of the NAR's file that the index names, of which nothing else is compared. The same turn as above
// is waited for. Throws Error(invalid_input) if it is malformed.
Sha256Digest nar_file_of_index(std::string_view file);

}  // namespace flox::server
