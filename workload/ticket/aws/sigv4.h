// Signing of requests: what the store and the workload share, under the names that this directory uses.
#pragma once

#include "base/aws/sigv4.h"

namespace ticket::aws {

using flox::aws::canonical_request;
using flox::aws::Credentials;
using flox::aws::Scope;
using flox::aws::sign;
using flox::aws::Time;

}  // namespace ticket::aws
