// Configuration: /etc/flox/config.toml (or $FLOX_CONFIG), each key overridden by its environment variable.
// Every key is declared once, in config.cc, with its variable, default and meaning; `flox config --explain`
// prints that table.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/confined/sandbox.h"
#include "base/data/secret.h"
#include "base/settings/units.h"

namespace flox {

// What pods may take of floxd (docs/how-to/limit-pods.md). 0 is no limit.
struct PodBudgets {
  size_t connections = 16;                 // pod_connections     FLOX_POD_CONNECTIONS: at once, of a pod
  size_t requests = 2;                     // pod_requests        FLOX_POD_REQUESTS: worked on at once
  uint64_t lock_size = 256 << 10;          // pod_lock_size       FLOX_POD_LOCK_SIZE: bytes of one lock
  size_t environments = 32;                // pod_environments    FLOX_POD_ENVIRONMENTS: kept for a pod
  uint64_t locks = 4 << 20;                // pod_locks           FLOX_POD_LOCKS: bytes of their locks
  uint64_t disk = 32ULL << 30;             // pod_disk            FLOX_POD_DISK: bytes of their closures
  std::chrono::seconds request_time{900};  // pod_request_time    FLOX_POD_REQUEST_TIME: for one request
  size_t all_connections = 1024;           // pods_connections    FLOX_PODS_CONNECTIONS: of all pods
  size_t all_requests = 8;                 // pods_requests       FLOX_PODS_REQUESTS
  size_t all_environments = 2048;          // pods_environments   FLOX_PODS_ENVIRONMENTS
};

struct Config {
  std::filesystem::path root = "/";       // root                    FLOX_ROOT: store root
  std::string catalog_url;                // catalog_url             FLOX_CATALOG_URL
  Secret catalog_token;                   // catalog_token           FLOX_CATALOG_TOKEN: for publishing
  std::string catalog_token_file;         // catalog_token_file      FLOX_CATALOG_TOKEN_FILE: holds it instead
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
  PodBudgets pod_budgets;
  std::string store_view = "node";  // store_view    FLOX_STORE_VIEW: what containers see
                                    // of the store: "node" all, "closure" their own
  bool allow_nix_mutable = false;   // allow_nix_mutable FLOX_ALLOW_NIX_MUTABLE: may pods
                                    // ask for a /nix that they can change
  // isolation     FLOX_ISOLATION: whether floxd runs where its fetchers cannot be isolated
  IsolationPolicy isolation = IsolationPolicy::required;
  std::string metrics_address = "127.0.0.1:9808";   // metrics_address FLOX_METRICS_ADDRESS
  std::string registry_address = "127.0.0.1:9809";  // registry_address FLOX_REGISTRY_ADDRESS; empty: none

  // Collecting garbage (docs/explanation/garbage-collection.md). floxd collects garbage when less than
  // gc_min_free is free on the store's file system, until gc_target_free is; what was in use within
  // gc_keep_newer stays.
  Amount gc_min_free{.share = 0.10};                     // gc_min_free     FLOX_GC_MIN_FREE; 0: never
  Amount gc_target_free{.share = 0.15};                  // gc_target_free  FLOX_GC_TARGET_FREE
  std::chrono::seconds gc_keep_newer{0};                 // gc_keep_newer   FLOX_GC_KEEP_NEWER
  std::chrono::milliseconds store_lock_timeout{60'000};  // store_lock_timeout FLOX_STORE_LOCK_TIMEOUT: wait
                                                         // so long for another process's database lock

  // The catalog's token, read from its file at each call if it is not at hand; empty if there is none. Throws
  // Error (read_secret_file).
  Secret token() const;

  // Reads the file, if there is one, then the environment. Throws Error(invalid_input) "FILE:LINE:COLUMN: …"
  // for bad TOML, unknown keys and ill-typed values, and untrusted if the file holds the token and others may
  // read it.
  static Config load();
  // The table of keys for people.
  static std::string explain();
};

}  // namespace flox
