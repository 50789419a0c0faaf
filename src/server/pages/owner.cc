// An owner: what it publishes, and its keys.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "base/settings/units.h"
#include "catalog/environment_name.h"
#include "server/pages/environments.h"
#include "server/pages/snippets.h"
#include "trust/trust_store.h"

namespace flox::server {
namespace {

constexpr size_t packages_on_a_page = 50;
constexpr size_t most_environments = 200;  // a page for itself has them all

std::string keys_of(const trust::Role& role, const trust::Keys& keys) {
  std::vector<std::string> names;
  for (const std::string& id : role.keyids) names.push_back(trust::describe_key(id, keys));
  return fmt::format("{}{}", fmt::join(names, ", "),
                     role.keyids.size() == 1
                         ? std::string()
                         : fmt::format(" ({} of {} must sign)", role.threshold, names.size()));
}

// What the root says. Nothing if the owner has none.
Html root_view(const PagesContext& pages, const std::string& owner) {
  if (!pages.api.trust.has_root(owner))
    return el("div", {{"class", "note warn"}},
              el("p", {}, "This owner has published no root: nothing of it is signed, and only nodes with ",
                 el("code", {}, "allow_unsigned"), " run it."));
  const auto root = trust::Signed<trust::Root>::parse(pages.api.trust.root(owner), "root.json");
  Html facts = fact("Root", fmt::format("version {}", root.content.version));
  facts += fact("Valid until", day(trust::time_text(root.content.expires)));
  facts += fact("Root keys", keys_of(root.content.root, root.content.keys));
  facts += fact("Keys for delegations", keys_of(root.content.targets, root.content.keys));
  const std::string fingerprint = trust::fingerprint_of(root);
  facts += fact("Fingerprint", el("span", {{"class", "path"}}, fingerprint));
  Html view = el("dl", {{"class", "facts"}}, facts);
  view +=
      el("p", {}, "Compare the fingerprint with the one that the owner gives you elsewhere, then trust it:");
  view += lines_to_copy(
      "Command to trust the owner",
      fmt::format("flox trust accept {} --from-catalog --fingerprint {}", shell_word(owner), fingerprint));
  return view;
}

Html delegations_view(const PagesContext& pages, const std::string& owner) {
  Html rows;
  try {
    const auto targets = trust::Signed<trust::Targets>::parse(pages.api.trust.targets(owner), "targets.json");
    for (const trust::DelegatedRole& role : targets.content.roles)
      rows += el("tr", {}, el("th", {{"scope", "row"}}, role.name),
                 el("td", {{"class", "path"}}, fmt::format("{}", fmt::join(role.paths, ", "))),
                 el("td", {}, keys_of(role, targets.content.keys)));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
  }
  if (rows.empty()) return {};
  return table("Who may sign which names", {{"Role"}, {"Names"}, {"Keys"}}, rows);
}

Html packages_table(const VisibleRecords& records, const std::vector<std::string>& names,
                    const Slice& slice) {
  Html rows;
  for (size_t i = slice.first; i < slice.end; ++i) {
    const auto builds = records.builds(names[i]);
    if (builds.empty()) continue;
    const catalog::PackageBuild& newest = builds.front();
    rows += el("tr", {},
               el("th", {{"scope", "row"}},
                  el("a", {Attribute::href(Address({"packages", newest.name}))}, newest.name)),
               el("td", {}, newest.version), el("td", {{"class", "number"}}, size_text(newest.closure_size)),
               el("td", {}, day(newest.published_at)));
  }
  return table("By name, with the newest version",
               {{"Package"}, {"Version"}, {"Size", "number"}, {"Published"}}, rows);
}

// The packages of the owner that the caller may see.
std::vector<std::string> packages_of_owner(const PagesContext& pages, const VisibleRecords& records,
                                           const std::string& owner) {
  const auto visible = records.names();
  std::vector<std::string> names = pages.api.accounts.holdings.owned(Kind::package, owner);
  std::erase_if(names, [&](const std::string& name) { return !std::ranges::binary_search(*visible, name); });
  return names;
}

}  // namespace

WebPage owner_page(PagesContext& pages, const Call& call) {
  const std::string owner = call.parameter("name");
  catalog::check_environment_name(owner, "any");
  const VisibleRecords records = pages.packages_for(call);
  const std::vector<std::string> packages = packages_of_owner(pages, records, owner);
  const auto environments = visible_environments(pages, call, owner);
  const auto known = pages.api.accounts.owners.find(owner);
  const bool is_known = known || pages.api.trust.has_root(owner);
  if (!pages.api.accounts.visibility.may_see_owner(call.caller(), owner) ||
      (packages.empty() && environments.empty() && !is_known))
    throw Error(ErrorKind::not_found,
                fmt::format("The catalog has no owner {} that everyone may see.", owner),
                "Look for its packages.");

  const Slice slice = slice_of(call, packages.size(), packages_on_a_page);
  Html own = el("h2", {{"id", "packages"}}, "Packages");
  if (packages.empty()) {
    own += el("p", {{"class", "soft"}}, "None that everyone may see.");
  } else {
    own += packages_table(records, packages, slice);
    own += pager(slice, Address({"owners", owner}));
  }
  Html shared = el("h2", {{"id", "environments"}}, "Environments");
  if (environments.empty())
    shared += el("p", {{"class", "soft"}}, "None that everyone may see.");
  else
    shared += environments_table(pages, "By name", environments,
                                 {.first = 0, .end = std::min(environments.size(), most_environments)});
  if (environments.size() > most_environments)
    shared += el("p", {},
                 el("a", {Attribute::href(Address({"environments"}).with("q", owner + "/"))}, "All of them"));
  Html keys = el("h2", {{"id", "keys"}}, "Keys");
  keys += root_view(pages, owner);

  Html main = el("p", {{"class", "above"}}, "Owner");
  main += el("h1", {}, owner);
  main += el("p", {{"class", "lead"}},
             fmt::format("{}, {}.", count_text(packages.size(), "package", "packages"),
                         count_text(environments.size(), "environment", "environments")));
  main += el("div", {{"class", "split right"}},
             el("div", {}, el("section", {{"class", "first"}, {"aria-labelledby", "packages"}}, own),
                el("section", {{"aria-labelledby", "environments"}}, shared)),
             el("aside", {{"class", "card stack"}, {"aria-labelledby", "keys"}}, keys));
  if (const Html delegations = delegations_view(pages, owner); !delegations.empty())
    main += el("section", {{"aria-labelledby", "signers"}}, el("h2", {{"id", "signers"}}, "Who may sign"),
               delegations);
  return {.title = owner, .section = Section::none, .main = std::move(main)};
}

}  // namespace flox::server
