// A package: one of its builds, what that needs, who says so, and all versions.
#include <fmt/format.h>

#include <algorithm>

#include "base/settings/units.h"
#include "server/pages/closure_view.h"
#include "server/pages/context.h"
#include "server/pages/parts.h"
#include "server/pages/selection.h"
#include "server/pages/snippets.h"
#include "server/pages/trust_view.h"

namespace flox::server {
namespace {

using catalog::PackageBuild;

constexpr size_t versions_on_a_page = 20;
constexpr size_t most_choices = 100;  // versions to compare

// A version with the builds of it.
using Version = std::vector<const PackageBuild*>;
std::vector<Version> versions_of(const std::vector<PackageBuild>& builds) {
  std::vector<Version> versions;
  for (const PackageBuild& build : builds) {
    if (versions.empty() || versions.back().front()->version != build.version) versions.emplace_back();
    versions.back().push_back(&build);
  }
  return versions;
}

Address address_of(const PackageBuild& build) { return selecting(Address({"packages", build.name}), build); }

std::string reference_to(const PackageBuild& build) { return build.name + "@" + build.version; }

Html heading(const PackageBuild& build, const Signedness& signedness) {
  Html above = el("a", {Attribute::href(Address({}))}, "Packages");
  if (!build.owner.empty()) {
    above += " / ";
    above += owner_link(build.owner);
  }
  Html head = el("p", {{"class", "above"}}, above);
  head += el("h1", {}, build.name, " ", el("span", {{"class", "soft"}}, build.version));
  if (!build.description.empty()) head += el("p", {{"class", "lead"}}, build.description);
  // What is signed says so itself; nobody has signed that an unsigned one is yanked.
  const bool says_yanked = signedness.state == Signedness::State::yanked;
  head += el("p", {{"class", "badges"}}, badge_of(signedness),
             build.yanked && !says_yanked ? badge("bad", "Yanked") : Html());
  if (build.yanked)
    head += el("div", {{"class", "note warn"}}, el("p", {}, "This version is yanked: ", *build.yanked));
  return head;
}

Html facts_of(const PackageBuild& build) {
  Html facts = fact("Runs on", runs_on(build));
  facts += fact("Licence", build.license.empty() ? Html("not stated") : Html(build.license));
  facts += fact("Owner", build.owner.empty() ? Html("none") : owner_link(build.owner));
  facts += fact("Size with all it needs", size_text(build.closure_size));
  facts += fact("Published", day(build.published_at));
  facts += fact("Key of its store paths", build.signer.empty() ? Html("unknown") : Html(build.signer));
  Html outputs;
  for (const auto& [output, path] : build.outputs)
    outputs +=
        el("div", {{"class", "path"}}, build.outputs.size() == 1 ? "" : output + ": ", path.to_string());
  facts += fact(build.outputs.size() == 1 ? "Store path" : "Store paths", outputs);
  return el("aside", {{"class", "card"}, {"aria-labelledby", "facts"}},
            el("h2", {{"id", "facts"}}, "This build"), el("dl", {{"class", "facts"}}, facts));
}

// Of a yanked version: what to use in its place.
Html use_another(const std::vector<PackageBuild>& builds) {
  const auto other = std::ranges::find_if(builds, [&](const PackageBuild& one) { return !one.yanked; });
  Html text = el("p", {},
                 "Its owner has withdrawn it: no new lock gets it. Environments that have locked it keep it, "
                 "and so do their pods.");
  text += other == builds.end()
              ? el("p", {}, "No version of the package is left that is not yanked.")
              : el("p", {}, "Use ", el("a", {Attribute::href(address_of(*other))}, other->version),
                   ", the newest version that is not yanked.");
  return el("section", {{"class", "first"}, {"aria-labelledby", "use"}},
            el("h2", {{"id", "use"}}, "Use another version"), el("div", {{"class", "stack"}}, text));
}

Html use(const PackageBuild& build, const std::vector<PackageBuild>& builds) {
  if (build.yanked) return use_another(builds);
  const std::string reference = reference_to(build);
  return el("section", {{"class", "first"}, {"aria-labelledby", "use"}}, el("h2", {{"id", "use"}}, "Use it"),
            el("div", {{"class", "stack"}}, el("p", {}, "In an environment:"),
               lines_to_copy("Command to install", "flox install " + shell_word(reference)),
               el("p", {}, "In Kubernetes, as a Deployment. The program is a guess by the package's name:"),
               lines_to_copy("Deployment", deployment(build.name, reference, build.name))));
}

Html closure(PagesContext& pages, const Call& call, const PackageBuild& build) {
  Html section = el("h2", {{"id", "closure"}}, "What it needs");
  try {
    const auto bill = pages.closures.of(build, call.caller());
    section +=
        el("p", {{"class", "soft"}},
           fmt::format("{}, {} unpacked.", count_text(bill->components.size(), "store path", "store paths"),
                       size_text(bytes_of_closure(*bill))));
    section += closure_view(*bill);
    const auto link = [&](const char* format, const char* text) {
      const std::string file = std::string("sbom.") + format + ".json";
      return el("a", {Attribute::href(selecting(Address({"packages", build.name, file}), build))}, text);
    };
    section += el("h3", {}, "Bill of materials");
    section += el("p", {}, link("spdx", "SPDX 2.3"), " · ", link("cyclonedx", "CycloneDX 1.6"));
    section +=
        el("p", {{"class", "soft small"}},
           "Made from the binary cache's index: names and versions of what the package needs are by their "
           "store paths. ",
           el("code", {}, "flox sbom " + shell_word(reference_to(build))),
           " on a machine that has it also reads licences and package URLs from the files.");
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::invalid_input) throw;
    section +=
        el("div", {{"class", "note warn"}}, el("p", {}, "Its closure cannot be shown: ", error.what(), "."));
  }
  return el("section", {{"aria-labelledby", "closure"}}, section);
}

Html provenance(const PagesContext& pages, const Call& call, const PackageBuild& build,
                const Signedness& signedness) {
  return el("section", {{"aria-labelledby", "provenance"}},
            el("h2", {{"id", "provenance"}}, "Where it comes from"),
            el("div", {{"class", "pair"}},
               el("div", {}, el("h3", {}, "Signed metadata"), signedness_view(signedness, build.owner)),
               el("div", {}, el("h3", {}, "Build"), build_view(pages, call, build))),
            el("p", {{"class", "soft small"}}, "This is what the catalog says. Check it yourself: ",
               el("code", {}, "flox verify " + shell_word(reference_to(build)))));
}

Html version_row(const Version& version, const PackageBuild& chosen) {
  const PackageBuild& first = *version.front();
  const bool is_here = first.version == chosen.version;
  Html systems;
  for (const PackageBuild* build : version) {
    if (!systems.empty()) systems += " · ";
    systems += build == &chosen ? el("span", {}, runs_on(*build))
                                : el("a", {Attribute::href(address_of(*build))}, runs_on(*build));
  }
  Html cells = el("th", {{"scope", "row"}}, el("a", {Attribute::href(address_of(first))}, first.version),
                  first.yanked ? el("span", {{"class", "soft"}}, " yanked") : Html());
  cells += el("td", {}, systems);
  cells += el("td", {{"class", "number"}}, size_text(first.closure_size));
  cells += el("td", {}, day(first.published_at));
  if (is_here) return el("tr", {{"aria-current", "true"}}, cells);
  return el("tr", {}, cells);
}

Html select(const char* label, const char* name, const std::vector<std::string>& values,
            const std::string& chosen) {
  Html options;
  for (const std::string& value : values)
    options += el("option", {{"value", value}, {"selected", value == chosen}}, value);
  return el("label", {}, label, el("select", {{"name", name}}, options));
}

Html comparison(const PackageBuild& chosen, const std::vector<Version>& versions) {
  std::vector<std::string> names, systems;
  std::string before = versions.back().front()->version;
  for (size_t i = 0; i < versions.size() && names.size() < most_choices; ++i) {
    names.push_back(versions[i].front()->version);
    if (names.back() == chosen.version && i + 1 < versions.size()) before = versions[i + 1].front()->version;
    for (const PackageBuild* build : versions[i])
      if (std::ranges::find(systems, build->system) == systems.end()) systems.push_back(build->system);
  }
  return el("form",
            {{"class", "fields"},
             {"method", "get"},
             {"aria-label", "Compare two versions"},
             Attribute::action(Address({"packages", chosen.name, "difference"}))},
            select("From", "from", names, before), select("To", "to", names, chosen.version),
            select("System", "system", systems, chosen.system),
            el("button", {{"type", "submit"}}, "Compare"));
}

Html versions_view(const Call& call, const PackageBuild& chosen, const std::vector<Version>& versions) {
  const Slice slice = slice_of(call, versions.size(), versions_on_a_page);
  Html rows;
  for (size_t i = slice.first; i < slice.end; ++i) rows += version_row(versions[i], chosen);
  Html section = el("h2", {{"id", "versions"}}, "Versions");
  section += table(count_text(versions.size(), "version", "versions") + ", the newest first",
                   {{"Version"}, {"Runs on"}, {"Size", "number"}, {"Published"}}, rows);
  section += pager(slice, address_of(chosen));
  if (versions.size() > 1) {
    section += el("h3", {}, "What changed");
    section += comparison(chosen, versions);
  }
  return el("section", {{"aria-labelledby", "versions"}}, section);
}

}  // namespace

WebPage package_page(PagesContext& pages, const Call& call) {
  const std::vector<PackageBuild> builds = builds_of(pages.packages_for(call), call);
  const PackageBuild& build = selected(builds, Selection::of(call));
  const Signedness signedness = signedness_of(pages, build);
  Html main = heading(build, signedness);
  main += el("div", {{"class", "split right"}}, use(build, builds), facts_of(build));
  main += closure(pages, call, build);
  main += provenance(pages, call, build, signedness);
  main += versions_view(call, build, versions_of(builds));
  return {.title = build.name + " " + build.version, .section = Section::packages, .main = std::move(main)};
}

}  // namespace flox::server
