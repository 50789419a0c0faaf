// What differs between two generations of an environment: by package, and in the manifest.
#include <fmt/format.h>

#include <map>

#include "base/error.h"
#include "server/pages/context.h"
#include "server/pages/generations.h"
#include "server/pages/line_difference.h"
#include "server/pages/parts.h"
#include "server/pages/snippets.h"

namespace flox::server {
namespace {

constexpr size_t most_changes = 500;

// Packages by where they are installed: install id and system.
using LockedPackages = std::map<std::pair<std::string, std::string>, const env::LockedPackage*>;
LockedPackages locked_in(const env::Lockfile& lock) {
  LockedPackages result;
  for (const env::LockedPackage& package : lock.packages)
    result.emplace(std::pair(package.install_id, package.system), &package);
  return result;
}

class ChangeRows {
 public:
  void add(const std::pair<std::string, std::string>& place, const char* kind, const std::string& before,
           const std::string& after) {
    if (++count_ > most_changes) return;
    Html versions;
    if (before.empty() || after.empty() || before == after)
      versions = Html(after.empty() ? before : after);
    else
      versions = Html(before + " → " + after);
    rows_ += el("tr", {}, el("th", {{"scope", "row"}}, place.first), el("td", {}, kind),
                el("td", {}, versions), el("td", {}, place.second));
  }
  size_t count() const noexcept { return count_; }
  const Html& rows() const noexcept { return rows_; }

 private:
  Html rows_;
  size_t count_ = 0;
};

std::string name_and_version(const env::LockedPackage& package) {
  return package.attr_path + " " + package.version;
}

Html package_changes(const Generation& before, const Generation& after) {
  const LockedPackages old = locked_in(before.lock);
  const LockedPackages fresh = locked_in(after.lock);
  ChangeRows changes;
  for (const auto& [place, package] : fresh) {
    const auto found = old.find(place);
    if (found == old.end()) {
      changes.add(place, "added", "", name_and_version(*package));
      continue;
    }
    const std::string was = name_and_version(*found->second);
    const std::string is = name_and_version(*package);
    if (was != is)
      changes.add(place, "another version", was, is);
    else if (found->second->store_paths() != package->store_paths())
      changes.add(place, "built anew", was, is);
  }
  for (const auto& [place, package] : old)
    if (!fresh.contains(place)) changes.add(place, "removed", name_and_version(*package), "");
  Html section = el("h2", {{"id", "packages"}}, "Packages");
  if (changes.count() == 0) {
    section += el("p", {}, "Both generations lock the same packages.");
  } else {
    section += table(count_text(changes.count(), "change", "changes"),
                     {{"Installed as"}, {"Change"}, {"Package"}, {"System"}}, changes.rows());
    if (changes.count() > most_changes)
      section += el("p", {{"class", "soft small"}}, fmt::format("The first {} are shown.", most_changes));
  }
  return el("section", {{"aria-labelledby", "packages"}}, section);
}

Html manifest_changes(const Generation& before, const Generation& after) {
  using Kind = DifferenceLine::Kind;
  Html lines;
  for (const auto& [kind, text] : line_difference(before.manifest, after.manifest)) {
    switch (kind) {
      case Kind::same:
        lines += el("span", {}, "  ", text);
        break;
      case Kind::removed:
        lines += el("span", {{"class", "minus"}}, "− ", text);
        break;
      case Kind::added:
        lines += el("span", {{"class", "plus"}}, "+ ", text);
        break;
      case Kind::left_out:
        lines += el("span", {{"class", "gap"}}, "  ⋯");
    }
  }
  Html section = el("h2", {{"id", "manifest"}}, "Manifest");
  section += lines.empty() ? el("p", {}, "The manifests are the same.")
                           : el("pre",
                                {{"class", "lines"},
                                 {"tabindex", "0"},
                                 {"role", "region"},
                                 {"aria-label", "Lines that differ"}},
                                lines);
  return el("section", {{"aria-labelledby", "manifest"}}, section);
}

Html link_to_generation(const EnvironmentAddress& environment, int64_t number) {
  return el("a", {Attribute::href(environment.page(number))}, fmt::format("generation {}", number));
}

}  // namespace

WebPage environment_difference_page(PagesContext& pages, const Call& call) {
  const EnvironmentAddress environment = environment_of(pages, call);
  for (const char* member : {"from", "to"})
    if (call.query(member).empty())
      throw Error(ErrorKind::invalid_input, "Two generations are compared, and only one is given, or none.",
                  "Choose both on the environment's page.");
  const Generation before = generation_of(pages, environment, call.query("from"));
  const Generation after = generation_of(pages, environment, call.query("to"));
  Html main =
      el("p", {{"class", "above"}}, el("a", {Attribute::href(Address({"environments"}))}, "Environments"),
         " / ", el("a", {Attribute::href(environment.page())}, environment.text()));
  main += el("h1", {}, "What changed");
  main += el("p", {{"class", "lead"}}, "From ", link_to_generation(environment, before.number), " to ",
             link_to_generation(environment, after.number), ".");
  main += package_changes(before, after);
  main += manifest_changes(before, after);
  main += el("section", {{"aria-labelledby", "back"}},
             el("h2", {{"id", "back"}}, fmt::format("Go back to generation {}", before.number)),
             el("div", {{"class", "stack"}}, el("p", {}, el("code", {}, "NAME"), " is your Deployment:"),
                lines_to_copy("Command to roll back",
                              rollback_command(fmt::format("{}:{}", environment.text(), before.number)))));
  return {.title = fmt::format("{}, {} → {}", environment.text(), before.number, after.number),
          .section = Section::environments,
          .main = std::move(main)};
}

}  // namespace flox::server
