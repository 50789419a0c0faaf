// Profiles of starts, as they lie on a node's disk.
#include "catalog/start_profile.h"

#include <optional>

#include "fuzz.h"

namespace flox::fuzz::of_start_profile {

void one(std::string_view input) {
  std::optional<catalog::StartProfile> profile;
  if (!accepts([&] { profile = catalog::StartProfile::parse(input); })) return;
  catalog::StartProfile kept;
  kept.add(*profile);  // of no path that it has
  require(kept.paths.empty(), "what is not in the closure is not added");
  std::vector<nix::StorePath> closure;
  for (const auto& path : profile->paths) closure.push_back(path.path);
  kept = profile->for_closure(closure);
  kept.add(*profile);
  const std::string text = kept.to_text();
  require(text.size() <= catalog::StartProfile::most_bytes, "what is kept is not too large");
  const auto again = catalog::StartProfile::parse(text);
  require(again.paths.size() == kept.paths.size() && again.to_text() == text, "what is kept can be read");
  catalog::StartProfile published = kept;
  published.merge_earlier(*profile);
  const std::string once = published.to_text();
  require(once.size() <= catalog::StartProfile::most_bytes, "what is published is not too large");
  published.merge_earlier(catalog::StartProfile::parse(once));
  require(published.to_text() == once, "what is published once more changes nothing");
  kept.merge(*profile);
  require(kept.to_text().size() <= catalog::StartProfile::most_bytes, "what is merged is not too large");
  catalog::StartProfile::parse(kept.to_text());
}

}  // namespace flox::fuzz::of_start_profile
