// Who says what a package or an environment is, and how it was built.
#pragma once

#include <optional>
#include <string>

#include "server/pages/context.h"

namespace flox::server {

// How the signed metadata of a name stands, with regard to one build or generation.
struct Signedness {
  enum class State { stands, unsigned_, refused, yanked };
  State state = State::unsigned_;
  std::string why;                   // refused: what a node would say; yanked: the reason
  std::optional<Standing> standing;  // if anything is signed
};
Signedness signedness_of(const PagesContext& pages, const catalog::PackageBuild& build);
Signedness signedness_of(const PagesContext& pages, const std::string& owner, const std::string& environment,
                         int64_t generation);

Html badge_of(const Signedness& signedness);
// What it means, who signed, until when.
Html signedness_view(const Signedness& signedness, const std::string& owner);
// What the attestations of the build's paths say: sources, builder, times.
Html build_view(const PagesContext& pages, const Call& call, const catalog::PackageBuild& build);

}  // namespace flox::server
