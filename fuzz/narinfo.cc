// narinfo files from a binary cache.
#include "nix/narinfo.h"

#include <optional>

#include "fuzz.h"

namespace flox::fuzz::of_narinfo {

void one(std::string_view input) {
  require(nix::NarInfo::url_in(input).find('\n') == std::string_view::npos, "a URL is one line");
  std::optional<nix::NarInfo> info;
  if (!accepts([&] { info = nix::NarInfo::parse(input); })) return;
  const std::string text = info->to_string();
  const nix::NarInfo again = nix::NarInfo::parse(text);
  require(again.to_string() == text, "a narinfo that was read is written as it was");
  require(again.info.fingerprint() == info->info.fingerprint() && again.url == info->url &&
              again.compression == info->compression && again.file_hash == info->file_hash &&
              again.file_size == info->file_size && again.info.signatures == info->info.signatures &&
              again.info.deriver == info->info.deriver &&
              again.info.content_address == info->info.content_address,
          "nothing is lost or changed on the way");
  require(nix::NarInfo::url_in(text) == info->url, "its URL is found without the rest");
  require(info->info.fingerprint().find('\n') == std::string::npos, "what is signed is one line");
}

}  // namespace flox::fuzz::of_narinfo
