// A closure as people look at it: a picture of its sizes, its largest paths, and what needs what.
#pragma once

#include "server/pages/html.h"
#include "trust/sbom/bill.h"

namespace flox::server {

uint64_t bytes_of_closure(const trust::Bill& bill);
// Three parts: treemap, table, tree. The tree shows each path once, below the one that is nearest to the
// package, and has at most so many paths as a page may have.
Html closure_view(const trust::Bill& bill);

}  // namespace flox::server
