// What flox takes from variables alone.
#pragma once

#include "base/settings/read.h"
#include "protocol/places.h"

namespace flox::cli {

struct CliVariables : SettingGroup {
  CliVariables() : SettingGroup("Variables of flox") {}
  static CliVariables read() { return CliVariables(Read{}); }

  std::string package_version =
      declare(package_version,
              {.variable = "FLOX_PACKAGE_VERSION",
               .help = "Version of the environment's primary package that flox activate takes instead of "
                       "the locked one. floxd heeds it in the variables of an imageless container, too."});
  std::filesystem::path pod_socket = declare(pod_socket,
                                             {.variable = "FLOX_POD_SOCKET",
                                              .help = "Socket of floxd for pods. Where it exists, flox is in "
                                                      "a pod and asks floxd instead of the catalog."},
                                             protocol::pod_socket);

 private:
  struct Read {};
  explicit CliVariables(Read) : CliVariables() {
    SettingGroup* const groups[] = {this};
    read_variables(groups);
  }
};

}  // namespace flox::cli
