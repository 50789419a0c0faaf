// A setting's value as people may see it: secrets and passwords in URLs are left out.
#pragma once

#include <nlohmann/json.hpp>

#include "base/settings/setting.h"

namespace flox::cli {

nlohmann::ordered_json shown_setting(const Setting& setting);

}  // namespace flox::cli
