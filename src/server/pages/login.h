// Signing in at the pages with the issuer of --oidc-issuer, and out (identity/page_sessions.h). No page needs
// a script for it: signing in is a link, signing out a form.
#pragma once

#include <memory>

#include "server/pages/context.h"

namespace flox::server {

// GET /login?to=ADDRESS, GET /login/callback, POST /logout.
void add_login_routes(Router& router, const std::shared_ptr<PagesContext>& pages);

}  // namespace flox::server
