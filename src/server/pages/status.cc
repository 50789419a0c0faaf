// Whether the catalog is well, and what it has.
#include <fmt/format.h>

#include <functional>

#include "base/error.h"
#include "base/log.h"
#include "base/settings/units.h"
#include "server/pages/environments.h"

namespace flox::server {
namespace {

bool is_well(const char* what, const std::function<void()>& check) {
  try {
    check();
    return true;
  } catch (const Error& error) {
    log::warning("the status page: {}: {}", what, error.what());
    return false;
  }
}

Html health(const char* what, bool is_well, const char* meaning) {
  return el("tr", {}, el("th", {{"scope", "row"}}, what),
            el("td", {}, is_well ? badge("good", "Works") : badge("bad", "Not available")),
            el("td", {}, meaning));
}

Html counts(const PagesContext& pages, const Call& call) {
  const auto names = pages.packages_for(call).names();
  const auto environments = visible_environments(pages, call, "");
  int64_t generations = 0;
  for (const EnvironmentSummary& one : environments) generations += one.generations;
  Html facts = fact("Packages", number_text(names->size()));
  facts += fact("Builds of them", number_text(static_cast<uint64_t>(pages.api.records.count())));
  facts += fact("Environments", number_text(environments.size()));
  facts += fact("Generations", number_text(static_cast<uint64_t>(generations)));
  facts += fact("Size of the cache", size_text(pages.api.cache.used()));
  return el("dl", {{"class", "facts across"}}, facts);
}

}  // namespace

WebPage status_page(PagesContext& pages, const Call& call) {
  const bool database = is_well("database", [&] { pages.api.records.check(); });
  const bool files = is_well("files", [&] { pages.api.cache.check(); });
  const RegisteredKeys& keys = pages.api.keys;

  Html main = el("h1", {}, "Status");
  main += el("p", {{"class", "lead"}},
             database && files ? "Everything works."
                               : "A part of the catalog is not available. What needs it is refused.");
  Html parts = health("Database", database, "Which packages and environments there are");
  parts += health("Files", files, "What packages are fetched from");
  main +=
      el("section", {{"class", "first"}, {"aria-labelledby", "parts"}}, el("h2", {{"id", "parts"}}, "Health"),
         table("Parts of the catalog", {{"Part"}, {"State"}, {"What it is for"}}, parts));
  if (database)
    main += el("section", {{"aria-labelledby", "counts"}}, el("h2", {{"id", "counts"}}, "What it has"),
               el("div", {{"class", "card"}}, counts(pages, call)));
  main +=
      el("section", {{"aria-labelledby", "keys"}}, el("h2", {{"id", "keys"}}, "Signatures of store paths"),
         keys.empty()
             ? el("div", {{"class", "note warn"}},
                  el("p", {},
                     "No trusted key is registered: signatures are not verified. This is for "
                     "development."))
             : el("p", {}, "Uploads need a signature of one of these keys: ", el("strong", {}, keys.names()),
                  "."));
  return {.title = "Status",
          .section = Section::status,
          .main = std::move(main),
          .status = database && files ? 200 : 503};
}

}  // namespace flox::server
