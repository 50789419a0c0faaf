#include "ticket/package.h"

#include <cstdlib>

#include "base/error.h"
#include "base/os/file.h"

namespace ticket {
namespace {

// The content of a file of the package; empty if there is none.
std::string package_file(const char* name) {
  std::error_code error;
  auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  auto file = program.parent_path().parent_path() / "share" / program.filename() / name;
  return !error && std::filesystem::is_regular_file(file, error) ? flox::read_file(file) : "";
}

}  // namespace

const std::string& program_version() {
  static const std::string version = [] {
    std::string text = package_file("version");
    text = text.substr(0, text.find('\n'));
    return text.empty() ? std::string(FLOX_VERSION) : text;
  }();
  return version;
}

void apply_package_defaults() {
  std::string text = package_file("defaults");
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    if (line.empty()) continue;
    size_t equals = line.find('=');
    if (equals == std::string::npos || equals == 0)
      flox::fail(flox::ErrorKind::invalid_input, "the package's defaults: '{}' is not NAME=VALUE", line);
    setenv(line.substr(0, equals).c_str(), line.substr(equals + 1).c_str(), 0);
  }
}

}  // namespace ticket
