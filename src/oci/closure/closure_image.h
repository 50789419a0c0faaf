// A closure as an OCI image that any container engine runs (OCI image spec 1.0). The archive is an OCI layout
// and what `docker load` has always read (manifest.json) in one. The same closure and settings give the same
// bytes on every machine: the entries are sorted, root's, and of one time, and nothing is compressed.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "nix/store_path.h"
#include "store/local/local_store.h"

namespace flox::oci {

// What the configuration says; empty members are left out of it.
struct ImageSettings {
  std::vector<std::string> env;  // "NAME=VALUE"
  std::vector<std::string> entrypoint, command;
  std::string user, working_directory, stop_signal;
  std::vector<std::string> exposed_ports, volumes;
  std::map<std::string, std::string> labels;
};

// What is in the root beside /nix/store, in the uppermost layer.
struct ImageRoot {
  std::map<std::string, std::string> files;     // "etc/passwd" → content, mode 0644
  std::map<std::string, std::string> links;     // "bin" → target
  std::map<std::string, unsigned> directories;  // "tmp" → mode; those on the way to others are made
};

struct ClosureImage {
  std::string name, tag;  // "web", "latest"
  std::string architecture;
  ImageSettings settings;
  ImageRoot root;
  // store paths, lowest layer first (layers_of); all are valid
  std::vector<std::vector<nix::StorePath>> layers;
};

struct WrittenImage {
  std::string digest;  // "sha256:…" of the manifest
  size_t layers = 0;
  uint64_t bytes = 0;  // of the archive
};

// Reads the files of the store twice: once for the digests of the layers, once to write them. Nothing else is
// written anywhere. Throws Error, or what the sink throws.
WrittenImage write_closure_image(const store::LocalStore& store, const ClosureImage& image,
                                 const std::function<void(std::string_view)>& sink);

}  // namespace flox::oci
