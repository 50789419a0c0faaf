// The pages for people with a browser (docs/reference/pages.md): HTML that is made here and needs no script.
#pragma once

#include "server/api/context.h"
#include "server/api/router.h"

namespace flox::server {

// Adds the pages' routes; the context must outlive the router. What has no route at all and is asked for as
// HTML gets a page, too.
void add_pages(Router& router, ApiContext& context);

}  // namespace flox::server
