#include "trust/metadata_header.h"

#include "base/error.h"
#include "base/printable.h"

namespace flox::trust {
namespace {

// Another minor version of 1 is compatible.
bool is_known_spec(std::string_view version) {
  return version.starts_with("1.") && version.size() > 2 && version.size() <= 16 &&
         version.find_first_not_of("0123456789.") == std::string_view::npos && !version.ends_with('.');
}

}  // namespace

nlohmann::json header_json(const Header& header, std::string_view type) {
  return {{"_type", type},
          {"spec_version", header.spec_version},
          {"owner", header.owner},
          {"version", header.version},
          {"expires", time_text(header.expires)}};
}

void read_header(Members& members, std::string_view type, Header& header) {
  members.literal("_type", type);
  header.spec_version = members.text("spec_version");
  if (!is_known_spec(header.spec_version))
    fail(ErrorKind::invalid_input, "version '{}' of The Update Framework is not known, 1.0 is",
         printable(header.spec_version, 40));
  header.owner = members.text("owner");
  check_owner(header.owner);
  header.version = members.number("version", 1);
  header.expires = parse_time(members.text("expires"));
}

}  // namespace flox::trust
