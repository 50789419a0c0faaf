#include "base/os/replaced_link.h"

#include "base/error.h"

namespace flox {

void replace_link(const Directory& directory, const std::string& name, std::string_view target) {
  replace_link(directory, name, target, directory,
               "." + file_name(name, "the link").substr(0, 200) + ".new");
}

void replace_link(const Directory& directory, const std::string& name, std::string_view target,
                  const Directory& aside, const std::string& aside_name) {
  file_name(name, "the link");
  // The other name is the same for all who do this, so that it does not stay behind: each takes it from the
  // others.
  constexpr int attempts = 100;
  for (int attempt = 1;; ++attempt) {
    aside.remove(aside_name);
    try {
      aside.make_link(aside_name, target);
      return aside.rename(aside_name, directory, name);
    } catch (const Error& error) {
      const bool was_taken = error.kind() == ErrorKind::conflict || error.kind() == ErrorKind::not_found;
      if (!was_taken || attempt == attempts) throw;
    }
  }
}

}  // namespace flox
