// What a NAR file of a cache unpacks to.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/data/bytes.h"
#include "server/records/nars.h"

namespace flox::server {

// `stream` gives the file's bytes to a sink; it is called again if the file needs an unusually large window,
// which one file at a time may have. Thread-safe. Throws Error: untrusted for more than `most` bytes,
// invalid_input for what is not so compressed.
NarContent unpack_nar(const std::string& name, const std::string& compression, uint64_t most,
                      const std::function<void(const ByteSink&)>& stream);

}  // namespace flox::server
