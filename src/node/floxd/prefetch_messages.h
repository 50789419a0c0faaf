// The protocol of prefetching (prefetch.proto), for a pod or, where `asking` is null, for the node's
// operator.
#pragma once  // Not fuzzed: texts are checked by Prefetcher, which passes them to fuzzed readers.

#include "node/floxd/containers.h"
#include "node/floxd/prefetcher.h"
#include "protocol/prefetch.pb.h"

namespace flox::node {

// All throw what the Prefetcher throws.
prefetch::v1::Answer prefetch_add(Prefetcher& prefetches, const Container* asking,
                                  const prefetch::v1::AddRequest& request);
prefetch::v1::Answer prefetch_show(Prefetcher& prefetches, const Container* asking,
                                   const prefetch::v1::ShowRequest& request);
prefetch::v1::Answer prefetch_cancel(Prefetcher& prefetches, const Container* asking,
                                     const prefetch::v1::CancelRequest& request);

}  // namespace flox::node
