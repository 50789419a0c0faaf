#include "server/pages/environments.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/letter_case.h"
#include "server/pages/context.h"
#include "server/pages/generations.h"
#include "server/pages/parts.h"

namespace flox::server {
namespace {

constexpr size_t environments_on_a_page = 50;
constexpr size_t longest_name_part = 255;  // bytes

Html environment_row(const PagesContext& pages, const EnvironmentSummary& environment) {
  const auto latest = pages.api.environments.generations(environment.owner, environment.name, 1);
  Html pushed;
  if (!latest.empty()) pushed = day(latest.front().pushed_at);
  const EnvironmentAddress address{.owner = environment.owner, .name = environment.name};
  return el("tr", {},
            el("th", {{"scope", "row"}}, el("a", {Attribute::href(address.page())}, address.text())),
            el("td", {}, owner_link(environment.owner)),
            el("td", {{"class", "number"}}, std::to_string(environment.latest)), el("td", {}, pushed));
}

}  // namespace

Html environments_table(const PagesContext& pages, std::string_view caption,
                        const std::vector<EnvironmentSummary>& environments, const Slice& slice) {
  Html rows;
  for (size_t i = slice.first; i < slice.end; ++i) rows += environment_row(pages, environments[i]);
  return table(caption, {{"Environment"}, {"Owner"}, {"Generation", "number"}, {"Pushed"}}, rows);
}

std::vector<EnvironmentSummary> visible_environments(const PagesContext& pages, const Call& call,
                                                     const std::string& owner) {
  auto environments = pages.api.environments.list(owner);
  const auto hidden = pages.api.accounts.visibility.hidden_from(call.caller(), Kind::environment);
  std::erase_if(environments,
                [&](const EnvironmentSummary& one) { return hidden.contains(one.owner + "/" + one.name); });
  return environments;
}

WebPage environments_page(PagesContext& pages, const Call& call) {
  const std::string term = call.query("q");
  if (term.size() > longest_name_part)
    fail(ErrorKind::invalid_input, "what is searched for is over {} bytes", longest_name_part);
  auto environments = visible_environments(pages, call, "");
  const bool has_any = !environments.empty();
  std::erase_if(environments, [wanted = lower_case(term)](const EnvironmentSummary& one) {
    return lower_case(one.owner + "/" + one.name).find(wanted) == std::string::npos;
  });
  const Slice slice = slice_of(call, environments.size(), environments_on_a_page);
  const Address here = Address({"environments"});

  Html main = el("h1", {}, "Environments");
  main += el("form", {{"class", "find"}, {"role", "search"}, {"method", "get"}, Attribute::action(here)},
             el("label", {{"class", "unseen"}, {"for", "q"}}, "Search environments"),
             el("input", {{"type", "search"},
                          {"id", "q"},
                          {"name", "q"},
                          {"value", term},
                          {"maxlength", "255"},
                          {"placeholder", "Owner or name"},
                          {"autocomplete", "off"}}),
             el("button", {{"type", "submit"}}, "Search"));
  Html list = el("h2", {{"id", "found"}}, count_text(environments.size(), "environment", "environments"));
  if (environments.empty()) {
    list += el("div", {{"class", "note"}},
               has_any ? el("p", {}, "No environment matches.")
                       : el("p", {}, "Nothing is published here yet that everyone may see. Publish one with ",
                            el("code", {}, "flox push --owner OWNER"), "."));
  } else {
    list += environments_table(pages, "By owner and name", environments, slice);
    list += pager(slice, here.with("q", term));
  }
  main += el("section", {{"aria-labelledby", "found"}}, list);
  return {.title = "Environments", .section = Section::environments, .main = std::move(main)};
}

}  // namespace flox::server
