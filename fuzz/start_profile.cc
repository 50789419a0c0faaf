// Profiles of starts, as they lie on a node's disk.
#include "node/lazy/start_profile.h"

#include <optional>

#include "fuzz.h"

namespace flox::fuzz::of_start_profile {

void one(std::string_view input) {
  std::optional<node::StartProfile> profile;
  if (!accepts([&] { profile = node::StartProfile::parse(input); })) return;
  node::StartProfile kept;
  kept.add(*profile);  // of no path that it has
  require(kept.paths.empty(), "what is not in the closure is not added");
  std::vector<nix::StorePath> closure;
  for (const auto& path : profile->paths) closure.push_back(path.path);
  kept = profile->for_closure(closure);
  kept.add(*profile);
  const std::string text = kept.to_text();
  require(text.size() <= node::StartProfile::most_bytes, "what is kept is not too large");
  const auto again = node::StartProfile::parse(text);
  require(again.paths.size() == kept.paths.size() && again.to_text() == text, "what is kept can be read");
  kept.merge(*profile);
  require(kept.to_text().size() <= node::StartProfile::most_bytes, "what is merged is not too large");
  node::StartProfile::parse(kept.to_text());
}

}  // namespace flox::fuzz::of_start_profile
