// A bill of materials as SPDX 2.3 in JSON (ISO/IEC 5962; https://spdx.github.io/spdx-spec/v2.3/).
#pragma once

#include <string>
#include <string_view>

#include "trust/sbom/bill.h"

namespace flox::trust {

// `created` as "2026-11-29T08:00:00Z". Each store path is a package, with what was merged into it as packages
// that it CONTAINS; its references are DEPENDS_ON. The same bill and time give the same bytes.
std::string to_spdx(const Bill& bill, std::string_view created);

}  // namespace flox::trust
