// What differs between two versions of a package: by package, by store path and by bytes.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/settings/units.h"
#include "server/pages/context.h"
#include "server/pages/parts.h"
#include "server/pages/selection.h"
#include "trust/sbom/difference.h"

namespace flox::server {
namespace {

using catalog::PackageBuild;
using trust::BillDifference;
using trust::Component;

constexpr size_t most_rows_of_a_kind = 300;

// The build of that version for the system, for any CPU if there is one.
const PackageBuild& build_for(const std::vector<PackageBuild>& builds, const std::string& version,
                              const std::string& system) {
  const auto of_any_cpu = std::ranges::find_if(builds, [&](const PackageBuild& build) {
    return build.version == version && build.system == system && build.variant.empty();
  });
  return of_any_cpu != builds.end() ? *of_any_cpu
                                    : selected(builds, {.version = version, .system = system, .variant = {}});
}

Html path_cell(const Component& component) {
  return el("td", {{"class", "path soft"}}, component.path.base_name());
}

Html row(const char* kind, const std::string& name, const std::string& versions, const Html& paths,
         const std::string& bytes, const char* direction) {
  return el("tr", {}, el("th", {{"scope", "row"}}, name), el("td", {}, kind), el("td", {}, versions),
            el("td", {{"class", std::string("number ") + direction}}, bytes), paths);
}

const char* direction_of(uint64_t before, uint64_t after) {
  return after > before ? "plus" : after < before ? "minus" : "";
}

Html rows_of(const BillDifference& difference) {
  Html rows;
  const auto first_of = [](const auto& list) { return std::min(list.size(), most_rows_of_a_kind); };
  const auto pair = [&](const char* kind, const BillDifference::Change& change) {
    const auto& [before, after] = change;
    const std::string versions = before.package.version == after.package.version
                                     ? after.package.version
                                     : before.package.version + " → " + after.package.version;
    const Html paths = el("td", {{"class", "path soft"}},
                          el("div", {}, el("span", {{"class", "minus"}}, "− "), before.path.base_name()),
                          el("div", {}, el("span", {{"class", "plus"}}, "+ "), after.path.base_name()));
    rows += row(kind, after.package.name, versions, paths, change_text(before.nar_size, after.nar_size),
                direction_of(before.nar_size, after.nar_size));
  };
  for (size_t i = 0; i < first_of(difference.changed); ++i) pair("another version", difference.changed[i]);
  for (size_t i = 0; i < first_of(difference.rebuilt); ++i) pair("built anew", difference.rebuilt[i]);
  for (size_t i = 0; i < first_of(difference.added); ++i) {
    const Component& one = difference.added[i];
    rows += row("added", one.package.name, one.package.version, path_cell(one), change_text(0, one.nar_size),
                "plus");
  }
  for (size_t i = 0; i < first_of(difference.removed); ++i) {
    const Component& one = difference.removed[i];
    rows += row("removed", one.package.name, one.package.version, path_cell(one),
                change_text(one.nar_size, 0), "minus");
  }
  return rows;
}

Html link_to(const PackageBuild& build) {
  return el("a", {Attribute::href(selecting(Address({"packages", build.name}), build))}, build.version);
}

}  // namespace

WebPage package_difference_page(PagesContext& pages, const Call& call) {
  const std::vector<PackageBuild> builds = builds_of(pages.packages_for(call), call);
  const std::string& name = builds.front().name;
  for (const char* member : {"from", "to"})
    if (call.query(member).empty())
      throw Error(ErrorKind::invalid_input, "Two versions are compared, and only one is given, or none.",
                  "Choose both on the package's page.");
  const std::string system = call.query("system").empty() ? builds.front().system : call.query("system");
  const PackageBuild& before = build_for(builds, call.query("from"), system);
  const PackageBuild& after = build_for(builds, call.query("to"), system);
  const auto bill_before = pages.closures.of(before, call.caller());
  const auto bill_after = pages.closures.of(after, call.caller());
  const BillDifference difference = trust::difference(*bill_before, *bill_after);

  Html facts = fact("Size", change_text(difference.bytes_before, difference.bytes_after));
  facts += fact("Paths in both", std::to_string(difference.unchanged));
  facts += fact("Another version", std::to_string(difference.changed.size()));
  facts += fact("Built anew", std::to_string(difference.rebuilt.size()));
  facts += fact("Added", std::to_string(difference.added.size()));
  facts += fact("Removed", std::to_string(difference.removed.size()));

  Html main = el("p", {{"class", "above"}}, el("a", {Attribute::href(Address({}))}, "Packages"), " / ",
                 el("a", {Attribute::href(Address({"packages", name}))}, name));
  main += el("h1", {}, "What changed");
  main += el("p", {{"class", "lead"}},
             fmt::format("{} for {}, from {} to {}.", name, system, before.version, after.version));
  main += el("section", {{"class", "card"}, {"aria-label", "In short"}},
             el("dl", {{"class", "facts across"}}, facts));
  Html details = el("h2", {{"id", "paths"}}, "By store path");
  if (difference.empty()) {
    details += el("p", {}, "The closures are the same, path by path.");
  } else {
    details += table(
        fmt::format("{} → {}", size_text(difference.bytes_before), size_text(difference.bytes_after)),
        {{"Package"}, {"Change"}, {"Version"}, {"Bytes", "number"}, {"In /nix/store"}}, rows_of(difference));
    const size_t longest = std::max({difference.added.size(), difference.removed.size(),
                                     difference.changed.size(), difference.rebuilt.size()});
    if (longest > most_rows_of_a_kind)
      details += el("p", {{"class", "soft small"}},
                    fmt::format("Of each kind the first {} are shown.", most_rows_of_a_kind));
  }
  main += el("section", {{"aria-labelledby", "paths"}}, details);
  main += el("p", {}, "The versions: ", link_to(before), " and ", link_to(after), ".");
  return {.title = fmt::format("{} {} → {}", name, before.version, after.version),
          .section = Section::packages,
          .main = std::move(main)};
}

}  // namespace flox::server
