// The frame around every page, and the fields that its answer has.
#pragma once

#include <functional>
#include <string>

#include "server/api/context.h"
#include "server/api/router.h"
#include "server/pages/html.h"

namespace flox::server {

enum class Section { none, packages, environments, status };

struct WebPage {
  std::string title;  // of the window; the page's own heading is in `main`
  Section section = Section::none;
  Html main;
  int status = 200;
};

// Who looks at a page.
struct Visitor {
  bool may_sign_in = false;  // the catalog has an issuer for its pages
  std::string user;          // who has signed in; empty: nobody
  Address here{};            // the page, to come back to
};

// The page as a document.
ServerResponse answer(const WebPage& page, const Visitor& visitor);
// Runs `make`; what it throws becomes a page for people with the status of its kind. What went wrong inside
// is logged and not told.
ServerResponse answer_or_page(const Visitor& visitor, const Call& call,
                              const std::function<ServerResponse()>& make);
// Adds the fields that keep a browser from doing what no page wants. How long an answer is kept, and its
// entity tag, the API adds (server/api/conditional.h).
ServerResponse for_browsers(ServerResponse response);

// The style sheet and the icon: files whose names change with their contents.
void add_asset_routes(Router& router);
Address style_address();
Address icon_address();

}  // namespace flox::server
