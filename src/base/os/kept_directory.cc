#include "base/os/kept_directory.h"

#include <cerrno>
#include <cstdlib>
#include <string>

#include "base/error.h"

namespace flox {

namespace fs = std::filesystem;

fs::path make_kept_directory(std::string_view prefix, const fs::path& parent) {
  const fs::path base = parent.empty() ? fs::temp_directory_path() : parent;
  std::string pattern = (base / std::string(prefix).append("XXXXXX")).string();
  if (::mkdtemp(pattern.data()) == nullptr) fail_errno(errno, "making a directory below {}", base.string());
  return pattern;
}

}  // namespace flox
