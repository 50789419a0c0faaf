// Waiting, at start, for what the worker works with.
#pragma once

#include "ticket/backend/backend.h"
#include "ticket/stop.h"
#include "ticket/worker/settings.h"

namespace ticket {

// Looks for the queue, both buckets and the table until all are there; every failed attempt is a line of the
// log that names what is missing. A bucket or table that may not be looked at (no permission for HeadBucket
// or DescribeTable) is taken to be there, with a warning. Returns the queue's traits, or none if a stop was
// requested meanwhile. Throws the last attempt's flox::Error when settings.start_wait is over.
std::optional<QueueTraits> wait_for_services(const Settings& settings, Queue& queue, ObjectStore& store,
                                             Table& table, Stop& stop);

}  // namespace ticket
