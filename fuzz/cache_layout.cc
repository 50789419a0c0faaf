// Names of a cache's files, as whoever asks or uploads writes them.
#include "nix/cache_layout.h"

#include "fuzz.h"

namespace flox::fuzz::of_cache_layout {

void one(std::string_view input) {
  if (const auto nar = nix::NarFileName::parse(input)) {
    require(nix::nar_file_name(nar->file_hash, nar->compression) == input, "a NAR file has one name");
    require(nix::media_type_of(input) == "application/x-nix-nar", "and is one");
  }
  for (const auto digest : {nix::digest_of_narinfo_name(input), nix::digest_of_listing_name(input)})
    if (digest)
      require(
          nix::is_digest(*digest) && input.starts_with(*digest) && input.find('/') == std::string_view::npos,
          "a file of a path is named after its digest, and is in no directory");
  if (const auto digest = nix::digest_of_narinfo_name(input))
    require(nix::narinfo_name(*digest) == input, "a narinfo has one name");
}

}  // namespace flox::fuzz::of_cache_layout
