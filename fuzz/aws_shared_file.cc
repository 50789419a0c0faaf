// Files that AWS's tools share.
#include "base/net/aws/shared_file.h"
#include "fuzz.h"

namespace flox::fuzz::of_aws_shared_file {

void one(std::string_view input) {
  std::vector<std::pair<std::string, aws::Section>> sections;
  if (!accepts([&] { sections = aws::parse_shared_file(input); })) return;
  for (const auto& [name, section] : sections) {
    require(!name.empty(), "a section has a name");
    require(aws::profile_of_section(name).size() <= name.size(), "a profile is no longer than its section");
    for (const auto& [setting, value] : section) {
      require(!setting.empty() && setting.find('\n') == setting.npos, "a setting has a name of one line");
      require(value.reveal().size() <= input.size(), "a value is no longer than the file");
    }
  }
}

}  // namespace flox::fuzz::of_aws_shared_file
