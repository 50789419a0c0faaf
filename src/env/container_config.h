// [containerize.config] of a manifest: what an image of the environment says to those who run it
// (docs/formats/manifest.md).
#pragma once  // Not fuzzed: it reads single members of JSON that Lockfile (fuzz/lockfile.cc) has read and
              // bounded.

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace flox::env {

// As OCI's image specification has them; empty: not said.
struct ContainerConfig {
  std::string user;                        // "1000", "1000:1000", "web"
  std::vector<std::string> exposed_ports;  // "8080/tcp"
  std::vector<std::string> command;        // cmd
  std::vector<std::string> volumes;        // absolute paths
  std::string working_directory;           // absolute
  std::map<std::string, std::string> labels;
  std::string stop_signal;  // "SIGINT"
};

// Of a whole manifest as a lock has it. Throws Error(invalid_input) that names the member: of another type, a
// member that is not known, a port that is none.
ContainerConfig container_config(const nlohmann::json& manifest);

}  // namespace flox::env
