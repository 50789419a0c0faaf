// Symbolic links that change where they lead.
#pragma once

#include <string>
#include <string_view>

#include "base/os/directory.h"

namespace flox {

// Makes the link `name` in the directory, or lets the one that is there lead to `target`: whoever follows it
// comes to the old or the new place. A file of that name is replaced, too. Of several who do it at once one
// is the last. What one that was killed has left goes with the next. Throws Error.
void replace_link(const Directory& directory, const std::string& name, std::string_view target);
// The same where nothing else may be seen in the directory: until it has its name the link is `aside_name`
// in `aside`, of the same file system, which only those use who make a link of this name in this directory.
void replace_link(const Directory& directory, const std::string& name, std::string_view target,
                  const Directory& aside, const std::string& aside_name);

}  // namespace flox
