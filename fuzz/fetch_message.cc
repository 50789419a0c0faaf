// What a fetcher that was taken over may send: a narinfo as a message.
#include <algorithm>
#include <optional>

#include "fuzz.h"
#include "store/fetch/fetch_messages.h"

namespace flox::fuzz::of_fetch_message {

void one(std::string_view input) {
  store::v1::NarInfo message;
  if (!message.ParseFromArray(input.data(), static_cast<int>(input.size()))) return;
  const store::PathInfoLimits limits{.references = 8, .signatures = 4, .text = 200};
  std::optional<nix::NarInfo> narinfo;
  if (!accepts([&] { narinfo = store::from_message(message, limits); })) return;
  const nix::PathInfo& info = narinfo->info;
  require(info.references.size() <= limits.references && info.signatures.size() <= limits.signatures,
          "there is no more than may be");
  require(info.nar_size > 0, "a NAR has a size");
  for (const std::string& text : info.signatures)
    require(text.size() <= limits.text && text.find_first_of(" \n") == std::string::npos,
            "a signature is a word");
  const nix::NarInfo again = store::from_message(store::to_message(*narinfo), limits);
  require(again.to_string() == narinfo->to_string(), "a message says what was read from it");
  // What is remembered of it is a narinfo.
  if (!narinfo->url.empty() && !narinfo->compression.empty())
    require(nix::NarInfo::parse(narinfo->to_string(), info.path).to_string() == narinfo->to_string(),
            "it can be written as a narinfo");
}

}  // namespace flox::fuzz::of_fetch_message
