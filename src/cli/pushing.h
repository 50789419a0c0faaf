// Pushing an environment's content as the next generation: what flox push and commands with -r have in
// common.
#pragma once

#include <string>

#include "catalog/signing.h"
#include "env/environment.h"

namespace flox::cli {

// A manifest and the lock that was made for it.
struct LockedContent {
  std::string manifest;
  env::Lockfile lock;
};

// What the environment has at one moment, locked: somebody may change it while it is pushed. Throws Error.
LockedContent locked_content(const env::Environment& environment, env::Resolver& resolver);

// Throws Error(invalid_input), with its place, for a directory that the manifest includes: others do not have
// it.
void require_no_directories(const std::string& manifest);

struct FollowRequest {
  const std::optional<env::Origin>& origin;  // what the content was made from; nothing: from no generation
  catalog::EnvironmentName name;             // what is followed
  const env::Lockfile& lock;                 // of the content
  std::string advice;  // for who is refused because somebody has pushed since the origin; empty: flox push's
  bool force = false;  // say so, and follow it all the same
};
// Whether the content was made from the latest generation: otherwise somebody's work would be lost, and it
// throws Error(conflict) with the difference. What `request` refers to must outlive the answer.
catalog::MayFollow follows(FollowRequest request);

}  // namespace flox::cli
