// nix-cache-info, what a binary cache says of itself (docs/formats/binary-cache.md).
#pragma once

#include <string>
#include <string_view>

#include "nix/store_path.h"

namespace flox::nix {

struct CacheInfo {
  std::string store_directory{store_dir};
  bool want_mass_query = false;  // may be asked for thousands of paths at once
  int priority = 0;              // lower is asked first

  // Unknown keys are passed over. Throws Error(invalid_input) for a line without colon, or a priority that is
  // no number.
  static CacheInfo parse(std::string_view text);
  std::string to_string() const;
};

}  // namespace flox::nix
