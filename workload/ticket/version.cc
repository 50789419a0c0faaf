#include "ticket/version.h"

#include "base/file.h"

namespace ticket {

const std::string& program_version() {
  static const std::string version = [] {
    std::error_code error;
    auto program = std::filesystem::read_symlink("/proc/self/exe", error);
    auto file = program.parent_path().parent_path() / "share" / program.filename() / "version";
    std::string text;
    if (!error && std::filesystem::is_regular_file(file, error)) text = flox::read_file(file);
    text = text.substr(0, text.find('\n'));
    return text.empty() ? std::string(FLOX_VERSION) : text;
  }();
  return version;
}

}  // namespace ticket
