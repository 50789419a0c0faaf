#include "server/pages/pages.h"

#include <memory>

#include "base/error.h"
#include "server/pages/context.h"
#include "server/pages/login.h"

namespace flox::server {
namespace {

bool wants_html(const ServerRequest& request) {
  const auto accept = request.headers.find("accept");
  return accept != request.headers.end() && accept->second.find("text/html") != std::string::npos;
}

// What no other route has: programs are told as by the API, people by a page.
ServerResponse nothing_at_all(const PagesContext& pages, const Call& call) {
  if (!wants_html(call.request())) nothing_there(call.request());
  return answer_or_page(pages, call, []() -> ServerResponse {
    throw Error(ErrorKind::not_found, "There is no page at this address.", "Look for it in the catalog.");
  });
}

}  // namespace

void add_pages(Router& router, ApiContext& context) {
  const auto pages = std::make_shared<PagesContext>(context);
  const auto add = [&](const char* path, WebPage (*make)(PagesContext&, const Call&)) {
    router.add("GET", path, Scope::anyone, no_body(), [pages, make](const Call& call) {
      return answer_or_page(*pages, call, [&] { return answer(make(*pages, call), pages->visitor(call)); });
    });
  };
  add("/", search_page);
  add("/packages/{name}", package_page);
  add("/packages/{name}/difference", package_difference_page);
  add("/environments", environments_page);
  add("/environments/{owner}/{name}", environment_page);
  add("/environments/{owner}/{name}/difference", environment_difference_page);
  add("/owners/{name}", owner_page);
  add("/status", status_page);
  for (const char* format : {"spdx", "cyclonedx"})
    router.add("GET", std::string("/packages/{name}/sbom.") + format + ".json", Scope::anyone, no_body(),
               [pages, format](const Call& call) { return bill_of_materials(*pages, call, format); });
  add_login_routes(router, pages);
  add_asset_routes(router);
  router.add("GET", "/{path...}", Scope::anyone, no_body(),
             [pages](const Call& call) { return nothing_at_all(*pages, call); });
}

}  // namespace flox::server
