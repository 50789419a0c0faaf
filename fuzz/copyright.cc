// debian/copyright, which comes with a package.
#include "package/debian/copyright.h"

#include "fuzz.h"
#include "trust/sbom/license.h"

namespace flox::fuzz::of_copyright {

void one(std::string_view input) {
  for (const std::string& expression : {package::parse_copyright(input), package::license_expression(input)})
    require(expression.empty() || trust::is_license_expression(expression),
            "what is found is an SPDX expression");
}

}  // namespace flox::fuzz::of_copyright
