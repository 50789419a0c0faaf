#include "env/removal.h"

#include "base/os/directory.h"

namespace flox::env {

bool finish_removal(const std::filesystem::path& dir) {
  const Directory parent(std::filesystem::canonical(dir));
  if (!parent.exists(removed_directory)) return false;
  parent.remove(removed_directory);
  return true;
}

}  // namespace flox::env
