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

}  // namespace flox
