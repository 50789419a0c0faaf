// The settings of flox kube: options and variables.
#pragma once

#include "base/settings/setting.h"

namespace flox::kube {

struct KubeSettings : SettingGroup {
  KubeSettings() : SettingGroup("Options and variables of flox kube") {}

  std::filesystem::path state = declare(
      state, {.variable = "FLOX_KUBE_STATE", .option = "--state", .help = "Directory for what was played."},
      "/var/lib/flox/kube");
  std::string endpoint =
      declare(endpoint, {.variable = "CONTAINER_RUNTIME_ENDPOINT",
                         .option = "--runtime-endpoint",
                         .help = "CRI socket of containerd. Without it: CONTAINERD_ADDRESS, else the one "
                                 "that this state directory's "
                                 "pods run with, else unix:///run/containerd/containerd.sock."});
  std::string containerd_address =
      declare(containerd_address, {.variable = "CONTAINERD_ADDRESS",
                                   .help = "The same socket, by the variable of containerd's own tools."});
  std::string cgroup_parent =
      declare(cgroup_parent,
              {.variable = "FLOX_KUBE_CGROUP_PARENT",
               .option = "--cgroup-parent",
               .help = "Parent of the pods' cgroups. Without it: the one that this state directory's pods "
                       "run with, else /flox-kube."});
};

}  // namespace flox::kube
