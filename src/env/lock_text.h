// The text of a lock that replaces another: what is the same stays in its order and layout, so that a
// colleague sees in the difference what has changed and nothing else.
#pragma once  // Fuzzed by fuzz/lockfile.cc.

#include <string>
#include <string_view>

#include "env/lockfile.h"

namespace flox::env {

// The lock as JSON, with the members in the order that `old_text` has them, its indentation, and its end; new
// members come behind, or where Flox has them. Texts are the same if the locks are. An old text that is no
// JSON, or empty, gives nothing to keep: then it is lock.to_string().
std::string lock_text(const Lockfile& lock, std::string_view old_text);

}  // namespace flox::env
