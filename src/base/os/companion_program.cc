#include "base/os/companion_program.h"

#include <unistd.h>

namespace flox {

namespace fs = std::filesystem;

std::optional<fs::path> companion_program(const std::string& name) {
  const fs::path own = fs::read_symlink("/proc/self/exe").parent_path();
  for (const fs::path& place : {own / name, own / "../libexec/flox" / name})
    if (::access(place.c_str(), X_OK) == 0) return place;
  return std::nullopt;
}

}  // namespace flox
