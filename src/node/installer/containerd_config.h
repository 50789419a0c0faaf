// containerd as a node has it, and its configuration with the handler `flox` in it: config versions 1 to 3
// (releases 1.6 to 2.x; containerd's docs/cri/config.md and docs/hosts.md), and the templates from which k3s
// makes it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "node/installer/toml_edit.h"

namespace flox::node {

namespace fs = std::filesystem;

struct Containerd {
  int major = 0, minor = 0;  // of the release
  fs::path config;           // the file that a person edits; it need not be there yet
  int config_version = 2;    // of that file; of a new one: what this release writes
  bool k3s = false;          // the file is a template of k3s's
  // Releases before 1.7 ignore runtime_path in CRI's configuration (seen with 1.6.20) and find the shim in
  // PATH by name.
  bool takes_runtime_path() const { return major > 1 || minor >= 7; }
  // Releases 2.0 to 2.2 have the sandbox API, too, but end with a panic for a pod of the node's network
  // (docs/formats/sandbox.md).
  bool takes_shim_sandboxes() const { return std::pair(major, minor) >= std::pair(2, 3); }
};

// k3s's if its directory is there below `root`, else the containerd in PATH, with the configuration that the
// running one was started with. `config` says otherwise. Throws Error: not_found without a containerd,
// invalid_input for a configuration that is no TOML.
Containerd find_containerd(const fs::path& root, const std::optional<fs::path>& config);

// The process of root's that runs the containerd of PATH in our mount namespace; nothing if none does. Others
// may call their programs so, too (root_process.h).
std::optional<pid_t> running_containerd();

struct HandlerOptions {
  fs::path shim;                 // where containerd-shim-flox-v1 is
  bool default_runtime = false;  // pods without a RuntimeClass too
  std::string sandbox_image;     // empty: as it is
  bool sandbox_api = false;      // the shim is the pod's sandbox, instead of a pause container
};

// The configuration `text` with the handler, which gets the same options as the node's runc. Throws Error:
// invalid_input for the sandbox API of a release that has none, and of k3s.
std::string with_handler(const Containerd& containerd, std::string text, const HandlerOptions& options);

// Options for the OCI runtime that releases before 1.7 pass by a file of ours, as TOML; empty if none are
// needed.
std::string handler_options_file(const Containerd& containerd, std::string_view text);
inline constexpr const char* handler_options_path = "/etc/flox/runc-options.toml";

// A configuration that says in which directory the hosts.toml of each registry is: `text` if it says so, else
// with /etc/containerd/certs.d; and that directory. Throws Error(conflict) if the registries are configured
// in the older way (mirrors), which excludes this one.
std::pair<std::string, fs::path> with_hosts_directory(const Containerd& containerd, std::string text);

// The hosts.toml of a registry, with `endpoint` ("http://127.0.0.1:9809") asked first. Throws
// Error(invalid_input).
std::string with_mirror(std::string_view hosts_toml, const std::string& registry,
                        const std::string& endpoint);

// The hosts.toml of flox.local, which nobody serves but `endpoint`, and that only to whom has the key.
std::string own_registry(const std::string& endpoint, const std::string& key);

// The configuration with a socket for plugins (NRI), and where the release has it (2.2), with the check by
// which a pod can say that it needs floxd as a plugin. Throws Error(invalid_input) for releases before 1.7,
// which have no plugins, for k3s, and where flox is the default runtime.
std::string with_plugins(const Containerd& containerd, std::string text);
// Where that socket is.
fs::path plugin_socket(const Containerd& containerd, std::string_view text);
// What keeps plugins out, or that check, one sentence each; none if nothing does.
std::vector<std::string> plugin_faults(const Containerd& containerd, std::string_view text);

// containerd's root directory, by its configuration.
fs::path containerd_root(const Containerd& containerd, std::string_view text);

// What a handler's table in the configuration lacks to lead to our shim: one sentence each; none if it is
// right. Knows the form in which the guide has it. Throws Error(invalid_input).
std::vector<std::string> handler_faults(const Containerd& containerd, std::string_view text);

}  // namespace flox::node
