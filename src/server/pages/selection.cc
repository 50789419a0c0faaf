#include "server/pages/selection.h"

#include <algorithm>

#include "base/error.h"
#include "base/printable.h"

namespace flox::server {
namespace {

constexpr std::string_view any_cpu = "any";

}  // namespace

std::vector<catalog::PackageBuild> builds_of(const VisibleRecords& records, const Call& call) {
  const std::string name = call.parameter("name");
  auto builds = records.builds(name);
  if (builds.empty())
    throw Error(ErrorKind::not_found,
                fmt::format("The catalog has no package {} that everyone may see.", printable(name, 128)),
                "Look for it by a part of its name.");
  return builds;
}

Selection Selection::of(const Call& call) {
  return {.version = call.query("version"), .system = call.query("system"), .variant = call.query("variant")};
}

bool Selection::admits(const catalog::PackageBuild& build) const {
  return (version.empty() || build.version == version) && (system.empty() || build.system == system) &&
         (variant.empty() || (variant == any_cpu ? build.variant.empty() : build.variant == variant));
}

const catalog::PackageBuild& selected(const std::vector<catalog::PackageBuild>& builds,
                                      const Selection& selection) {
  const auto found = std::ranges::find_if(builds, [&](const auto& build) { return selection.admits(build); });
  if (found == builds.end())
    throw Error(
        ErrorKind::not_found,
        fmt::format(
            "There is no such build of {}: {}", builds.front().name,
            printable(fmt::format("{} {} {}", selection.version, selection.system, selection.variant), 200)),
        "Choose one of its versions.");
  return *found;
}

Address selecting(const Address& address, const catalog::PackageBuild& build) {
  return address.with("version", build.version)
      .with("system", build.system)
      .with("variant", build.variant.empty() ? any_cpu : build.variant);
}

std::string runs_on(const catalog::PackageBuild& build) {
  return build.variant.empty() ? build.system : build.system + ", " + build.variant;
}

}  // namespace flox::server
