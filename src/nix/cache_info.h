// nix-cache-info, what a binary cache says of itself (docs/formats/binary-cache.md).
#pragma once  // Fuzzed by fuzz/cache_info.cc.

#include <string>
#include <string_view>

#include "nix/store_path.h"

namespace flox::nix {

struct CacheInfo {
  std::string store_directory{store_dir};
  // May be asked for many paths of which it is not known whether they are needed. It does not change where a
  // needed path is looked for.
  bool want_mass_query = false;
  int priority = 0;  // lower is asked first

  // As Nix reads it: keys that it does not know and lines without a colon are passed over, the last line of a
  // key counts. Throws Error(invalid_input) for a priority that does not begin with a number.
  static CacheInfo parse(std::string_view text);
  std::string to_string() const;
};

}  // namespace flox::nix
