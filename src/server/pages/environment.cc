// An environment: one of its generations, and all of them.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/rfc3339.h"
#include "server/api/nodes.h"
#include "server/pages/context.h"
#include "server/pages/generations.h"
#include "server/pages/parts.h"
#include "server/pages/snippets.h"
#include "server/pages/trust_view.h"

namespace flox::server {
namespace {

constexpr size_t generations_on_a_page = 20;
constexpr size_t generations_to_compare = 100;
constexpr size_t most_packages = 500;
constexpr size_t most_reporting_nodes = 100;
constexpr size_t longest_manifest = 64 << 10;  // bytes that are shown

// One package of a lock, on all its systems.
struct Installed {
  std::string package, version;
  std::set<std::string> systems;
};

std::map<std::string, std::vector<Installed>> installed_in(const env::Lockfile& lock) {
  std::map<std::string, std::vector<Installed>> result;  // by install id
  for (const env::LockedPackage& package : lock.packages) {
    auto& versions = result[package.install_id];
    const auto same = std::ranges::find_if(versions, [&](const Installed& one) {
      return one.package == package.attr_path && one.version == package.version;
    });
    Installed& one = same != versions.end()
                         ? *same
                         : versions.emplace_back(Installed{
                               .package = package.attr_path, .version = package.version, .systems = {}});
    one.systems.insert(package.system);
  }
  return result;
}

Html packages_of(const VisibleRecords& records, const Generation& generation) {
  const auto installed = installed_in(generation.lock);
  const auto names = records.names();
  Html rows;
  size_t shown = 0;
  for (const auto& [id, versions] : installed)
    for (const Installed& one : versions) {
      if (++shown > most_packages) break;
      // A package of another catalog has no page here.
      const bool is_here = std::ranges::binary_search(*names, one.package);
      rows += el(
          "tr", {}, el("th", {{"scope", "row"}}, id),
          el("td", {},
             is_here
                 ? el("a", {Attribute::href(Address({"packages", one.package}).with("version", one.version))},
                      one.package)
                 : Html(one.package)),
          el("td", {}, one.version), el("td", {}, fmt::format("{}", fmt::join(one.systems, ", "))));
    }
  Html section = el("h2", {{"id", "packages"}}, "Packages");
  if (shown == 0)
    section += el("p", {{"class", "soft"}}, "This generation has none.");
  else
    section += table(fmt::format("What generation {} locks", generation.number),
                     {{"Installed as"}, {"Package"}, {"Version"}, {"Systems"}}, rows);
  if (shown > most_packages)
    section += el("p", {{"class", "soft small"}}, fmt::format("The first {} are shown.", most_packages));
  return el("section", {{"aria-labelledby", "packages"}}, section);
}

Html manifest_of(const Generation& generation) {
  const std::string_view shown = std::string_view(generation.manifest).substr(0, longest_manifest);
  Html section = el("h2", {{"id", "manifest"}}, "Manifest");
  section += el("pre", {{"tabindex", "0"}, {"role", "region"}, {"aria-label", "Text of the manifest"}},
                el("code", {}, shown));
  if (shown.size() < generation.manifest.size())
    section += el("p", {{"class", "soft small"}}, fmt::format("The first {} bytes are shown.", shown.size()));
  return el("section", {{"aria-labelledby", "manifest"}}, section);
}

// `before`: the next older generation.
Html use_of(const EnvironmentAddress& environment, const Generation& generation, bool is_latest,
            std::optional<int64_t> before) {
  const std::string reference = fmt::format("{}:{}", environment.text(), generation.number);
  Html stack = el("p", {}, "On a machine:");
  stack +=
      lines_to_copy("Command to pull", "flox pull " + shell_word(is_latest ? environment.text() : reference));
  if (is_latest) {
    stack += el("p", {}, "In Kubernetes, as a Deployment that stays at this generation:");
    stack += lines_to_copy("Deployment", deployment(environment.name, reference, "sh"));
    if (before) {
      stack += el("p", {}, "To roll back to the generation before; ", el("code", {}, "NAME"),
                  " is your Deployment:");
      stack += lines_to_copy("Command to roll back",
                             rollback_command(fmt::format("{}:{}", environment.text(), *before)));
    }
  } else {
    stack += el("p", {}, "Roll back to it; ", el("code", {}, "NAME"), " is your Deployment:");
    stack += lines_to_copy("Command to roll back", rollback_command(reference));
  }
  return el("section", {{"class", "first"}, {"aria-labelledby", "use"}},
            el("h2", {{"id", "use"}}, is_latest ? "Use it" : "Go back to it"),
            el("div", {{"class", "stack"}}, stack));
}

Html select_generation(const char* label, const char* name, const std::vector<GenerationSummary>& generations,
                       int64_t chosen) {
  Html options;
  for (const auto& [number, pushed_at] : generations)
    options += el("option", {{"value", std::to_string(number)}, {"selected", number == chosen}},
                  std::to_string(number));
  return el("label", {}, label, el("select", {{"name", name}}, options));
}

Html generations_view(const PagesContext& pages, const Call& call, const EnvironmentAddress& environment,
                      int64_t shown, int64_t latest) {
  const int64_t count = pages.api.environments.count(environment.owner, environment.name);
  const Slice slice = slice_of(call, static_cast<size_t>(count), generations_on_a_page);
  // One more: what the last of the page is compared with.
  const auto newest = pages.api.environments.generations(environment.owner, environment.name, slice.end + 1);
  Html rows;
  for (size_t i = slice.first; i < std::min(slice.end, newest.size()); ++i) {
    const auto& [number, pushed_at] = newest[i];
    const int64_t before = i + 1 < newest.size() ? newest[i + 1].number : 0;  // 0: none
    Html cells = el("th", {{"scope", "row"}},
                    el("a", {Attribute::href(environment.page(number))}, std::to_string(number)));
    cells += el("td", {}, day(pushed_at));
    cells += el("td", {}, badge_of(signedness_of(pages, environment.owner, environment.name, number)));
    cells += el("td", {},
                before > 0 ? el("a",
                                {Attribute::href(environment.difference()
                                                     .with("from", std::to_string(before))
                                                     .with("to", std::to_string(number)))},
                                "What changed",
                                el("span", {{"class", "unseen"}}, fmt::format(" in generation {}", number)))
                           : Html(number == 1 ? "the first" : "the oldest that is kept"));
    rows += number == shown ? el("tr", {{"aria-current", "true"}}, cells) : el("tr", {}, cells);
  }
  Html section = el("h2", {{"id", "generations"}}, "Generations");
  section +=
      table(count_text(static_cast<uint64_t>(count), "generation", "generations") + ", the newest first",
            {{"Generation"}, {"Pushed"}, {"Signed"}, {"Change"}}, rows);
  section += pager(slice, environment.page(shown));
  if (count > 1) {
    const auto all =
        pages.api.environments.generations(environment.owner, environment.name, generations_to_compare);
    section += el("h3", {}, "Compare two");
    section += el("form",
                  {{"class", "fields"},
                   {"method", "get"},
                   {"aria-label", "Compare two generations"},
                   Attribute::action(environment.difference())},
                  select_generation("From", "from", all, shown == latest ? all[1].number : shown),
                  select_generation("To", "to", all, latest), el("button", {{"type", "submit"}}, "Compare"));
  }
  return el("section", {{"aria-labelledby", "generations"}}, section);
}

// For who may see nodes of it: names of the caller's own, and how many others there are.
Html nodes_view(const PagesContext& pages, const Call& call, const EnvironmentAddress& environment) {
  const VisibleNodes visible(pages.api, call.caller(), environment.owner, environment.name);
  auto nodes = visible.some(most_reporting_nodes + 1);
  const auto others = visible.others();
  if (nodes.empty() && !others) return {};
  const bool has_more = nodes.size() > most_reporting_nodes;
  if (has_more) nodes.pop_back();
  Html rows;
  for (const SeenOnNode& one : nodes)
    rows +=
        el("tr", {}, el("th", {{"scope", "row"}}, one.node), el("td", {}, owner_link(one.reporter)),
           el("td", {},
              el("a", {Attribute::href(environment.page(one.generation))}, std::to_string(one.generation))),
           el("td", {{"class", "number"}}, number_text(static_cast<uint64_t>(one.containers))),
           el("td", {}, rfc3339(one.heard_at)));
  Html section = el("h2", {{"id", "nodes"}}, "Nodes that run it");
  if (!nodes.empty())
    section += table("As they reported last",
                     {{"Node"}, {"Owner"}, {"Generation"}, {"Containers", "number"}, {"Heard"}}, rows);
  if (has_more)
    section +=
        el("p", {{"class", "soft small"}}, fmt::format("The first {} are shown.", most_reporting_nodes));
  if (others && *others > 0)
    section += el("p", {},
                  count_text(static_cast<uint64_t>(*others), "node of another owner runs it.",
                             "nodes of other owners run it."));
  if (nodes.empty() && others == 0)
    section += el("p", {{"class", "soft"}}, "No node reports that it runs it. Nodes with the setting ",
                  el("code", {}, "report_environments"), " report.");
  return el("section", {{"aria-labelledby", "nodes"}}, section);
}

}  // namespace

WebPage environment_page(PagesContext& pages, const Call& call) {
  const EnvironmentAddress environment = environment_of(pages, call);
  const Generation generation = generation_of(pages, environment, call.query("generation"));
  const int64_t latest =
      pages.api.environments.generations(environment.owner, environment.name, 1).front().number;
  const bool is_latest = generation.number == latest;
  const Signedness signedness = signedness_of(pages, environment.owner, environment.name, generation.number);

  Html main =
      el("p", {{"class", "above"}}, el("a", {Attribute::href(Address({"environments"}))}, "Environments"),
         " / ", owner_link(environment.owner));
  main += el("h1", {}, environment.name, " ",
             el("span", {{"class", "soft"}}, fmt::format("generation {}", generation.number)));
  main += el("p", {{"class", "badges"}}, badge_of(signedness),
             is_latest ? Html() : badge("", fmt::format("{} is newer", latest)));
  Html facts = fact("Owner", owner_link(environment.owner));
  facts += fact("Generation", generation.number == latest
                                  ? fmt::format("{}, the latest", latest)
                                  : fmt::format("{}; the latest is {}", generation.number, latest));
  facts += fact("Pushed", day(generation.pushed_at));
  facts += fact("Signed metadata", signedness_view(signedness, environment.owner));
  main +=
      el("div", {{"class", "split right"}},
         use_of(environment, generation, is_latest, generation_before(pages, environment, generation.number)),
         el("aside", {{"class", "card"}, {"aria-labelledby", "facts"}},
            el("h2", {{"id", "facts"}}, "This generation"), el("dl", {{"class", "facts"}}, facts)));
  main += nodes_view(pages, call, environment);
  main += packages_of(pages.packages_for(call), generation);
  main += manifest_of(generation);
  main += generations_view(pages, call, environment, generation.number, latest);
  return {.title = environment.text(), .section = Section::environments, .main = std::move(main)};
}

}  // namespace flox::server
