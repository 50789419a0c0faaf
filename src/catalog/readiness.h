// Whether a catalog can do its work, and which of its parts is away if not: its /readyz.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace flox::catalog {

struct Readiness {
  int status = 0;    // of HTTP; 200: ready
  std::string away;  // the lines that say what is away, as one line of safe text; empty if none does
  bool is_ready() const noexcept { return status == 200; }
};

// Asks the catalog at this URL. Throws Error if it does not answer within `patience`.
Readiness ask_readiness(std::string_view catalog_url, std::chrono::seconds patience);

// Of a page of /readyz. Fuzzing it would show nothing: it splits lines and makes them printable.
std::string what_is_away(std::string_view page);

}  // namespace flox::catalog
