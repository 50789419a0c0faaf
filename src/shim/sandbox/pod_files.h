// What all containers of a pod see that no image has: /etc/hostname, /etc/hosts, /etc/resolv.conf and one
// /dev/shm. CRI makes them where it makes a pause container; where the shim is the sandbox, they are its own.
#pragma once

#include <filesystem>

#include "oci/runtime_spec.h"
#include "shim/sandbox/pod_config.h"

namespace flox::shim {

class PodFiles {
 public:
  // In the sandbox's bundle. Its root is the pod's /dev/shm, so that containerd unmounts that with the bundle
  // even if the shim was killed.
  explicit PodFiles(std::filesystem::path bundle) : bundle_(std::move(bundle)) {}

  // Throws Error; nothing is mounted then.
  void make(const PodConfig& config) const;
  // Gives them to a container, where its spec has not put something there by itself: a mount of these names,
  // and at /dev/shm anything but the tmpfs of its own that every spec has.
  void add_to(oci::RuntimeSpec& spec, const PodConfig& config) const;
  // Unmounts /dev/shm. Nothing mounted is fine. Throws Error.
  void unmount() const;

 private:
  std::filesystem::path shm() const { return bundle_ / "rootfs"; }
  std::filesystem::path bundle_;
};

}  // namespace flox::shim
