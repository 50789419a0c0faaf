// Configuration: /etc/flox/config.toml (or $FLOX_CONFIG), each key overridden by its environment variable.
// Every key is declared once, in config.cc, with its variable, default and meaning; `flox config --explain`
// prints that table.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/sandbox.h"
#include "base/units.h"

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
  std::string store_view = "node";  // store_view    FLOX_STORE_VIEW: what containers see
                                    // of the store: "node" all, "closure" their own
  // isolation     FLOX_ISOLATION: whether floxd runs where its fetchers cannot be isolated
  IsolationPolicy isolation = IsolationPolicy::required;
  std::string metrics_address = "127.0.0.1:9808";   // metrics_address FLOX_METRICS_ADDRESS
  std::string registry_address = "127.0.0.1:9809";  // registry_address FLOX_REGISTRY_ADDRESS; empty: none

  // The store's care (docs/store-care.md). floxd collects garbage when less than gc_min_free is free on the
  // store's file system, until gc_target_free is; what was in use within gc_keep_newer stays.
  Amount gc_min_free{.share = 0.10};                     // gc_min_free     FLOX_GC_MIN_FREE; 0: never
  Amount gc_target_free{.share = 0.15};                  // gc_target_free  FLOX_GC_TARGET_FREE
  std::chrono::seconds gc_keep_newer{0};                 // gc_keep_newer   FLOX_GC_KEEP_NEWER
  std::chrono::milliseconds store_lock_timeout{60'000};  // store_lock_timeout FLOX_STORE_LOCK_TIMEOUT: wait
                                                         // so long for another process's database lock

  // Reads the file, if there is one, then the environment. Throws Error(invalid_input) "FILE:LINE:COLUMN: …"
  // for bad TOML, unknown keys and ill-typed values.
  static Config load();
  // The table of keys for people.
  static std::string explain();
};

}  // namespace flox
