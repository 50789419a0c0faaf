#include "base/settings/config.h"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <functional>

#include "base/data/toml.h"
#include "base/error.h"
#include "base/os/file.h"

namespace flox {
namespace {

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> result;
  while (!text.empty()) {
    std::string_view word = text.substr(0, text.find(' '));
    if (!word.empty()) result.emplace_back(word);
    text.remove_prefix(std::min(word.size() + 1, text.size()));
  }
  return result;
}

constexpr size_t max_file = 1 << 20;  // bytes

bool flag(std::string_view text) {
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0" || text.empty()) return false;
  fail(ErrorKind::invalid_input, "'{}' is neither true nor false", text);
}

size_t count(std::string_view text) {
  size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    fail(ErrorKind::invalid_input, "'{}' is not a whole number", text);
  return value;
}

// One key: how it is named, what it means, and how its value is set from text. Lists come as words.
struct Key {
  const char* name;
  const char* variable;
  const char* fallback;
  const char* meaning;
  std::function<void(Config&, const std::string&)> set;
};

const std::vector<Key>& keys() {
  static const std::vector<Key> table = {
      {"root", "FLOX_ROOT", "/",
       "root of the store: its files are at ROOT/nix/store, its state at ROOT/nix/var/nix",
       [](Config& c, const std::string& v) { c.root = v; }},
      {"catalog_url", "FLOX_CATALOG_URL", "", "the catalog, as http://host:port",
       [](Config& c, const std::string& v) { c.catalog_url = v; }},
      {"catalog_token", "FLOX_CATALOG_TOKEN", "",
       "bearer token for publishing to the catalog; the programs that flox starts do not get the variable",
       [](Config& c, const std::string& v) { c.catalog_token = Secret(v); }},
      {"catalog_token_file", "FLOX_CATALOG_TOKEN_FILE", "",
       "file that holds it instead, readable by its owner only",
       [](Config& c, const std::string& v) { c.catalog_token_file = v; }},
      {"caches", "FLOX_CACHES", "",
       "further binary caches, in order of preference (variable: spaces between)",
       [](Config& c, const std::string& v) { c.caches = words(v); }},
      {"trusted_keys", "FLOX_TRUSTED_KEYS", "",
       "public keys (name:base64) whose signatures are accepted (variable: spaces between)",
       [](Config& c, const std::string& v) { c.trusted_keys = words(v); }},
      {"trust_content_addressed", "FLOX_TRUST_CONTENT_ADDRESSED", "false",
       "also accept unsigned paths whose content address proves their content (Nix's rule)",
       [](Config& c, const std::string& v) { c.trust_content_addressed = flag(v); }},
      {"signing_private_key", "FLOX_SIGNING_PRIVATE_KEY", "",
       "file with the secret key that flox publish signs with",
       [](Config& c, const std::string& v) { c.signing_key_file = v; }},
      {"node_socket", "FLOX_NODE_SOCKET", "/run/flox/node.sock",
       "where floxd listens for the shim; root only",
       [](Config& c, const std::string& v) { c.node_socket = v; }},
      {"pod_socket_dir", "FLOX_POD_SOCKET_DIR", "/run/flox/pod",
       "directory bound into pods as /run/flox; holds pod.sock",
       [](Config& c, const std::string& v) { c.pod_socket_dir = v; }},
      {"pod_install", "FLOX_POD_INSTALL", "true",
       "may pods install packages themselves (flox install in a pod)?",
       [](Config& c, const std::string& v) { c.pod_install = flag(v); }},
      {"namespace_environments", "FLOX_NAMESPACE_ENVIRONMENTS", "",
       "NAMESPACE=PACKAGE[@VERSION]: what flox activate stands for in pods there that bring no environment "
       "(variable: spaces between)",
       [](Config& c, const std::string& v) {
         c.namespace_environments.clear();
         for (const auto& word : words(v)) {
           const size_t equals = word.find('=');
           if (equals == std::string::npos || equals == 0 || equals + 1 == word.size())
             fail(ErrorKind::invalid_input, "'{}' is not of the form NAMESPACE=PACKAGE", word);
           c.namespace_environments[word.substr(0, equals)] = word.substr(equals + 1);
         }
       }},
      {"pod_connections", "FLOX_POD_CONNECTIONS", "16",
       "connections that one pod may have to floxd at once; 0, here and below: any number",
       [](Config& c, const std::string& v) { c.pod_budgets.connections = count(v); }},
      {"pod_requests", "FLOX_POD_REQUESTS", "2",
       "requests of one pod that floxd works on at once; eight times as many may wait",
       [](Config& c, const std::string& v) { c.pod_budgets.requests = count(v); }},
      {"pod_lock_size", "FLOX_POD_LOCK_SIZE", "256K", "largest lock that a pod may ask to realise",
       [](Config& c, const std::string& v) { c.pod_budgets.lock_size = parse_size(v); }},
      {"pod_environments", "FLOX_POD_ENVIRONMENTS", "32",
       "environments that a pod may install itself; they are kept until it ends",
       [](Config& c, const std::string& v) { c.pod_budgets.environments = count(v); }},
      {"pod_locks", "FLOX_POD_LOCKS", "4M", "size of these environments' locks together",
       [](Config& c, const std::string& v) { c.pod_budgets.locks = parse_size(v); }},
      {"pod_disk", "FLOX_POD_DISK", "32G",
       "size of these environments' closures together, and of what the pod has had fetched in vain",
       [](Config& c, const std::string& v) { c.pod_budgets.disk = parse_size(v); }},
      {"pod_request_time", "FLOX_POD_REQUEST_TIME", "15m", "longest time that one request of a pod may take",
       [](Config& c, const std::string& v) { c.pod_budgets.request_time = parse_duration(v); }},
      {"pods_connections", "FLOX_PODS_CONNECTIONS", "1024", "connections of all pods at once",
       [](Config& c, const std::string& v) { c.pod_budgets.all_connections = count(v); }},
      {"pods_requests", "FLOX_PODS_REQUESTS", "8",
       "requests of all pods that floxd works on at once; the starts of containers wait for none of them",
       [](Config& c, const std::string& v) { c.pod_budgets.all_requests = count(v); }},
      {"pods_environments", "FLOX_PODS_ENVIRONMENTS", "2048",
       "environments that all pods together may have installed",
       [](Config& c, const std::string& v) { c.pod_budgets.all_environments = count(v); }},
      {"store_view", "FLOX_STORE_VIEW", "node",
       "what a container sees of the store: all of it (node) or its own closure only (closure)",
       [](Config& c, const std::string& v) {
         if (v != "node" && v != "closure")
           fail(ErrorKind::invalid_input, "'{}' is neither node nor closure", v);
         c.store_view = v;
       }},
      {"allow_nix_mutable", "FLOX_ALLOW_NIX_MUTABLE", "false",
       "may pods ask for a /nix that they can change (flox.dev/nix-mutable)?",
       [](Config& c, const std::string& v) { c.allow_nix_mutable = flag(v); }},
      {"isolation", "FLOX_ISOLATION", "required",
       "whether floxd refuses to run (required) or warns (best-effort) where the kernel cannot isolate what "
       "it fetches "
       "with, or the store cannot be made read-only for it",
       [](Config& c, const std::string& v) {
         if (v != "required" && v != "best-effort")
           fail(ErrorKind::invalid_input, "'{}' is neither required nor best-effort", v);
         c.isolation = v == "required" ? IsolationPolicy::required : IsolationPolicy::best_effort;
       }},
      {"metrics_address", "FLOX_METRICS_ADDRESS", "127.0.0.1:9808",
       "where floxd serves /metrics, /healthz and /readyz",
       [](Config& c, const std::string& v) { c.metrics_address = v; }},
      {"registry_address", "FLOX_REGISTRY_ADDRESS", "127.0.0.1:9809",
       "where floxd serves the stub images as a registry, for containerd on this node; empty: nowhere",
       [](Config& c, const std::string& v) { c.registry_address = v; }},
      {"gc_min_free", "FLOX_GC_MIN_FREE", "10%",
       "floxd collects garbage when less than this is free on the store's file system: a size (20G) or a "
       "share (10%); 0: never",
       [](Config& c, const std::string& v) { c.gc_min_free = Amount::parse(v); }},
      {"gc_target_free", "FLOX_GC_TARGET_FREE", "15%", "and until so much is free, longest unused first",
       [](Config& c, const std::string& v) { c.gc_target_free = Amount::parse(v); }},
      {"gc_keep_newer", "FLOX_GC_KEEP_NEWER", "0s",
       "but never what was in use within this time: 90s, 15m, 12h, 30d",
       [](Config& c, const std::string& v) { c.gc_keep_newer = parse_duration(v); }},
      {"store_lock_timeout", "FLOX_STORE_LOCK_TIMEOUT", "60s",
       "how long to wait while another process holds the lock of the store's database",
       [](Config& c, const std::string& v) { c.store_lock_timeout = parse_duration(v); }},
  };
  return table;
}

// A TOML value as the text that Key::set takes. A number and a truth value need not be written as texts where
// the default is one; anywhere else, as in `root = 5`, they are a mistake.
std::string text_of(const toml::node& node, std::string_view fallback,
                    const std::function<void(const std::string&)>& complain) {
  const bool is_truth = fallback == "true" || fallback == "false";
  const bool is_number = !fallback.empty() &&
                         std::isdigit(static_cast<unsigned char>(fallback.front())) != 0 &&
                         fallback.find(':') == std::string_view::npos;  // an address has one
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer(); number != nullptr && is_number)
    return std::to_string(number->get());
  if (const auto* truth = node.as_boolean(); truth != nullptr && is_truth)
    return truth->get() ? "true" : "false";
  if (const auto* list = node.as_array()) {
    std::string joined;
    for (const auto& item : *list) {
      if (!item.is_string()) complain("a list of strings is needed");
      joined += (joined.empty() ? "" : " ") + item.as_string()->get();
    }
    return joined;
  }
  complain(is_number  ? "a string or a whole number is needed"
           : is_truth ? "true or false is needed"
                      : "a string or a list of strings is needed");
  return {};
}

