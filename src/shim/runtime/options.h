// Runtime options, in the three forms in which clients send them (docs/formats/shim.md), made one.
#pragma once  // Fuzzed by fuzz/runtime_options.cc.

#include <cstdint>
#include <filesystem>
#include <string>

#include "oci/runtime.h"
#include "shim/protocol/task.pb.h"

namespace flox::shim {

namespace fs = std::filesystem;

struct RuntimeOptions {
  std::string binary;                      // BinaryName; oci::default_runtime() if none is named
  fs::path root = "/run/containerd/runc";  // Root: below it one directory a namespace
  bool systemd_cgroup = false;             // SystemdCgroup
  bool no_pivot_root = false;              // NoPivotRoot
  bool no_new_keyring = false;             // NoNewKeyring
  std::string shim_cgroup;                 // ShimCgroup
  uint32_t io_uid = 0;                     // IoUid: owner of the container's pipes
  uint32_t io_gid = 0;                     // IoGid
  std::string criu_path;                   // CriuPath
  std::string criu_image_path;             // CriuImagePath
  std::string criu_work_path;              // CriuWorkPath

  // From containerd.runc.v1.Options, containerd.linux.runc.CreateOptions, or runtimeoptions.v1.Options, whose
  // TOML holds the keys named above. An empty type or value gives the defaults. Throws Error(invalid_input)
  // for other types and for TOML that cannot be read.
  static RuntimeOptions decode(const wire::Any& any);

  // The same for the `delete` command, which is told nothing: BUNDLE/options.json.
  static RuntimeOptions load(const fs::path& bundle);
  void save(const fs::path& bundle) const;

  // The runtime for containers of this namespace.
  oci::Runtime runtime(const std::string& namespace_name) const;
};

// A type URL without "type.googleapis.com/", which containerd leaves out and others may not.
std::string bare_type(std::string type_url);

}  // namespace flox::shim
