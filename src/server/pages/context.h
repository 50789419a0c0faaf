// What the pages share.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "server/api/context.h"
#include "server/api/router.h"
#include "server/api/visible_records.h"
#include "server/pages/closures.h"
#include "server/pages/frame.h"

namespace flox::server {

// Thread-safe. The API's context must outlive it.
struct PagesContext {
  explicit PagesContext(ApiContext& its_api) : api(its_api), closures(its_api.cache, its_api.accounts) {}

  ApiContext& api;
  Closures closures;

  // The packages that the caller may see.
  VisibleRecords packages_for(const Call& call) const {
    return {api.records, api.accounts.visibility.hidden_from(call.caller(), Kind::package)};
  }
  PageSessions& sessions() const { return api.accounts.page_sessions; }
  Visitor visitor(const Call& call) const {
    const ServerRequest& request = call.request();
    const bool by_cookie = !request.headers.contains("authorization");
    // The query of a login is nobody's to see, and nobody comes back to the other.
    const bool is_login = request.path.starts_with("/login") || request.path == "/logout";
    return {.may_sign_in = sessions().is_on(),
            .user = by_cookie ? call.caller().user : std::string(),
            .here = is_login ? Address({}) : Address::of(request.path, request.query)};
  }
};

// As frame.h's, for who makes the call.
inline ServerResponse answer_or_page(const PagesContext& pages, const Call& call,
                                     const std::function<ServerResponse()>& make) {
  return answer_or_page(pages.visitor(call), call, make);
}

// One file each. They throw Error: the pages' routes make a page of it.
WebPage search_page(PagesContext& pages, const Call& call);
WebPage package_page(PagesContext& pages, const Call& call);
WebPage package_difference_page(PagesContext& pages, const Call& call);
ServerResponse bill_of_materials(PagesContext& pages, const Call& call, const std::string& format);
WebPage environments_page(PagesContext& pages, const Call& call);
WebPage environment_page(PagesContext& pages, const Call& call);
WebPage environment_difference_page(PagesContext& pages, const Call& call);
WebPage owner_page(PagesContext& pages, const Call& call);
WebPage status_page(PagesContext& pages, const Call& call);

}  // namespace flox::server
