// Manual pages and the shells' completions of the programs that a node has.
#pragma once

#include <filesystem>

namespace flox::node {

// Has flox and floxd of the directory write theirs below `share` (base/command_line/self_description.h). The
// same programs give the same files. Throws Error.
void write_manual_pages(const std::filesystem::path& programs, const std::filesystem::path& share);

}  // namespace flox::node
