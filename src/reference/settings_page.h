// docs/reference/settings.md: every setting of every program, from its declaration. script/reference writes
// it.
#pragma once

#include <string>

namespace flox::reference {

// The page as Markdown.
std::string settings_page();
// The page's example of a config.toml.
std::string example_config();

}  // namespace flox::reference
