// Members of a zip archive that are stored without compression, where they lie.
// Format: PKWARE's APPNOTE.TXT 6.3, sections 4.3.6 to 4.3.16, with the 64-bit extensions.
#pragma once  // Fuzzed by fuzz/torch_file.cc.

#include <map>
#include <string>
#include <string_view>

namespace ticket::model {

bool is_zip(std::string_view file) noexcept;

// Name to bytes, which point into `file`. Throws Error(invalid_input) if the archive is damaged, or a member
// is compressed, encrypted or named twice.
std::map<std::string, std::string_view, std::less<>> read_zip_directory(std::string_view file);

}  // namespace ticket::model
