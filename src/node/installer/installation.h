// Plans the installation on a node: which files of this machine change. Planning changes nothing.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/settings/address.h"
#include "node/installer/change_set.h"
#include "node/installer/containerd_config.h"

namespace flox::node {

// The shim's program, which containerd finds by this name.
inline constexpr const char* shim_name = "containerd-shim-flox-v1";
// What stands in a node's bin, in the directory of one build.
inline constexpr std::array node_programs = {
    "flox", "floxd", shim_name, "flox-pause", "flox-lazy-keeper", "flox-lazy-server"};

// The root of a node that reads another one's store.
inline constexpr const char* reader_root = "/var/lib/flox/reader";

// The units of systemd's.
inline constexpr const char* service_unit_file = "/etc/systemd/system/floxd.service";
inline constexpr const char* socket_unit_file = "/etc/systemd/system/floxd.socket";

struct InstallOptions {
  fs::path root = "/";  // another one: for a file system that is being put together
  fs::path prefix = "/usr/local";
  fs::path programs;                          // the directory with floxd and the others to install
  std::optional<fs::path> containerd_config;  // default: found
  bool default_runtime = false;
  bool nri = false;     // pods of other runtimes get environments by annotation, too
  bool service = true;  // systemd, where it is, starts floxd; false: something else does
  std::string sandbox_image;
  bool sandbox_api = false;               // the shim is the pod's sandbox, where containerd has that
  std::string catalog_url;                // for /etc/flox/config.toml; empty: as it is
  std::vector<std::string> trusted_keys;  // the same
  std::vector<std::string> namespace_environments;  // the same
  fs::path trust_from;                     // directory of trusted owners that the node gets, too; empty: none
  std::vector<std::string> trusted_roots;  // further owners' root.json, as texts
  bool allow_unsigned = false;             // for /etc/flox/config.toml, if it is set
  // HOST:PORT of the node whose store this one reads, for /etc/flox/config.toml; empty: as it is. The node's
  // own records are below reader_root then.
  std::string store_writer;
  fs::path node_socket = "/run/flox/node.sock";  // where floxd serves shims
  std::optional<AddressPort> registry_address;   // where floxd serves images; none: nowhere
  // What containerd says of itself when it asks for environments as images; made if it is missing.
  fs::path registry_key_file = "/etc/flox/registry.key";
};

struct InstallPlan {
  ChangeSet files;
  Containerd containerd;
  bool containerd_changed = false;  // it has to be restarted
  bool floxd_changed = false;       // the same
  bool sockets_changed = false;     // those that systemd keeps for floxd have to be made again
  bool systemd = false;             // it starts floxd
  std::vector<std::string> warnings;
};

// Throws Error for a node that cannot be set up, with what to do about it.
InstallPlan plan_installation(const InstallOptions& options);

// Where the record of an installation is.
fs::path installation_record(const fs::path& root);

// The containers of this machine that run under containerd-shim-flox-v1, as "NAMESPACE/POD" or by their ids;
// each once.
std::vector<std::string> running_pods();

// How the containerd that k3s brings differs from others, for the programs that talk to it.
fs::path containerd_socket(const Containerd& containerd);

}  // namespace flox::node
