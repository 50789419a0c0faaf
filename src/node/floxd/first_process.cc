#include "node/floxd/first_process.h"

#include "env/activation.h"

namespace flox::node {
namespace {

// As Flox has it, and flox activate: activation/hook.h. The shell becomes the command, with its process id.
std::string hook_text(const std::string& hook) {
  return "trap 'echo \"flox: hook.on-activate ended its shell: the command is not started\" >&2; exit 1' "
         "EXIT; "
         "_flox_umask=$(umask); umask 077; . " +
         hook + " >&2; set +eu; trap - EXIT; umask \"$_flox_umask\"; unset _flox_umask; exec \"$@\"";
}

}  // namespace

std::vector<std::string> first_process(const ContainerProfile& profile, std::vector<std::string> command,
                                       const std::string& runtime_path) {
  const std::string path = profile.path.to_string();
  if (!command.empty() && command[0].find('/') == std::string::npos &&
      env::profile_has(profile.files, std::filesystem::path("bin") / command[0]))
    command[0] = path + "/bin/" + command[0];
  if (env::profile_has(profile.files, "activate.d/services.json") ||
      env::profile_has(profile.files, "activate.d/hook-on-deactivate"))
    command.insert(command.begin(), {runtime_path + "/bin/flox", "--flox-inside", path, profile.mode});
  else if (env::profile_has(profile.files, "activate.d/hook-on-activate"))
    command.insert(
        command.begin(),
        {env::profile_has(profile.files, "bin/bash") ? path + "/bin/bash" : runtime_path + "/bin/sh", "-c",
         hook_text(path + "/activate.d/hook-on-activate"), "flox-activate"});
  return command;
}

}  // namespace flox::node
