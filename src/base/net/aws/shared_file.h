// The files that AWS's tools share (~/.aws/credentials and ~/.aws/config), read as botocore reads them.
//
// Format: Python's configparser with its defaults, which botocore uses, and AWS's "Configuration and
// credential file settings". A line that is indented deeper than the setting before it continues that
// setting's value, unless it is empty or a comment ('#' or ';' first). A section is "[NAME]", and whatever
// follows the last "]" is not read; a setting is "NAME = VALUE" or "NAME: VALUE", its name in any letter
// case. What [DEFAULT] has, every section has that does not say otherwise. White space is ASCII's.
#pragma once  // Fuzzed by fuzz/aws_shared_file.cc.

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/data/secret.h"

namespace flox::aws {

// The settings of one section: name in lower case -> value. Lines of a value that goes on are joined by line
// feeds. Settings of a setting ("s3 =" and indented lines below it) are not among them: nobody here reads
// one.
using Section = std::map<std::string, Secret>;

// The sections by name, in the file's order. Throws Error(invalid_input) with the line, never quoting it: a
// setting before the first section, a line that is neither a section nor a setting, a section or setting that
// is there twice, a NUL.
std::vector<std::pair<std::string, Section>> parse_shared_file(std::string_view text);

// The profile that a section of ~/.aws/config describes: of "profile x" it is "x", of "default" "default";
// empty if it describes none. Names with spaces stand in quotes: profile "my work".
std::string profile_of_section(std::string_view section);

}  // namespace flox::aws
