#include "trust/settings.h"

#include <unistd.h>

#include "base/error.h"
#include "base/os/private_directory.h"

namespace flox::trust {
namespace {

namespace fs = std::filesystem;

fs::path chosen(const fs::path& set, const char* of_root, const char* variable, const char* in_home,
                const char* setting) {
  if (!set.empty()) return set;
  if (::geteuid() == 0) return of_root;
  if (const auto base = user_directory(variable, in_home)) return *base / "trust";
  throw Error(ErrorKind::invalid_input,
              fmt::format("{}: neither {} nor HOME says where it is", setting, variable),
              fmt::format("Set {} in config.toml, or HOME.", setting));
}

}  // namespace

fs::path TrustSettings::trust_directory() const {
  return chosen(trust_dir, "/etc/flox/trust", "XDG_CONFIG_HOME", ".config", "trust_dir");
}

fs::path TrustSettings::trust_state_directory() const {
  return chosen(trust_state_dir, "/var/lib/flox/trust", "XDG_STATE_HOME", ".local/state", "trust_state_dir");
}

}  // namespace flox::trust
