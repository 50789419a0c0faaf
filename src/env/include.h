// Reading the environments that [include] names.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "env/compose.h"
#include "env/lockfile.h"

namespace flox::env {

struct IncludeRequest {
  std::vector<IncludeDescriptor> descriptors;
  const nlohmann::json& locked;     // "include" of a lock's "compose"; an empty object if there is none
  std::filesystem::path directory;  // that relative ones are relative to
  std::function<bool(const std::string& name)> anew;  // read again though it is locked; by default none
};

// The manifests, in the descriptors' order: as the lock has them where it has the same descriptor, else as
// they are locked in their directories or, by `fetch`, in the catalog. Throws Error with the descriptor's
// place: not_found if there is no such environment, invalid_input if it is not locked as its manifest is, if
// it is the one that includes, or if two have one name; what `fetch` throws.
std::vector<IncludedManifest> read_includes(
    const IncludeRequest& request, const std::function<Lockfile(const IncludeDescriptor& remote)>& fetch);

// The included environment that a package comes from, by install id, of what a lock has as "compose": those
// that the including manifest does not install itself. What is not of that form is passed over.
std::map<std::string, std::string> included_packages(const nlohmann::json& compose);

}  // namespace flox::env
