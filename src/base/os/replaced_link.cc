#include "base/os/replaced_link.h"

#include "base/error.h"

namespace flox {

void replace_link(const Directory& directory, const std::string& name, std::string_view target) {
  const std::string beside = "." + file_name(name, "the link").substr(0, 200) + ".new";
  // The name beside is the same for all who do this, so that it does not stay behind: each takes it from the
  // others.
  constexpr int attempts = 100;
  for (int attempt = 1;; ++attempt) {
    directory.remove(beside);
    try {
      directory.make_link(beside, target);
      return directory.rename(beside, directory, name);
    } catch (const Error& error) {
      const bool was_taken = error.kind() == ErrorKind::conflict || error.kind() == ErrorKind::not_found;
      if (!was_taken || attempt == attempts) throw;
    }
  }
}

}  // namespace flox
