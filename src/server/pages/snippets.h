// Manifests and commands to copy.
#pragma once

#include <string>
#include <string_view>

namespace flox::server {

// A Deployment whose pods run the environment or package ("web@1.0", "acme/web:3"). `name` is anybody's text:
// the object gets a name after it that Kubernetes takes. `program` is what it starts.
std::string deployment(std::string_view name, std::string_view environment, std::string_view program);
// The command that makes a Deployment run another generation.
std::string rollback_command(std::string_view environment);
// A text as one word of a shell's command line.
std::string shell_word(std::string_view text);

}  // namespace flox::server
