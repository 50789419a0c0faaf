// What AWS's own tools leave lying around: keys in the environment, profiles in the shared files.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/net/aws/sigv4.h"

namespace flox::aws {

// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for keys that expire, AWS_SESSION_TOKEN; nothing if neither
// of the first two is set. Throws Error(invalid_input) if only one is.
std::optional<Credentials> credentials_in_environment();

// The settings of one profile: key -> value, of which some are keys.
using Profile = std::map<std::string, Secret>;

// $AWS_PROFILE, or "default".
std::string profile_name();

// The profile in ~/.aws/credentials ($AWS_SHARED_CREDENTIALS_FILE) and ~/.aws/config ($AWS_CONFIG_FILE); what
// the first one says counts. Empty if there is none. Files that others may read are warned of (netrc.h).
// Throws Error if a file cannot be read.
Profile load_profile(const std::string& name = profile_name());

// The profile's own keys; nothing if it has none.
std::optional<Credentials> credentials_in(const Profile& profile);

}  // namespace flox::aws
