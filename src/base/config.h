// Configuration: /etc/flox/config.toml (or $FLOX_CONFIG), each key overridden by its environment variable.
// Every key is declared once, in config.cc, with its variable, default and meaning; `flox config --explain`
// prints that table.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace flox {

struct Config {
  std::filesystem::path root = "/";       // root                    FLOX_ROOT: store root
  std::string catalog_url;                // catalog_url             FLOX_CATALOG_URL
  std::string catalog_token;              // catalog_token           FLOX_CATALOG_TOKEN: for publishing
  std::vector<std::string> caches;        // caches                  FLOX_CACHES (spaces between), beside
                                          //                         the catalog's own
  std::vector<std::string> trusted_keys;  // trusted_keys            FLOX_TRUSTED_KEYS (spaces between)
  bool trust_content_addressed = false;   // trust_content_addressed FLOX_TRUST_CONTENT_ADDRESSED
  std::string signing_key_file;           // signing_private_key     FLOX_SIGNING_PRIVATE_KEY
  std::filesystem::path node_socket = "/run/flox/node.sock";  // node_socket   FLOX_NODE_SOCKET
  std::filesystem::path pod_socket_dir = "/run/flox/pod";  // pod_socket_dir FLOX_POD_SOCKET_DIR: bound into
                                                           // pods as /run/flox; holds pod.sock
  bool pod_install = true;                                 // pod_install   FLOX_POD_INSTALL: may pods install
  // namespace_environments FLOX_NAMESPACE_ENVIRONMENTS ("NAMESPACE=NAME[@VERSION]" …): what `flox activate`
  // stands for in the pods of a Kubernetes namespace where they bring no environment.
  std::map<std::string, std::string> namespace_environments;
  std::string store_view = "node";                  // store_view    FLOX_STORE_VIEW: what containers see
                                                    // of the store: "node" all, "closure" their own
  std::string metrics_address = "127.0.0.1:9808";   // metrics_address FLOX_METRICS_ADDRESS
  std::string registry_address = "127.0.0.1:9809";  // registry_address FLOX_REGISTRY_ADDRESS; empty: none

  // Reads the file, if there is one, then the environment. Throws Error(invalid_input) "FILE:LINE:COLUMN: …"
  // for bad TOML, unknown keys and ill-typed values.
  static Config load();
  // The table of keys for people.
  static std::string explain();
};

}  // namespace flox
