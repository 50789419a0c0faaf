// Which build of a package a page is about.
#pragma once

#include <string>
#include <vector>

#include "catalog/model.h"
#include "server/api/router.h"
#include "server/api/visible_records.h"
#include "server/pages/address.h"

namespace flox::server {

// The builds of the package in the path, newest version first. Throws Error(not_found) if there is none that
// the caller may see.
std::vector<catalog::PackageBuild> builds_of(const VisibleRecords& records, const Call& call);

// What must hold of a build; empty texts: anything. A variant of "any" is a build for any CPU.
struct Selection {
  std::string version, system, variant;
  static Selection of(const Call& call);
  bool admits(const catalog::PackageBuild& build) const;
};

// The first one that the selection admits. Throws Error(not_found).
const catalog::PackageBuild& selected(const std::vector<catalog::PackageBuild>& builds,
                                      const Selection& selection);
// The address with the query that selects just that build.
Address selecting(const Address& address, const catalog::PackageBuild& build);
// "x86_64-linux", or "x86_64-linux, x86-64-v3" for a variant.
std::string runs_on(const catalog::PackageBuild& build);

}  // namespace flox::server
