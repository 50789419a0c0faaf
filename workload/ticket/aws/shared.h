// Keys and signing: what the store and the workload share, under the names that this directory uses.
#pragma once

#include "base/net/aws/profile.h"
#include "base/net/aws/sigv4.h"

namespace ticket::aws {

using flox::aws::canonical_request;
using flox::aws::Credentials;
using flox::aws::credentials_in;
using flox::aws::credentials_in_environment;
using flox::aws::load_profile;
using flox::aws::profile_name;
using flox::aws::Scope;
using flox::aws::sign;
using flox::aws::Time;

}  // namespace ticket::aws
