// The start page: all packages, or those that a search finds, narrowed by system, owner and licence.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>
#include <set>

#include "base/error.h"
#include "base/settings/units.h"
#include "server/pages/context.h"
#include "server/pages/parts.h"

namespace flox::server {
namespace {

constexpr size_t results_on_a_page = 20;
constexpr size_t values_of_a_facet = 10;
constexpr size_t longest_choice = 255;  // bytes

struct Choice {
  std::string term;
  Filter filter;

  static Choice of(const Call& call) {
    Choice choice{
        .term = call.query("q"),
        .filter = {
            .system = call.query("system"), .owner = call.query("owner"), .license = call.query("license")}};
    for (const std::string* text :
         {&choice.term, &choice.filter.system, &choice.filter.owner, &choice.filter.license})
      if (text->size() > longest_choice)
        fail(ErrorKind::invalid_input, "what is searched for is over {} bytes", longest_choice);
    return choice;
  }
  Address address() const {
    return Address({})
        .with("q", term)
        .with("system", filter.system)
        .with("owner", filter.owner)
        .with("license", filter.license);
  }
  bool is_filtered() const {
    return !filter.system.empty() || !filter.owner.empty() || !filter.license.empty();
  }
};

// The values of a facet as links: choosing one that is chosen takes it back.
Html facet(const char* title, const std::vector<FacetValue>& values, const Choice& choice,
           std::string Filter::*member) {
  if (values.empty()) return {};
  Html items;
  for (const auto& [value, count] : values) {
    const bool is_chosen = choice.filter.*member == value;
    Choice other = choice;
    other.filter.*member = is_chosen ? "" : value;
    const Html label = el("span", {}, value);
    const Html number = el("span", {{"class", "count"}}, is_chosen ? "✕" : std::to_string(count));
    items += el("li", {},
                is_chosen ? el("a",
                               {Attribute::href(other.address()),
                                {"aria-current", "true"},
                                {"aria-label", fmt::format("{} (chosen; remove it)", value)}},
                               label, number)
                          : el("a", {Attribute::href(other.address())}, label, number));
  }
  return el("div", {}, el("h2", {}, title), el("ul", {}, items));
}

// `built_for`: the systems that the package has builds for.
Html result(const catalog::PackageBuild& build, const std::set<std::string>& built_for,
            const std::string& system) {
  Html meta;
  const auto add = [&](const Html& item) { meta += el("li", {}, item); };
  add(build.owner.empty() ? Html("signed by no owner") : owner_link(build.owner));
  if (!build.license.empty()) add(build.license);
  add(fmt::format("{}", fmt::join(built_for, ", ")));
  add(el("span", {{"class", "number"}}, size_text(build.closure_size)));
  add(day(build.published_at));
  return el(
      "li", {},
      el("h3", {},
         el("a", {Attribute::href(Address({"packages", build.name}).with("system", system))}, build.name),
         el("span", {{"class", "version"}}, build.version)),
      build.description.empty() ? Html() : el("p", {}, build.description),
      el("ul", {{"class", "meta"}}, meta));
}

Html search_form(const Choice& choice) {
  Html kept;  // a new term keeps the choices
  const auto keep = [&](const char* name, const std::string& value) {
    if (!value.empty()) kept += el("input", {{"type", "hidden"}, {"name", name}, {"value", value}});
  };
  keep("system", choice.filter.system);
  keep("owner", choice.filter.owner);
  keep("license", choice.filter.license);
  return el("form",
            {{"class", "find"}, {"role", "search"}, {"method", "get"}, Attribute::action(Address({}))},
            el("label", {{"class", "unseen"}, {"for", "q"}}, "Search packages"),
            el("input", {{"type", "search"},
                         {"id", "q"},
                         {"name", "q"},
                         {"value", choice.term},
                         {"maxlength", "255"},
                         {"placeholder", "Name or description"},
                         {"autocomplete", "off"}}),
            kept, el("button", {{"type", "submit"}}, "Search"));
}

Html nothing_found(const Choice& choice, bool is_empty) {
  if (is_empty)
    return el("div", {{"class", "note"}}, el("p", {}, "Nothing is published here yet that everyone may see."),
              el("p", {}, "Publish a package with ", el("code", {}, "flox publish"), " or ",
                 el("code", {}, "flox import deb NAME --publish"), "."));
  Html advice;
  if (choice.is_filtered())
    advice = el("p", {}, el("a", {Attribute::href(Address({}).with("q", choice.term))}, "Search everywhere"));
  return el("div", {{"class", "note"}}, el("p", {}, "No package matches."), advice);
}

}  // namespace

WebPage search_page(PagesContext& pages, const Call& call) {
  const Choice choice = Choice::of(call);
  const VisibleRecords records = pages.packages_for(call);
  const Facets facets = records.facets(choice.term, choice.filter, values_of_a_facet);
  const size_t skip = slice_of(call, std::numeric_limits<size_t>::max(), results_on_a_page).first;
  const FoundPackages found =
      records.search(choice.term, choice.filter, {.after = {}, .skip = skip, .most = results_on_a_page});
  const Slice slice = slice_of(call, found.total, results_on_a_page);
  std::vector<std::string> names;
  for (const auto& build : found.builds) names.push_back(build.name);
  auto systems = records.systems(names);

  Html items;
  for (const auto& build : found.builds) items += result(build, systems[build.name], choice.filter.system);
  const std::string heading = choice.term.empty() && !choice.is_filtered()
                                  ? count_text(found.total, "package", "packages")
                                  : count_text(found.total, "package", "packages") + " found";
  Html narrowing = facet("System", facets.systems, choice, &Filter::system);
  narrowing += facet("Owner", facets.owners, choice, &Filter::owner);
  narrowing += facet("Licence", facets.licenses, choice, &Filter::license);

  const bool is_empty =
      found.total == 0 && choice.term.empty() &&
      (!choice.is_filtered() || records.search("", Filter(), {.after = {}, .skip = 0, .most = 0}).total == 0);

  Html main = el("h1", {}, "Packages");
  main += search_form(choice);
  main += el(
      "div", {{"class", "split"}},
      el("nav", {{"class", "facets"}, {"aria-label", "Narrow the list"}}, narrowing),
      el("section", {{"class", "first"}, {"aria-labelledby", "found"}}, el("h2", {{"id", "found"}}, heading),
         found.total == 0 ? nothing_found(choice, is_empty) : el("ol", {{"class", "results"}}, items),
         pager(slice, choice.address())));
  return {.title = choice.term.empty() ? "Packages" : fmt::format("“{}” in packages", choice.term),
          .section = Section::packages,
          .main = std::move(main)};
}

}  // namespace flox::server
