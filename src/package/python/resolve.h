// Which versions of distributions go together: the newest of each that all of those that need it admit.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "package/python/metadata.h"

namespace flox::package {

// What there is, as an index says it. Answers must not change.
class PythonReleases {
 public:
  virtual ~PythonReleases() = default;
  // Those of which a wheel runs here, the newest first; those that were taken back come last, and only where
  // one of them is asked for by its number. Throws Error(not_found) if there is no such project.
  virtual std::vector<PythonVersion> versions(const std::string& project) = 0;
  virtual bool is_yanked(const std::string& project, const PythonVersion& version) = 0;
  virtual const PythonMetadata& metadata(const std::string& project, const PythonVersion& version) = 0;
};

struct ResolvedDistribution {
  std::string project;  // normalised
  PythonVersion version;
};

// What the requirements need, themselves included, in the order in which they were come by. The same answers
// give the same result. `pins`: conditions on projects that only hold if they are needed. Throws Error:
// conflict, naming who wants what, if nothing goes together; invalid_input for a requirement that no index
// can meet, and after 20,000 attempts.
std::vector<ResolvedDistribution> resolve_python(PythonReleases& releases,
                                                 const std::vector<PythonRequirement>& wanted,
                                                 const std::vector<PythonRequirement>& pins,
                                                 const MarkerEnvironment& environment);

}  // namespace flox::package
