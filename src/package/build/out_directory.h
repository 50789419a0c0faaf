// The directory that a build's $out names.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/os/fd.h"
#include "package/build/removed_afterwards.h"

namespace flox::package {

// Empty, and held by this process until the object goes, when it is removed; if the process dies, too. Its
// name, /tmp/store_PLACEHOLDER-NAME, is the same for equal builds; a second one waits for the first.
class OutDirectory {
 public:
  // Throws Error(conflict) if it belongs to another user.
  OutDirectory(const std::string& placeholder, const std::string& name);
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  bool hold();

  std::filesystem::path path_;
  Fd lock_;
  std::optional<RemovedAfterwards> goes_;
};

}  // namespace flox::package
