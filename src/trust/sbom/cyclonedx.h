// A bill of materials as CycloneDX 1.6 in JSON (ECMA-424; https://cyclonedx.org/docs/1.6/json/).
#pragma once

#include <string>
#include <string_view>

#include "trust/sbom/bill.h"

namespace flox::trust {

// `created` as "2026-11-29T08:00:00Z". Each store path is a component, with what was merged into it as
// components in it; its references are its dependencies. The same bill and time give the same bytes.
std::string to_cyclonedx(const Bill& bill, std::string_view created);

}  // namespace flox::trust
