// nix-cache-info, what a binary cache says of itself.
#include "nix/cache_info.h"

#include <optional>

#include "fuzz.h"

namespace flox::fuzz::of_cache_info {

void one(std::string_view input) {
  std::optional<nix::CacheInfo> info;
  if (!accepts([&] { info = nix::CacheInfo::parse(input); })) return;
  const nix::CacheInfo again = nix::CacheInfo::parse(info->to_string());
  require(again.priority == info->priority && again.want_mass_query == info->want_mass_query &&
              again.store_directory == info->store_directory,
          "what was read is written as it was");
}

}  // namespace flox::fuzz::of_cache_info
