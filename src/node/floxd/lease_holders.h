// Whose leases floxd makes: a container's bears its id, a pod's is pod_holder(), and what no process uses has
// a prefix of its own.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "node/floxd/store_views.h"
#include "node/images/lease.h"
#include "node/kept/kept_pods.h"
#include "node/prefetch/prefetch_record.h"
#include "node/shared/store_writer.h"

namespace flox::node {

// Of leases that do not end with processes.
inline constexpr std::array other_holder_prefixes{view_holder_prefix, kept_holder_prefix, image_holder_prefix,
                                                  prefetch_holder_prefix, reader_holder_prefix};

// Whether the lease is a pod's or a container's, and ends with its processes.
constexpr bool ends_with_processes(std::string_view holder) {
  return std::ranges::none_of(other_holder_prefixes,
                              [&](std::string_view prefix) { return holder.starts_with(prefix); });
}

}  // namespace flox::node
