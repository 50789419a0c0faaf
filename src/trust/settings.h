// The settings of those who verify signed metadata.
#pragma once

#include <filesystem>

#include "base/settings/setting.h"

namespace flox::trust {

struct TrustSettings : SettingGroup {
  TrustSettings() : SettingGroup("Trust") {}

  std::filesystem::path trust_dir =
      declare(trust_dir,
              {.key = "trust_dir",
               .option = "--trust-dir",
               .help = "Directory of the owners whose signed metadata is trusted: OWNER/root.json (default: "
                       "/etc/flox/trust for root, $XDG_CONFIG_HOME/flox/trust for others)."});
  std::filesystem::path trust_state_dir =
      declare(trust_state_dir,
              {.key = "trust_state_dir",
               .option = "--trust-state-dir",
               .help = "Directory of the versions that were seen, so that older ones are refused (default: "
                       "/var/lib/flox/trust for root, $XDG_STATE_HOME/flox/trust for others)."});
  bool allow_unsigned = declare(
      allow_unsigned,
      {.key = "allow_unsigned",
       .option = "--allow-unsigned",
       .help = "Accept packages and environments that no trusted owner has signed. For development only."},
      false);

  // What is set, or the default for this user. Throws Error(invalid_input) if neither HOME nor XDG's variable
  // says where that is.
  std::filesystem::path trust_directory() const;
  std::filesystem::path trust_state_directory() const;
};

}  // namespace flox::trust
