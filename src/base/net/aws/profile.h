// What AWS's own tools leave lying around: keys in the environment, profiles in the shared files.
#pragma once

#include <optional>
#include <string>

#include "base/net/aws/shared_file.h"
#include "base/net/aws/sigv4.h"

namespace flox::aws {

// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for keys that expire, AWS_SESSION_TOKEN; nothing if neither
// of the first two is set. Throws Error(invalid_input) if only one is.
std::optional<Credentials> credentials_in_environment();

// The settings of one profile, of which some are keys.
using Profile = Section;

// $AWS_DEFAULT_PROFILE, $AWS_PROFILE, or "default".
std::string profile_name();

// The profile in ~/.aws/credentials ($AWS_SHARED_CREDENTIALS_FILE), where it is a section of its name, and
// in ~/.aws/config ($AWS_CONFIG_FILE), where it is [profile NAME]; what the first file says counts
// (shared_file.h). Empty if there is neither file, and for "default" if none has it. Files that others may
// read are warned of (netrc.h). Throws Error: not_found if there are files and the profile is in none,
// invalid_input with file and line if one is malformed, and if one cannot be read.
Profile load_profile(const std::string& name = profile_name());

// The profile's own keys; nothing if it has none. Throws Error(invalid_input) if it has one without the
// other.
std::optional<Credentials> credentials_in(const Profile& profile);

}  // namespace flox::aws
