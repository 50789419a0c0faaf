// Bills of materials of packages, as files.
#include <fmt/format.h>

#include "server/pages/context.h"
#include "server/pages/selection.h"
#include "trust/sbom/cyclonedx.h"
#include "trust/sbom/spdx.h"

namespace flox::server {
namespace {

// Of a name for a file that is saved: what no system has trouble with.
std::string file_name(std::string_view text) {
  std::string name(text.substr(0, 100));
  for (char& c : name)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-'))
      c = '-';
  return name;
}

}  // namespace

ServerResponse bill_of_materials(PagesContext& pages, const Call& call, const std::string& format) {
  const auto builds = builds_of(pages.packages_for(call), call);
  const catalog::PackageBuild& build = selected(builds, Selection::of(call));
  const auto bill = pages.closures.of(build, call.caller());
  const bool is_spdx = format == "spdx";
  // When it was published, so that the same build always gives the same bytes.
  ServerResponse response{
      .content_type = is_spdx ? "application/spdx+json" : "application/vnd.cyclonedx+json; version=1.6",
      .body = is_spdx ? trust::to_spdx(*bill, build.published_at)
                      : trust::to_cyclonedx(*bill, build.published_at)};
  response.headers["Content-Disposition"] = fmt::format(
      "attachment; filename=\"{}-{}.{}.json\"", file_name(build.name), file_name(build.version), format);
  return for_browsers(std::move(response));
}

}  // namespace flox::server