// A file that holds a token is a file of secrets.
void check_private(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) fail_errno(errno, "examining {}", path.string());
  if ((status.st_mode & 077) != 0)
    throw Error(
        ErrorKind::untrusted,
        fmt::format("{} holds catalog_token, and others than its owner may use it (mode {:04o})",
                    path.string(), status.st_mode & 07777),
        "Write the token to a file of its own, with mode 600, and name that with catalog_token_file.");
}

void apply_file(Config& config, const std::filesystem::path& path) {
  auto complain = [&](const toml::source_region& at, std::string_view what) {
    fail(ErrorKind::invalid_input, "{}:{}:{}: {}", path.string(), at.begin.line, at.begin.column, what);
  };
  const toml::table table = parse_toml(read_file(path, max_file), path.string());
  for (const auto& [name, node] : table) {
    auto key = std::find_if(keys().begin(), keys().end(), [&](const Key& k) { return name.str() == k.name; });
    if (key == keys().end())
      complain(node.source(), fmt::format("unknown key '{}' (known: flox config --explain)", name.str()));
    if (name.str() == "catalog_token") check_private(path);
    std::string value = text_of(node, key->fallback, [&](const std::string& what) {
      complain(node.source(), fmt::format("{}: {}", key->name, what));
    });
    try {
      key->set(config, value);
    } catch (const Error& error) {
      complain(node.source(), fmt::format("{}: {}", key->name, error.what()));
    }
  }
}

}  // namespace

Config Config::load() {
  Config config;
  const char* named = std::getenv("FLOX_CONFIG");
  std::filesystem::path path = named != nullptr ? named : "/etc/flox/config.toml";
  if (named != nullptr || std::filesystem::exists(path)) apply_file(config, path);
  for (const auto& key : keys())
    if (const char* value = std::getenv(key.variable))
      in_context(key.variable, [&] { key.set(config, value); });
  return config;
}

Secret Config::token() const {
  if (!catalog_token.empty() || catalog_token_file.empty()) return catalog_token;
  return in_context("catalog_token_file", [&] { return read_secret_file(catalog_token_file); });
}

std::string Config::explain() {
  std::string text =
      "Configuration: /etc/flox/config.toml, or the file that FLOX_CONFIG names; variables override it.\n\n";
  for (const auto& key : keys())
    text += fmt::format("{:<24} {}\n  {:<22} variable {}, default {}\n", key.name, key.meaning, "",
                        key.variable, *key.fallback == '\0' ? "(none)" : key.fallback);
  return text;
}

}  // namespace flox
