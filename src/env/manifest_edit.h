// Editing manifest.toml: its text with one [install] entry changed, and every other byte as it was
// (base/data/toml_edit.h).
#pragma once  // Fuzzed by fuzz/manifest.cc.

#include <string>
#include <string_view>

#include "env/manifest.h"

namespace flox::env {

// The text with the entry added, or changed where it stands: its package, its version (none if the descriptor
// has none) and, if the descriptor names some, its systems. What else the entry says (priority, pkg-group,
// outputs, systems) stays. Throws Error(invalid_input) and changes nothing if the text cannot be edited so.
std::string with_install(std::string_view toml, std::string_view install_id,
                         const InstallDescriptor& descriptor);
// Without the entry, in all its lines. Throws Error(not_found) if there is none.
std::string without_install(std::string_view toml, std::string_view install_id);

}  // namespace flox::env
